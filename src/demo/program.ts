/** The real program, as a child process, the way a person would call it. */
import { fileURLToPath } from 'node:url';
import process from 'node:process';
import { execa } from 'execa';
import { searchPathOf, type Environment } from '../environment.ts';
import { IncrepError } from '../errors.ts';
import type { Stage } from './stage.ts';
import type { Story } from './story.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/increp.js', import.meta.url));

export interface Ran {
  readonly exitCode: number;
  readonly seconds: number;
}

/** Shows the command and what it prints. @throws IncrepError where it ends otherwise than expected */
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
    // The library's way would end us at the first signal, before the servers are stopped.
    cleanup: false,
    reject: false,
  });
  signal.throwIfAborted();
  story.quote(result.stdout);
  const { exitCode } = result;
  if (exitCode === undefined || !expected.includes(exitCode)) throw unexpectedEnd(args, result);
  return { exitCode, seconds: (performance.now() - startedAt) / 1000 };
}

/** Nothing of the caller's that could be taken for a setting: the real environment wins over .env. */
function childEnvironment(environment: Environment): Record<string, string> {
  const { HOME, TMPDIR, LC_ALL, LC_CTYPE, LANG } = environment;
  const kept = Object.entries({ HOME, TMPDIR, LC_ALL, LC_CTYPE, LANG });
  return {
    PATH: searchPathOf(environment),
    ...Object.fromEntries(kept.filter((entry): entry is [string, string] => Boolean(entry[1]))),
  };
}

interface Ended {
  readonly exitCode?: number | undefined;
  readonly shortMessage?: string | undefined;
  readonly stderr: string;
}

const STDERR_LINES = 10;

function unexpectedEnd(args: readonly string[], { exitCode, shortMessage, stderr }: Ended): IncrepError {
  const how = exitCode === undefined ? (shortMessage ?? 'no exit code') : `exit code ${exitCode}`;
  const tail = stderr.trim().split('\n').slice(-STDERR_LINES).join('\n');
  return new IncrepError('INTERNAL', {
    what: `"increp ${args.join(' ')}" ended with ${how}${tail && `; it said:\n${tail}`}`,
    next: 'Run "increp demo --keep" to look at the servers. If nothing explains it, please report it.',
    exitCode: 1,
  });
}
