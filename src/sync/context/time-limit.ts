/** How long a run may take. Past it nothing new is begun; what is at work goes on to where it can be taken up again. */
import { formatDuration } from '../../duration.ts';

/** Milliseconds of a clock that never goes back. */
export type Clock = () => number;

export class TimeLimit {
  /** Seconds; Infinity where there is no limit. */
  readonly seconds: number;
  readonly #clock: Clock;
  readonly #startedAt: number;

  /** Its time runs from here on. */
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

  /** "the time limit of 50s was over", and what that came before. */
  words(before = ''): string {
    return `the time limit of ${formatDuration(this.seconds)} was over${before}`;
  }
}
