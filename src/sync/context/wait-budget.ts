import type { TimeLimit } from './time-limit.ts';

/** The seconds that a run may wait for open transactions, for all its tables together. */
export class WaitBudget {
  #remainingSeconds: number;
  readonly #outlasting = new Set<string>();
  readonly #timeLimit: TimeLimit | undefined;

  constructor(seconds: number, timeLimit?: TimeLimit) {
    this.#remainingSeconds = seconds;
    this.#timeLimit = timeLimit;
  }

  get isSpent(): boolean {
    return this.#remainingSeconds <= 0 || this.#timeLimit?.isOver === true;
  }

  spend(seconds: number): void {
    this.#remainingSeconds -= seconds;
  }

  /** Records transactions that were open when a wait ended, so that the next table does not wait for them again. */
  remember(transactions: readonly string[]): void {
    for (const transaction of transactions) this.#outlasting.add(transaction);
  }

  hasOutlasted(transaction: string): boolean {
    return this.#outlasting.has(transaction);
  }
}
