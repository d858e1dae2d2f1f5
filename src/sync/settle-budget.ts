/** Seconds that a whole run may spend waiting for transactions to end. */
export class SettleBudget {
  #remainingSeconds: number;

  constructor(seconds: number) {
    this.#remainingSeconds = seconds;
  }

  get isSpent(): boolean {
    return this.#remainingSeconds <= 0;
  }

  spend(seconds: number): void {
    this.#remainingSeconds -= seconds;
  }
}
