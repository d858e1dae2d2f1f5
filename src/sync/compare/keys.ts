/** Hands out the rows of one side key by key. It waits only at the end of a batch, because a promise per row would be slow. */

export interface HashedRow {
  /** The values of the unique key as a JSON array of texts; without a key, an excerpt of the row as a JSON string. */
  readonly key: string;
  readonly hash: string;
  readonly content: string;
  readonly pending: boolean;
  /** How many such rows exist; undefined if rows have a key. */
  readonly copies?: number;
  /** How many of these rows are new since the last sync. */
  readonly pendingCopies?: number;
  /** In the form of sql/compare.ts; null without a replication key, undefined if the comparison does not need it. */
  readonly version?: string | null;
}

/** All rows of one key on one side; several only if the key is not unique. */
export type RowsOfKey = readonly [HashedRow, ...HashedRow[]];

export class Keys {
  readonly #batches: AsyncIterator<readonly HashedRow[]>;
  /** The current batch. The rows from `#at` on are not taken yet. */
  #rows: readonly HashedRow[] = [];
  #at = 0;
  #isComplete = false;

  /** The rows must be ordered by hash. */
  constructor(batches: AsyncIterable<readonly HashedRow[]>) {
    this.#batches = batches[Symbol.asyncIterator]();
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Whether more than half of the batch is taken. */
  get isLow(): boolean {
    return !this.#isComplete && (this.#rows.length - this.#at) * 2 <= this.#rows.length;
  }

  /** Undefined at the end, and if the next batch may hold more rows of the key. */
  take(): RowsOfKey | undefined {
    const start = this.#at;
    const first = this.#rows[start];
    if (!first) return undefined;
    let end = start + 1;
    while (this.#rows[end]?.hash === first.hash) end += 1;
    if (end === this.#rows.length && !this.#isComplete) return undefined;
    this.#at = end;
    return end === start + 1 ? [first] : [first, ...this.#rows.slice(start + 1, end)];
  }

  async fetch(): Promise<void> {
    const next = await this.#batches.next();
    if (next.done === true) {
      this.#isComplete = true;
      return;
    }
    this.#rows = [...this.#rows.slice(this.#at), ...next.value];
    this.#at = 0;
  }
}
