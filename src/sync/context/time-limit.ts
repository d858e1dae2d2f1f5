/**
 * `--max-duration`. After the limit, a run starts no table. The active table stops where the next run can resume it.
 */
import { formatDuration } from '../../duration.ts';

/** Milliseconds of a clock that never goes back. */
export type Clock = () => number;

export class TimeLimit {
  /** Seconds. Infinity if there is no limit. */
  readonly seconds: number;
  readonly #clock: Clock;
  readonly #startedAt: number;

  /** The time starts now. */
  constructor(seconds = Infinity, clock: Clock = () => performance.now()) {
    this.seconds = seconds;
    this.#clock = clock;
    this.#startedAt = clock();
  }

  get isLimited(): boolean {
    return this.seconds !== Infinity;
  }

  /** Never negative. */
  get remainingSeconds(): number {
    return Math.max(0, this.seconds - (this.#clock() - this.#startedAt) / 1000);
  }

  get isOver(): boolean {
    return this.remainingSeconds === 0;
  }

  /** "the time limit of 50s was reached", then `before`. */
  words(before = ''): string {
    return `the time limit of ${formatDuration(this.seconds)} was reached${before}`;
  }
}
