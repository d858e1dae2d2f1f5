import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { readCopyBlock } from '../../../src/postgres/dump-reader.ts';

const ORDERS = { schema: 'public', table: 'orders' };
const HEAD = 'SET row_security = off;\n\nCOPY public.orders (id, "a ""b""") FROM stdin;\n';
const TAIL = '\\.\n\n\n--\n-- PostgreSQL database dump complete\n--\n\n';

/** In pieces of that many bytes. */
function inPieces(text: string, size: number): Readable {
  const bytes = Buffer.from(text);
  const count = Math.ceil(bytes.length / size);
  return Readable.from(
    Array.from({ length: count }, (_, index) => bytes.subarray(index * size, (index + 1) * size)),
  );
}

const SIZES = [1, 2, 3, 4, 5, 6, 7, 11, 64, 10_000];

test.each([
  ['none', ''],
  ['one', '1\tx\n'],
  ['several', '1\tx\n2\t\\\\.\n3\t\\N\n'],
  ['rows that look like the end', '\\\\.\tx\n.\t\\\\.\n'],
])('rows (%s) arrive whole, wherever a piece ends', async (_what, rows) => {
  for (const size of SIZES) {
    const block = await readCopyBlock(inPieces(`${HEAD}${rows}${TAIL}`, size), ORDERS);
    expect(block.columns).toEqual(['id', 'a "b"']);
    expect((await buffer(block.rows)).toString(), `in pieces of ${size}`).toBe(rows);
  }
});

test.each([
  ['1\tx\n2\t', 'ends in the middle of its rows'],
  ['1\tx\n\\.', 'ends in the middle of its rows'],
])('a dump that is cut off is an error: %j', async (rows, message) => {
  for (const size of SIZES) {
    const { rows: stream } = await readCopyBlock(inPieces(`${HEAD}${rows}`, size), ORDERS);
    await expect(buffer(stream)).rejects.toThrow(message);
  }
});
