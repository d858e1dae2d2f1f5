/** The loop of `sync --watch`, and the flags that it refuses. */
import { formatDuration } from '../../duration.ts';
import { IncrepError } from '../../errors.ts';
import { countdown } from '../../observe/countdown.ts';
import { errorLine, printError } from '../terminal/print-error.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { repeat } from './repeat.ts';
import { headOf, type Iteration } from './iteration.ts';

interface SyncWatchOptions {
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

export async function syncRepeatedly(
  everySeconds: number,
  asked: SyncWatchOptions,
  run: (iteration: Iteration) => Promise<number>,
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
        if (!terminal.hasJsonMessages()) terminal.say(headOf(new Date()));
        if (times === 1 || terminal.hasJsonMessages())
          return printError(error, terminal, { isJson, isVerbose });
        terminal.say(`error: the same as in the previous run (${error.code}), ${times} times in a row\n`);
        if (isJson) terminal.out(errorLine(error));
      },
    },
    run,
  );
}

/** @throws IncrepError USAGE */
function ensureRepeatable(everySeconds: number, asked: SyncWatchOptions): void {
  const every = formatDuration(everySeconds);
  const refusals: readonly (readonly [boolean, string, string, string])[] = [
    [asked.dryRun, '--dry-run', 'a plan is made only once', 'Remove one of the two flags.'],
    [
      asked.fullRefresh,
      '--full-refresh',
      `it would load every table again every ${every}`,
      'Run once: "increp sync --full-refresh". A loop that runs at the same time skips the locked table.',
    ],
    [
      asked.deletes,
      '--deletes',
      `it would compare the keys of whole tables every ${every}`,
      'Set "deletes_every" in tables-config.json instead.',
    ],
    [
      asked.force,
      '--force',
      'it would remove any share of a table at any time',
      'Check the deleted rows, then run once: "increp sync --deletes --force". Or set "delete_limit" in tables-config.json.',
    ],
  ];
  for (const [isAsked, flag, why, next] of refusals)
    if (isAsked)
      throw new IncrepError('USAGE', { what: `--watch cannot be combined with ${flag}: ${why}`, next });
}
