/** How many keys one statement handles. */
const BATCH = 1000;

export interface Batches {
  add(key: string): Promise<void>;
  flush(): Promise<void>;
  /** Keys added so far. */
  count(): number;
}

/** Collects keys and calls `work` with each full batch. */
export function batched(work: (keys: readonly string[]) => Promise<unknown>): Batches {
  let keys: string[] = [];
  let count = 0;
  const flush = async () => {
    const full = keys;
    keys = [];
    if (full.length > 0) await work(full);
  };
  const add = async (key: string) => {
    count += 1;
    if (keys.push(key) >= BATCH) await flush();
  };
  return { add, flush, count: () => count };
}
