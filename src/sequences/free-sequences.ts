/** Finds sequences of the source whose values `increp sequences` does not carry over, because no copied column draws from them. */
import * as z from 'zod';
import type { TableSettings } from '../config/settings.ts';
import { destinationOf } from '../config/tables/table-mapping.ts';
import { tableKey, type TableName } from '../schema/names.ts';
import { isCopied } from '../schema/selection.ts';
import { LAST_VALUES_OF, SEQUENCES_IN } from '../sql/sequences.ts';
import type { Gathering } from '../sync/facts/facts.ts';
import { drawsPlainly } from './drawn-sequences.ts';
import type { ColumnReading } from './drawn-columns.ts';

const lastValue = z.object({
  schema: z.string(),
  sequence: z.string(),
  increment: z.string(),
  /** Null if it was never used, or if the role may not read it. */
  last: z.string().nullable(),
  canRead: z.boolean(),
});

type LastValue = z.infer<typeof lastValue>;

const sourceRow = lastValue.extend({
  users: z.array(z.object({ schema: z.string(), table: z.string(), column: z.string() })),
});

export interface FreeSequence {
  /** At the source. */
  readonly name: TableName;
  readonly last: string | null;
  /** The name that it has, or would have, at the destination. */
  readonly there: TableName;
  readonly isMissing: boolean;
}

/** Leaves out sequences that only columns without a copy use. */
export async function findFreeSequences(
  { settings, source, destination }: Pick<Gathering, 'settings' | 'source' | 'destination'>,
  tables: readonly TableSettings[],
  { here }: Pick<ColumnReading, 'here'>,
): Promise<readonly FreeSequence[]> {
  const byKey = new Map(tables.map((table) => [tableKey(table.source), table]));
  const schemas = new Map(
    tables.map((table) => [table.source.schema, destinationOf(settings.destination, table).schema]),
  );
  const { rows } = await source.withReading((client) => client.query(SEQUENCES_IN, [[...schemas.keys()]]));
  const followed = new Set(here.filter(drawsPlainly).map(({ name }) => tableKey(name)));
  const isUsed = ({ schema, table, column }: TableName & { readonly column: string }) => {
    const synced = byKey.get(tableKey({ schema, table }));
    return synced !== undefined && isCopied(synced.selection, column);
  };
  const free = z
    .array(sourceRow)
    .parse(rows)
    .map((row) => ({
      row,
      name: { schema: row.schema, table: row.sequence },
      there: { schema: schemas.get(row.schema) ?? row.schema, table: row.sequence },
    }))
    .filter(
      ({ row, name }) => !followed.has(tableKey(name)) && (row.users.length === 0 || row.users.some(isUsed)),
    );
  if (free.length === 0) return [];
  const found = await destination.withReading((client) =>
    client.query(LAST_VALUES_OF, [
      free.map(({ there }) => there.schema),
      free.map(({ there }) => there.table),
    ]),
  );
  const values = new Map(
    z
      .array(lastValue)
      .parse(found.rows)
      .map((row) => [tableKey({ schema: row.schema, table: row.sequence }), row]),
  );
  return free.flatMap(({ row, name, there }) => {
    const value = values.get(tableKey(there));
    return value && follows(value, row) ? [] : [{ name, last: row.last, there, isMissing: !value }];
  });
}

/** Whether the destination gives out no number that the source has given out. */
function follows(there: LastValue, here: LastValue): boolean {
  if (!here.canRead) return false;
  if (here.last === null) return true;
  if (there.last === null) return false;
  return here.increment.startsWith('-')
    ? BigInt(there.last) <= BigInt(here.last)
    : BigInt(there.last) >= BigInt(here.last);
}
