/** The pages of a table at the source, and whether its rows are still in the same files. */
import type pg from 'pg';
import * as z from 'zod';
import type { Heap } from '../schema/heap.ts';
import { DESCRIBE_HEAP, REWRITTEN, TABLE_SIZES } from '../sql/heap.ts';

const heapRow = z.object({
  blockSize: z.number(),
  hasOtherStorage: z.boolean(),
  leaves: z.array(
    z.object({
      oid: z.string(),
      filenode: z.string().nullable(),
      blocks: z.number().nullable(),
      bytes: z.number().nullable(),
      rowsPerBlock: z.number().nullable(),
    }),
  ),
});

export async function describeHeap(client: pg.ClientBase, oid: string): Promise<Heap> {
  const { leaves, ...heap } = heapRow.parse((await client.query(DESCRIBE_HEAP, [oid])).rows[0]);
  // The table was dropped after the catalog was read.
  const isThere = leaves.filter(({ filenode }) => filenode !== null);
  return {
    ...heap,
    leaves: isThere.map(({ oid: leaf, filenode, blocks, bytes, rowsPerBlock }) => ({
      oid: leaf,
      filenode: filenode ?? '',
      blocks: blocks ?? 0,
      bytes: bytes ?? 0,
      rowsPerBlock,
    })),
  };
}

const sizeRow = z.object({ oid: z.string(), bytes: z.number() });

/** Bytes of the rows of each table, including TOAST, by oid. */
export async function measureTables(
  client: pg.ClientBase,
  oids: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await client.query(TABLE_SIZES, [oids]);
  return new Map(
    z
      .array(sizeRow)
      .parse(rows)
      .map(({ oid, bytes }) => [oid, bytes]),
  );
}

/** The names of tables whose rows were rewritten into another file: by TRUNCATE, VACUUM FULL, CLUSTER or REFRESH. */
export async function rewrittenLeaves(
  client: pg.ClientBase,
  leaves: readonly { readonly oid: string; readonly filenode: string }[],
): Promise<string[]> {
  const { rows } = await client.query(REWRITTEN, [
    leaves.map(({ oid }) => oid),
    leaves.map(({ filenode }) => filenode),
  ]);
  return z
    .array(z.object({ name: z.string() }))
    .parse(rows)
    .map(({ name }) => name);
}
