/** The pages of a table, and the chunks of its load. Pure. */

/** A table that stores rows: the table itself, a child table or a partition. */
export interface Leaf {
  readonly oid: string;
  /** The file with its pages. In another file the block numbers mean other rows. */
  readonly filenode: string;
  readonly blocks: number;
  /** Including TOAST. */
  readonly bytes: number;
  /** From the last VACUUM or ANALYZE. Null if there was none. */
  readonly rowsPerBlock: number | null;
}

export interface Heap {
  readonly leaves: readonly Leaf[];
  /** Bytes. */
  readonly blockSize: number;
  /** Whether a part of it is not stored in a heap. */
  readonly hasOtherStorage: boolean;
}

/** The same range of blocks in all leaves, without `end`. Null: to the end of the leaf at the time of reading. */
export interface BlockRange {
  readonly start: number;
  readonly end: number | null;
}

/** Bytes. The assumed length of a row without statistics. A chunk may then be several times too large or too small. */
const USUAL_ROW_BYTES = 160;

/** Each chunk costs a row in the progress table and a query at the source. Above this number, chunks become larger. */
const MAX_CHUNKS = 10_000;

/**
 * The first block of each chunk. The widths differ: a range of blocks is read from all leaves, and one partition may be
 * a thousand times as long as another. Chunks of the same width would have much data first and little data later.
 */
export function chunkStarts(
  { leaves, blockSize }: Heap,
  size: { readonly bytes: number } | { readonly rows: number },
): number[] {
  const weighed = leaves
    .filter(({ blocks }) => blocks > 0)
    .map(({ blocks, bytes, rowsPerBlock }) => ({
      blocks,
      weight: 'bytes' in size ? bytes / blocks : (rowsPerBlock ?? blockSize / USUAL_ROW_BYTES),
    }))
    .toSorted((a, b) => a.blocks - b.blocks);
  const total = weighed.reduce((sum, { blocks, weight }) => sum + blocks * weight, 0);
  const room = Math.max('bytes' in size ? size.bytes : size.rows, total / MAX_CHUNKS);
  let density = weighed.reduce((sum, { weight }) => sum + weight, 0);
  const starts = [0];
  let [at, filled] = [0, 0];
  for (const { blocks, weight } of weighed) {
    while (at < blocks) {
      const width = Math.min(blocks - at, Math.max(1, Math.floor((room - filled) / density)));
      at += width;
      filled += width * density;
      if (filled + density <= room) continue;
      starts.push(at);
      filled = 0;
    }
    density -= weight;
  }
  const last = weighed.at(-1)?.blocks ?? 0;
  return starts.filter((start) => start === 0 || start < last);
}

export const rangeOf = (starts: readonly number[], chunk: number): BlockRange => ({
  start: starts[chunk] ?? 0,
  end: starts[chunk + 1] ?? null,
});
