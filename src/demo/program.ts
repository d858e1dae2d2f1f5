/** Runs increp as a child process, as a user would. */
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { searchPathOf, type Environment } from '../environment.ts';
import { IncrepError } from '../errors.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import type { Stage } from './stage.ts';
import type { Story } from './story.ts';

export const PROGRAM = join(PACKAGE_ROOT, 'bin', 'increp.js');

export interface Ran {
  readonly exitCode: number;
  readonly seconds: number;
}

/** Prints the command and its output. @throws IncrepError if the exit code is not the expected one */
export async function runIncrep(
  { directory, environment, signal }: Stage,
  story: Story,
  args: readonly string[],
  expected: readonly number[] = [0],
): Promise<Ran> {
  story.command(['increp', '-C', directory, ...args].join(' '));
  const startedAt = performance.now();
  const result = await execa(process.execPath, [PROGRAM, '-C', directory, ...args], {
    env: childEnvironment(environment),
    extendEnv: false,
    stdin: 'ignore',
    cancelSignal: signal,
    // The default of the library would end this process at the first signal, before the servers are stopped.
    cleanup: false,
    reject: false,
  });
  signal.throwIfAborted();
  story.quote(result.stdout);
  const { exitCode } = result;
  if (exitCode === undefined || !expected.includes(exitCode)) throw unexpectedEnd(args, result);
  return { exitCode, seconds: (performance.now() - startedAt) / 1000 };
}

/** No variable of the caller may act as a setting, because the environment wins over .env. */
export function childEnvironment(environment: Environment): Record<string, string> {
  const { HOME, TMPDIR, LC_ALL, LC_CTYPE, LANG } = environment;
  const kept = Object.entries({ HOME, TMPDIR, LC_ALL, LC_CTYPE, LANG });
  return {
    PATH: searchPathOf(environment),
    ...Object.fromEntries(kept.filter((entry): entry is [string, string] => Boolean(entry[1]))),
  };
}

interface EndedCommand {
  readonly exitCode?: number | undefined;
  readonly shortMessage?: string | undefined;
  readonly stderr: string;
}

const STDERR_LINES = 10;

function unexpectedEnd(
  args: readonly string[],
  { exitCode, shortMessage, stderr }: EndedCommand,
): IncrepError {
  const how = exitCode === undefined ? (shortMessage ?? 'no exit code') : `exit code ${exitCode}`;
  const tail = stderr.trim().split('\n').slice(-STDERR_LINES).join('\n');
  return new IncrepError('INTERNAL', {
    what: `"increp ${args.join(' ')}" ended with ${how}${tail && `; its output:\n${tail}`}`,
    next: 'To inspect the servers, run "increp demo --keep". If you find no cause, please report it.',
    exitCode: 1,
  });
}
