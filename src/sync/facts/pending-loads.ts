/** Reads interrupted loads in chunks from the destination. */
import type pg from 'pg';
import * as z from 'zod';
import { tableKey, type TableName } from '../../schema/names.ts';
import { loadHeaderSchema, type PendingLoad } from '../../schema/pending-load.ts';
import { readLoads } from '../../sql/loads.ts';

const loadRow = z.object({
  schema: z.string(),
  table: z.string(),
  id: z.string(),
  header: z.unknown(),
  stagingFilenode: z.string().nullable(),
  done: z.array(z.number()),
  lastAt: z.date(),
});

/** By `tableKey` of the destination table. */
export async function readPendingLoads(
  client: pg.ClientBase,
  tables: readonly TableName[],
): Promise<Map<string, PendingLoad>> {
  if (tables.length === 0) return new Map();
  const { rows } = await client.query(readLoads(tables));
  return new Map(
    rows
      .map((row) => loadRow.parse(row))
      .map(({ schema, table, header, ...load }) => [
        tableKey({ schema, table }),
        { ...load, header: loadHeaderSchema.safeParse(header).data },
      ]),
  );
}
