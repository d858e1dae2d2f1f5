/** The start times of the runs of a loop: at `startedAt + n * every`, whatever happened in earlier runs. Pure. */

export interface Schedule {
  /** Milliseconds of a monotonic clock. */
  readonly startedAt: number;
  /** Milliseconds. */
  readonly every: number;
}

export interface RunStart {
  /** Counted from 0. */
  readonly number: number;
  readonly at: number;
  /** Due starts between the previous run and this one that were skipped. */
  readonly skipped: number;
}

export const firstStart = ({ startedAt }: Schedule): RunStart => ({ number: 0, at: startedAt, skipped: 0 });

/** The first start time that is not over. Skipped runs are not repeated, because one run copies all their changes. */
export function nextStart({ startedAt, every }: Schedule, last: RunStart, now: number): RunStart {
  const number = Math.max(last.number + 1, Math.ceil((now - startedAt) / every));
  return { number, at: startedAt + number * every, skipped: number - last.number - 1 };
}
