/** When the turns of a loop are: at `startedAt + n * every`, whatever became of those before. Pure. */

export interface Beat {
  /** Milliseconds of a clock that never goes back. */
  readonly startedAt: number;
  /** Milliseconds. */
  readonly every: number;
}

export interface Tick {
  /** Counted from 0. */
  readonly number: number;
  readonly at: number;
  /** Ticks between the one before and this one, on which nothing was begun. */
  readonly passedOver: number;
}

export const firstTick = ({ startedAt }: Beat): Tick => ({ number: 0, at: startedAt, passedOver: 0 });

/** The first one that is not over yet. Those that are over are not made up for: one run brings what they would have. */
export function nextTick({ startedAt, every }: Beat, last: Tick, now: number): Tick {
  const number = Math.max(last.number + 1, Math.ceil((now - startedAt) / every));
  return { number, at: startedAt + number * every, passedOver: number - last.number - 1 };
}
