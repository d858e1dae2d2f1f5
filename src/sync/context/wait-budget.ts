import type { TimeLimit } from './time-limit.ts';

/** The seconds that a run may wait for open transactions, for all its tables together. */
export class WaitBudget {
  #remainingSeconds: number;
  readonly #outlasting = new Set<string>();
  readonly #timeLimit: TimeLimit | undefined;
  readonly #clock: () => number;
  /** The waits before this time are counted. Milliseconds of a clock that never goes back. */
  #countedUntil = -Infinity;

  constructor(seconds: number, timeLimit?: TimeLimit, clock: () => number = () => performance.now()) {
    this.#remainingSeconds = seconds;
    this.#timeLimit = timeLimit;
    this.#clock = clock;
  }

  get isSpent(): boolean {
    return this.#remainingSeconds <= 0 || this.#timeLimit?.isOver === true;
  }

  /** Counts a wait that ends now. If several tables wait at the same time, their common time counts once. */
  spend(seconds: number): void {
    const now = this.#clock();
    const since = Math.max(now - seconds * 1000, this.#countedUntil);
    this.#remainingSeconds -= Math.max(0, now - since) / 1000;
    this.#countedUntil = now;
  }

  /** Records transactions that were open when a wait ended, so that the next table does not wait for them again. */
  remember(transactions: readonly string[]): void {
    for (const transaction of transactions) this.#outlasting.add(transaction);
  }

  hasOutlasted(transaction: string): boolean {
    return this.#outlasting.has(transaction);
  }
}
