/** The pages of a table, and how a load of it is cut into chunks: pure. */

/** A table that has rows of its own: itself, a child, a partition. */
export interface Leaf {
  readonly oid: string;
  /** Of the file that holds its pages: another one means that the numbers of its blocks mean something else. */
  readonly filenode: string;
  readonly blocks: number;
  /** With what is stored out of line. */
  readonly bytes: number;
  /** As of the last VACUUM or ANALYZE; null where there was none. */
  readonly rowsPerBlock: number | null;
}

export interface Heap {
  readonly leaves: readonly Leaf[];
  /** Bytes. */
  readonly blockSize: number;
  /** True where some of it is kept otherwise than in pages of rows. */
  readonly hasOtherStorage: boolean;
}

/** Pages of all leaves at the same places, `end` left out; null: to the end, however far that is by then. */
export interface BlockRange {
  readonly start: number;
  readonly end: number | null;
}

/** Where nothing is known of the rows they are taken to be this long, in bytes: a chunk is then a few times off. */
const USUAL_ROW_BYTES = 160;

/** A row in the progress and a look at the source for each; beyond this the chunks grow instead. */
const MAX_CHUNKS = 10_000;

/**
 * The first block of each chunk. Not evenly wide: a range of blocks is read from all leaves, and one partition may be
 * a thousand times as long as another, so that the same width would mean much at first and next to nothing later.
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
