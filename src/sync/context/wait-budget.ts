import type { TimeBox } from './time-limit.ts';

/** Seconds that a whole run may spend waiting for transactions to end. */
export class SettleBudget {
  #remainingSeconds: number;
  readonly #outlasting = new Set<string>();

  readonly #timeBox: TimeBox | undefined;

  constructor(seconds: number, timeBox?: TimeBox) {
    this.#remainingSeconds = seconds;
    this.#timeBox = timeBox;
  }

  get isSpent(): boolean {
    return this.#remainingSeconds <= 0 || this.#timeBox?.isOver === true;
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
