/** Reads indexes, constraints and defaults of tables. */
import * as z from 'zod';
import { tableKey, type TableName } from '../schema/names.ts';
import type { TableObjects } from '../schema/table-objects.ts';
import { describeObjects } from '../sql/table-objects.ts';
import { batchesOf } from './batches.ts';
import { askAll } from './catalog-question.ts';
import type { Database } from './database.ts';

const names = z.array(z.string());
const comment = z.string().nullable();
const tableName = z.object({ schema: z.string(), table: z.string() });

const objectsRow = z
  .object({
    schema: z.string(),
    table: z.string(),
    kind: z.string(),
    columns: z.array(z.object({ name: z.string(), type: z.string() })),
    indexes: z.array(
      z.object({
        name: z.string(),
        isUnique: z.boolean(),
        isValid: z.boolean(),
        comment,
        definition: z.string().nullable(),
        columns: names,
        printed: names,
        uses: names,
        isPlain: z.boolean(),
        constraint: z
          .object({
            name: z.string(),
            type: z.enum(['p', 'u', 'x']),
            isDeferrable: z.boolean(),
            isDeferred: z.boolean(),
            comment,
            definition: z.string(),
          })
          .nullable(),
      }),
    ),
    checks: z.array(
      z.object({ name: z.string(), definition: z.string(), columns: names, isValid: z.boolean(), comment }),
    ),
    foreignKeys: z.array(
      z.object({
        name: z.string(),
        columns: names,
        parent: tableName,
        parentColumns: names,
        rest: z.string().nullable(),
        isValid: z.boolean(),
        comment,
      }),
    ),
    defaults: z.array(z.object({ column: z.string(), expression: z.string(), hasSequence: z.boolean() })),
  })
  .transform(({ schema, table, ...rest }): TableObjects => ({ ...rest, name: { schema, table } }));

/** By `tableKey`. Tables that do not exist are missing. */
export async function readObjects(
  database: Database,
  tables: readonly TableName[],
): Promise<ReadonlyMap<string, TableObjects>> {
  const found = new Map<string, TableObjects>();
  for (const batch of batchesOf(tables)) {
    const [rows] = await database.withReading((client) =>
      askAll(client, [{ statement: describeObjects(batch), read: (all) => z.array(objectsRow).parse(all) }]),
    );
    for (const objects of rows) found.set(tableKey(objects.name), objects);
  }
  return found;
}
