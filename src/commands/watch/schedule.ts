/** The start times of the runs of a loop: at `startedAt + n * every`, whatever happened in earlier runs. Pure. */

export interface Beat {
  /** Milliseconds of a monotonic clock. */
  readonly startedAt: number;
  /** Milliseconds. */
  readonly every: number;
}

export interface Tick {
  /** Counted from 0. */
  readonly number: number;
  readonly at: number;
  /** Due starts between the previous run and this one that were skipped. */
  readonly skipped: number;
}

export const firstTick = ({ startedAt }: Beat): Tick => ({ number: 0, at: startedAt, skipped: 0 });

/** The first start time that is not over. Skipped runs are not repeated, because one run copies all their changes. */
export function nextTick({ startedAt, every }: Beat, last: Tick, now: number): Tick {
  const number = Math.max(last.number + 1, Math.ceil((now - startedAt) / every));
  return { number, at: startedAt + number * every, skipped: number - last.number - 1 };
}
