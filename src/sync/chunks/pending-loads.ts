/** Loads in chunks that were broken off, as the destination tells of them. */
import type pg from 'pg';
import { z } from 'zod';
import { loadHeaderSchema, type PendingLoad } from '../../schema/pending-load.ts';
import { readLoads } from '../../sql/loads.ts';

const loadRow = z.object({
  table: z.string(),
  id: z.string(),
  header: z.unknown(),
  stagingFilenode: z.string().nullable(),
  done: z.array(z.number()),
});

/** By destination table. */
export async function readPendingLoads(
  client: pg.ClientBase,
  schema: string,
  tables: readonly string[],
): Promise<Map<string, PendingLoad>> {
  const { rows } = await client.query(readLoads(schema), [tables]);
  return new Map(
    rows
      .map((row) => loadRow.parse(row))
      .map(({ table, header, ...load }) => [
        table,
        { ...load, header: loadHeaderSchema.safeParse(header).data },
      ]),
  );
}
