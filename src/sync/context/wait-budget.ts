import type { TimeLimit } from './time-limit.ts';

/** Seconds that a whole run may spend waiting for transactions to end. */
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

  /** What was still there when the waiting ended, of which another table need not be told twice. */
  remember(transactions: readonly string[]): void {
    for (const transaction of transactions) this.#outlasting.add(transaction);
  }

  hasOutlasted(transaction: string): boolean {
    return this.#outlasting.has(transaction);
  }
}
