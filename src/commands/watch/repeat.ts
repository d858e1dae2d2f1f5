/** `sync --watch`: one run after the other in one process, until a signal. */
import { asIncrepError, type IncrepError } from '../../errors.ts';
import { sleep } from '../../retry.ts';
import { firstTick, nextTick, type Beat, type Tick } from './schedule.ts';
import { headOf, noticeOf, type Iteration } from './iteration.ts';

export interface Loop {
  readonly everySeconds: number;
  readonly signal: AbortSignal;
  /** What ended a turn before it could tell of itself, and in how many turns in a row it was the very same. */
  readonly onError: (error: IncrepError, times: number) => void;
  /** Draws while nothing is at work, until it is disposed of. */
  readonly rest: (seconds: number) => Disposable;
  /** Milliseconds that never go back. */
  readonly clock?: () => number;
  readonly wait?: (seconds: number, signal: AbortSignal) => Promise<void>;
}

/** Wrong usage and a wrong configuration at the very start are nothing that time mends. */
const NOT_TO_BEGIN_WITH: readonly number[] = [64, 78];

/**
 * Resolves to the exit code: the signal's where it broke a run off, else 0; and that of the first run where it says that
 * this cannot become anything. @throws IncrepError likewise
 */
export async function repeat(loop: Loop, run: (turn: Iteration) => Promise<number>): Promise<number> {
  const { everySeconds, signal, clock = () => performance.now() } = loop;
  const beat: Beat = { startedAt: clock(), every: everySeconds * 1000 };
  const errors = errorTeller(loop);
  let notice: string | undefined;
  for (let tick = firstTick(beat); ;) {
    const exitCode = await withTurnSignal(signal, (turnSignal) =>
      errors.watch(tick, () => run({ signal: turnSignal, notice, head: headOf(new Date()) })),
    );
    if (signal.aborted) return endedBy(signal, exitCode);
    if (tick.number === 0 && NOT_TO_BEGIN_WITH.includes(exitCode)) return exitCode;
    const now = clock();
    const next = nextTick(beat, tick, now);
    notice = noticeOf(next, everySeconds, now - tick.at);
    if (!(await isAwaited(loop, next.at, clock))) return 0;
    tick = next;
  }
}

/** What was rolled back because of the signal is told; a run that came to its own end is as good as none. */
const endedBy = (signal: AbortSignal, exitCode: number): number =>
  exitCode === asIncrepError(signal.reason).exitCode ? exitCode : 0;

/** Signals live as long as the process: what listens to one of them directly would never be let go. */
async function withTurnSignal<T>(signal: AbortSignal, use: (turn: AbortSignal) => Promise<T>): Promise<T> {
  const turn = new AbortController();
  const stop = () => turn.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await use(turn.signal);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function errorTeller({ onError }: Loop) {
  let last: { readonly text: string; times: number } | undefined;
  return {
    /** The run's exit code, or the one of what it failed with. */
    watch: async ({ number }: Tick, run: () => Promise<number>): Promise<number> => {
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

/** Whether the time came before a signal did. */
async function isAwaited(
  { signal, rest, wait = sleep }: Loop,
  at: number,
  clock: () => number,
): Promise<boolean> {
  using _ = rest((at - clock()) / 1000);
  try {
    // Timers may be a little early, and none is longer than 24 days.
    for (let left = at - clock(); left > 0; left = at - clock()) await wait(left / 1000, signal);
    return !signal.aborted;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
