/** Every command, and the module that is loaded when the command runs. */
import { check } from '../descriptions/check.ts';
import { deletesSql } from '../descriptions/deletes-sql.ts';
import { config } from '../descriptions/config.ts';
import { completion } from '../descriptions/completion.ts';
import { demo } from '../descriptions/demo.ts';
import type { CommandDescription } from '../descriptions/description.ts';
import { help } from '../descriptions/help.ts';
import { init } from '../descriptions/init.ts';
import { history } from '../descriptions/history.ts';
import { plan } from '../descriptions/plan.ts';
import { reset } from '../descriptions/reset.ts';
import { sequences } from '../descriptions/sequences.ts';
import { serve, work } from '../descriptions/service.ts';
import { status } from '../descriptions/status.ts';
import { token } from '../descriptions/token.ts';
import { sync } from '../descriptions/sync.ts';
import { verify } from '../descriptions/verify.ts';

/** The exports of a command's module. */
export type CommandFunction = (
  tables: readonly string[],
  options: Record<string, unknown>,
) => Promise<number>;

interface Registered {
  readonly description: CommandDescription;
  /** The option types of the modules are narrower: they match the flags of the description. */
  readonly load: () => Promise<unknown>;
}

export const commands = (): readonly Registered[] => [
  { description: sync(), load: async () => (await import('../sync.ts')).syncCommand },
  { description: plan(), load: async () => (await import('../plan.ts')).planCommand },
  { description: check(), load: async () => (await import('../check.ts')).checkCommand },
  { description: status(), load: async () => (await import('../status.ts')).statusCommand },
  { description: history(), load: async () => (await import('../history.ts')).historyCommand },
  { description: verify(), load: async () => (await import('../verify.ts')).verifyCommand },
  { description: reset(), load: async () => (await import('../reset.ts')).resetCommand },
  {
    description: deletesSql(),
    load: async () => (await import('../deletes-sql.ts')).deletesSqlCommand,
  },
  {
    description: sequences(),
    load: async () => (await import('../sequences.ts')).sequencesCommand,
  },
  { description: serve(), load: async () => (await import('../serve.ts')).serveCommand },
  { description: work(), load: async () => (await import('../work.ts')).workCommand },
  { description: token(), load: async () => (await import('../token.ts')).tokenCommand },
  { description: init(), load: async () => (await import('../init.ts')).initCommand },
  { description: config(), load: async () => (await import('../config.ts')).configCommand },
  { description: demo(), load: async () => (await import('../demo.ts')).demoCommand },
  { description: completion(), load: async () => (await import('../completion.ts')).completionCommand },
  { description: help(), load: async () => (await import('../help.ts')).helpCommand },
];
