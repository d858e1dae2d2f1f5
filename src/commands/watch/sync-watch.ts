/** The loop of `sync --watch` as a command line asks for it, and what may not be asked for again and again. */
import { formatDuration } from '../../duration.ts';
import { IncrepError } from '../../errors.ts';
import { countdown } from '../../observe/countdown.ts';
import { errorLine, tellError } from '../terminal/print-error.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { repeat } from './repeat.ts';
import { headOf, type Iteration } from './iteration.ts';

interface Asked {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly fullRefresh: boolean;
  readonly deletes: boolean;
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
}

export async function syncAgainAndAgain(
  everySeconds: number,
  asked: Asked,
  run: (turn: Iteration) => Promise<number>,
): Promise<number> {
  ensureRepeatable(everySeconds, asked);
  const { terminal, signal, json: isJson, quiet, verbose: isVerbose } = asked;
  const screen = isJson || quiet ? undefined : terminal.screen;
  return repeat(
    {
      everySeconds,
      signal,
      rest: (seconds) => (screen ? countdown(screen, seconds) : { [Symbol.dispose]: () => undefined }),
      onError: (error, times) => {
        terminal.say(headOf(new Date()));
        if (times === 1) return tellError(error, terminal, { isJson, isVerbose });
        terminal.say(`error: the same as in the turn before (${error.code}), ${times} times now\n`);
        if (isJson) terminal.out(errorLine(error));
      },
    },
    run,
  );
}

/** @throws IncrepError USAGE */
function ensureRepeatable(everySeconds: number, asked: Asked): void {
  const every = formatDuration(everySeconds);
  const refusals: readonly (readonly [boolean, string, string, string])[] = [
    [asked.dryRun, '--dry-run', 'a plan is made once', 'Leave out one of them.'],
    [
      asked.fullRefresh,
      '--full-refresh',
      `every table would be loaded from the start every ${every}`,
      'Run "increp sync --full-refresh" once; a loop that is at work meanwhile leaves the table to it.',
    ],
    [
      asked.deletes,
      '--deletes',
      `the keys of whole tables would be compared every ${every}`,
      'Say in tables-config.json how often that is to be done: "deletes_every".',
    ],
    [
      asked.force,
      '--force',
      'any share of a table would be removed at any time, with nobody to look',
      'Run "increp sync --deletes --force" once, when you have looked; or set "delete_limit" in tables-config.json.',
    ],
  ];
  for (const [isAsked, flag, why, next] of refusals)
    if (isAsked) throw new IncrepError('USAGE', { what: `--watch does not go with ${flag}: ${why}`, next });
}
