/** The loop of `sync --watch`: one run after the other in one process, until a signal. */
import { asIncrepError, type IncrepError } from '../../errors.ts';
import { sleep } from '../../backoff.ts';
import { firstStart, nextStart, type Schedule, type RunStart } from './schedule.ts';
import { headOf, noticeOf, type Iteration } from './iteration.ts';

export interface Loop {
  readonly everySeconds: number;
  readonly signal: AbortSignal;
  /**
   * Called for an error that ended a run before its summary. `times` is the number of consecutive runs with the same
   * error.
   */
  readonly onError: (error: IncrepError, times: number) => void;
  /** Draws while no run is active, until it is disposed of. */
  readonly rest: (seconds: number) => Disposable;
  /** Milliseconds of a monotonic clock. */
  readonly clock?: () => number;
  readonly wait?: (seconds: number, signal: AbortSignal) => Promise<void>;
}

/** A usage or configuration error in the first run ends the loop, because time does not fix it. */
const NOT_TO_BEGIN_WITH: readonly number[] = [64, 78];

/**
 * Resolves to the exit code: that of the signal if it interrupted a run, that of a first run with a permanent error,
 * otherwise 0.
 * @throws IncrepError for a first run with a permanent error
 */
export async function repeat(loop: Loop, run: (iteration: Iteration) => Promise<number>): Promise<number> {
  const { everySeconds, signal, clock = () => performance.now() } = loop;
  const schedule: Schedule = { startedAt: clock(), every: everySeconds * 1000 };
  const errors = errorReporter(loop);
  let notice: string | undefined;
  for (let start = firstStart(schedule); ;) {
    const exitCode = await withRunSignal(signal, (runSignal) =>
      errors.watch(start, () => run({ signal: runSignal, notice, head: headOf(new Date()) })),
    );
    if (signal.aborted) return endedBy(signal, exitCode);
    if (start.number === 0 && NOT_TO_BEGIN_WITH.includes(exitCode)) return exitCode;
    const now = clock();
    const next = nextStart(schedule, start, now);
    notice = noticeOf(next, everySeconds, now - start.at - schedule.every);
    if (!(await isAwaited(loop, next.at, clock))) return 0;
    start = next;
  }
}

/** If the signal interrupted a run, its rollback is reported. A run that ended by itself counts as no run. */
const endedBy = (signal: AbortSignal, exitCode: number): number =>
  exitCode === asIncrepError(signal.reason).exitCode ? exitCode : 0;

/**
 * The process keeps its signal forever, so each run listens to a signal of its own. Otherwise finished runs would
 * stay in memory.
 */
async function withRunSignal<T>(signal: AbortSignal, use: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const run = new AbortController();
  const stop = () => run.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await use(run.signal);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function errorReporter({ onError }: Loop) {
  let last: { readonly text: string; times: number } | undefined;
  return {
    /** The exit code of the run, or of its error. */
    watch: async ({ number }: RunStart, run: () => Promise<number>): Promise<number> => {
      try {
        const exitCode = await run();
        last = undefined;
        return exitCode;
      } catch (thrown) {
        const error = asIncrepError(thrown);
        if (number === 0 && NOT_TO_BEGIN_WITH.includes(error.exitCode)) throw error;
        const text = `${error.code} ${error.message}`;
        last = { text, times: last?.text === text ? last.times + 1 : 1 };
        onError(error, last.times);
        return error.exitCode;
      }
    },
  };
}

/** True if the time came before a signal did. */
async function isAwaited(
  { signal, rest, wait = sleep }: Loop,
  at: number,
  clock: () => number,
): Promise<boolean> {
  using _ = rest((at - clock()) / 1000);
  try {
    // A timer may fire a little early, and a timer of Node is limited to 24 days.
    for (let left = at - clock(); left > 0; left = at - clock()) await wait(left / 1000, signal);
    return !signal.aborted;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
