import { expect, test } from 'vitest';
import { chunkStarts, rangeOf, type Heap, type Leaf } from '../../../src/schema/heap.ts';

const leaf = (blocks: number, more: Partial<Leaf> = {}): Leaf => ({
  oid: '1',
  filenode: '1',
  blocks,
  bytes: blocks * 8192,
  rowsPerBlock: 50,
  ...more,
});
const heap = (...leaves: Leaf[]): Heap => ({ leaves, blockSize: 8192, hasOtherStorage: false });

/** Bytes of each chunk. */
function sizes(of: Heap, starts: readonly number[]): number[] {
  const overlap = (blocks: number, chunk: number) => {
    const { start, end } = rangeOf(starts, chunk);
    return Math.max(0, Math.min(blocks, end ?? Infinity) - start);
  };
  return starts.map((_, chunk) =>
    of.leaves.reduce(
      (sum, { blocks, bytes }) => sum + (blocks === 0 ? 0 : (overlap(blocks, chunk) * bytes) / blocks),
      0,
    ),
  );
}

test('a table is cut evenly, and its last chunk has no end', () => {
  const starts = chunkStarts(heap(leaf(100)), { bytes: 30 * 8192 });
  expect(starts).toEqual([0, 30, 60, 90]);
  expect(rangeOf(starts, 1)).toEqual({ start: 30, end: 60 });
  expect(rangeOf(starts, 3)).toEqual({ start: 90, end: null });
});

test('a table no larger than a chunk, or without a page, is one chunk', () => {
  expect(chunkStarts(heap(leaf(100)), { bytes: 100 * 8192 })).toEqual([0]);
  expect(chunkStarts(heap(leaf(0)), { rows: 1 })).toEqual([0]);
  expect(chunkStarts(heap(), { rows: 1 })).toEqual([0]);
});

test('what is stored out of line counts', () => {
  expect(chunkStarts(heap(leaf(10, { bytes: 100 * 8192 })), { bytes: 50 * 8192 })).toEqual([0, 5]);
});

test('rows are counted by their density, or guessed', () => {
  expect(chunkStarts(heap(leaf(100, { rowsPerBlock: 10 })), { rows: 500 })).toEqual([0, 50]);
  expect(chunkStarts(heap(leaf(100, { rowsPerBlock: null })), { rows: 2560 })).toEqual([0, 50]);
});

test('however unequal the leaves are, no chunk is much larger than asked for, and few are smaller', () => {
  const of = heap(leaf(0), leaf(1), ...Array.from({ length: 50 }, () => leaf(40)), leaf(5000), leaf(70_000));
  const room = 1000 * 8192;
  const starts = chunkStarts(of, { bytes: room });
  const found = sizes(of, starts);
  expect(found.reduce((sum, size) => sum + size, 0)).toBe((1 + 2000 + 75_000) * 8192);
  expect(Math.max(...found)).toBeLessThanOrEqual(room);
  expect(starts.length).toBeLessThan(77 * 1.1);
});

test('a chunk that is absurdly small grows instead of making millions of them', () => {
  expect(chunkStarts(heap(leaf(10_000_000)), { rows: 1 }).length).toBeLessThanOrEqual(10_001);
  const wide = heap(...Array.from({ length: 1000 }, () => leaf(50)));
  expect(chunkStarts(wide, { bytes: 1 }).length).toBe(50);
});
