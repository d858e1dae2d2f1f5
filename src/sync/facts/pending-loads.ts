/** Reads interrupted loads in chunks from the destination. */
import * as z from 'zod';
import type { CatalogQuestion } from '../../postgres/catalog-question.ts';
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
export const loadsQuestion = (tables: readonly TableName[]): CatalogQuestion<Map<string, PendingLoad>> => ({
  statement: tables.length === 0 ? undefined : readLoads(tables),
  read: (rows) =>
    new Map(
      rows
        .map((row) => loadRow.parse(row))
        .map(({ schema, table, header, ...load }) => [
          tableKey({ schema, table }),
          { ...load, header: loadHeaderSchema.safeParse(header).data },
        ]),
    ),
});
