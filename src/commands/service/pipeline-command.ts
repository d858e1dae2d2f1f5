/** The commands that a worker runs for a request: `plan`, `check`, `verify` and `reset` on one pipeline. */
import { asIncrepError } from '../../errors.ts';
import { errorToJson } from '../../report/summary-json.ts';
import type { CommandOrder, RunCommand } from '../../serve/worker.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** Runs it as on a command line with --json, but its output goes to the control database. */
export const pipelineCommand =
  (terminal: Terminal): RunCommand =>
  async (order) => {
    let output = '';
    const silent: Terminal = {
      ...terminal,
      ...{ out: (text) => void (output += text), say: () => undefined, screen: undefined },
    };
    try {
      const exitCode = await run(order, silent);
      return { isOk: exitCode === 0, document: documentOf(order, output), error: null };
    } catch (error) {
      // The text holds no secret: it is what the command would print.
      return { isOk: false, document: null, error: errorToJson(asIncrepError(error)) };
    }
  };

/** `reset` prints lines. */
const documentOf = ({ command }: CommandOrder, output: string): object =>
  command === 'reset'
    ? { type: 'reset', lines: output.split('\n').filter(Boolean) }
    : (JSON.parse(output) as object);

async function run(order: CommandOrder, terminal: Terminal): Promise<number> {
  const { command, tables, timing, signal } = order;
  const { directory, environment, given } = order.pipeline;
  const names = tables ?? [];
  const shared = { directory, terminal, environment, given, workingDirectory: directory, timing, signal };
  const all = { ...shared, destination: [], json: true, verbose: false };
  switch (command) {
    case 'plan': {
      const { planCommand } = await import('../plan.ts');
      const flags = { fullRefresh: false, deletes: false, adopt: false, replace: false, exitCode: false };
      return planCommand(names, { ...all, ...flags, exclude: [] });
    }
    case 'check': {
      const { checkCommand } = await import('../check.ts');
      return checkCommand(names, { ...all, webhook: false });
    }
    case 'verify': {
      const { verifyCommand } = await import('../verify.ts');
      return verifyCommand(names, { ...all, repair: false, force: false });
    }
    case 'reset': {
      const { resetCommand } = await import('../reset.ts');
      return resetCommand(names, { ...shared, destination: [], all: tables === null, force: false });
    }
  }
}
