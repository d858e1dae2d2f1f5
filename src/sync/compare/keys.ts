/** The rows of one side, key by key. Waits only where a batch ends: a promise for every row is a lot of garbage. */

export interface HashedRow {
  /** The merge key's values as text, as a JSON array; without one, what may be shown of the row, as a JSON string. */
  readonly key: string;
  readonly hash: string;
  readonly content: string;
  readonly pending: boolean;
  /** How many such rows there are; undefined where rows have a key. */
  readonly copies?: number;
  /** As many of them are only newer than the copy. */
  readonly pendingCopies?: number;
  /** As sql/compare.ts prints it; null without a replication key, undefined where it was not asked for. */
  readonly version?: string | null;
}

/** All rows of one key on one side; more than one only where the key is not unique. */
export type RowsOfKey = readonly [HashedRow, ...HashedRow[]];

export class Keys {
  readonly #batches: AsyncIterator<readonly HashedRow[]>;
  /** What has come and was not taken yet, from `#at` on. */
  #rows: readonly HashedRow[] = [];
  #at = 0;
  #isComplete = false;

  /** In the order of the rows' hashes. */
  constructor(batches: AsyncIterable<readonly HashedRow[]>) {
    this.#batches = batches[Symbol.asyncIterator]();
  }

  /** Undefined at the end. */
  async next(): Promise<RowsOfKey | undefined> {
    for (;;) {
      const key = this.take();
      if (key || this.#isComplete) return key;
      await this.#fetch();
    }
  }

  /** The same without waiting: undefined also where the next batch may hold more rows of that key. */
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

  async #fetch(): Promise<void> {
    const next = await this.#batches.next();
    if (next.done === true) {
      this.#isComplete = true;
      return;
    }
    this.#rows = [...this.#rows.slice(this.#at), ...next.value];
    this.#at = 0;
  }
}
