/**
 * The pairs of connections of a run with several jobs, one for each job. A pair serves one table, or one chunk of a load in
 * chunks, at a time. So the run never reads more at the same time than it has jobs.
 */
export class ConnectionPairs<Pair> {
  readonly #idle: Pair[];
  readonly #retired = new Set<Pair>();
  /** Tables that wait for a pair. */
  readonly #tables: ((pair: Pair) => void)[] = [];
  /** Chunks that wait for a pair that no table needs. */
  readonly #chunks: ((pair: Pair) => void)[] = [];

  constructor(pairs: readonly Pair[]) {
    this.#idle = [...pairs];
  }

  /** A pair that is in use does not come back. */
  retire(pair: Pair): void {
    this.#retired.add(pair);
  }

  /** Waits for a pair. */
  async forTable<T>(work: (pair: Pair) => Promise<T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<Pair>();
    this.#tables.push(resolve);
    this.#hand();
    const pair = await promise;
    try {
      return await work(pair);
    } finally {
      this.#giveBack(pair);
    }
  }

  /** Waits for a pair that no table needs. Returns false if the signal was aborted before. */
  async forChunk(work: (pair: Pair) => Promise<void>, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    const { promise, resolve } = Promise.withResolvers<Pair | undefined>();
    const forget = () => {
      const place = this.#chunks.indexOf(resolve);
      if (place >= 0) this.#chunks.splice(place, 1);
      resolve(undefined);
    };
    this.#chunks.push(resolve);
    signal.addEventListener('abort', forget, { once: true });
    this.#hand();
    const pair = await promise;
    signal.removeEventListener('abort', forget);
    if (pair === undefined) return false;
    try {
      await work(pair);
      return true;
    } finally {
      this.#giveBack(pair);
    }
  }

  #giveBack(pair: Pair): void {
    if (!this.#retired.has(pair)) this.#idle.push(pair);
    this.#hand();
  }

  /** The pair that was used last goes first, because its connections are open. */
  #hand(): void {
    for (;;) {
      const waiting = this.#tables.length > 0 ? this.#tables : this.#chunks;
      if (waiting.length === 0) return;
      const pair = this.#idle.pop();
      if (pair === undefined) return;
      waiting.shift()?.(pair);
    }
  }
}
