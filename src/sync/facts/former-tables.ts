/** Finds the table that a new destination table replaces, after a change of `dest_name` or `dest_schema`. */
import * as z from 'zod';
import { destinationOf } from '../../config/tables/table-mapping.ts';
import type { TableSettings } from '../../config/settings.ts';
import type { SchemaAccess } from '../../postgres/catalog.ts';
import { isSameTable, printName, tableKey, type TableName } from '../../schema/names.ts';
import { statementLines } from '../../report/text.ts';
import { tableCommand } from '../../shell-word.ts';
import { schemaStatement } from '../../sql/destination.ts';
import { formerTablesOf } from '../../sql/state.ts';
import type { RunContext } from '../context/run-context.ts';
import { renameTo } from './renamed-tables.ts';
import type { SavedState } from './saved-state.ts';
import { readStateSchemas } from './state-schemas.ts';

interface UnsyncedTable {
  readonly sourceName: TableName;
  readonly destination: unknown;
  readonly saved: SavedState;
  readonly isNewSchema: boolean;
  readonly settings: Pick<TableSettings, 'destinationSchema'>;
}

const name = z.object({ schema: z.string(), table: z.string() });
const formerRows = z.array(z.object({ source: name, destination: name }));

/**
 * A former table that was dropped does not count. If the place of the whole pipeline is new, `findElsewhere` finds the former
 * one, and only a state file shows that a table was there.
 */
export async function findFormer<T extends UnsyncedTable>(
  { settings, destination }: Pick<RunContext, 'settings' | 'destination'>,
  tables: readonly T[],
): Promise<ReadonlyMap<T, TableName>> {
  const asked = tables.filter(
    ({ destination: relation, saved, isNewSchema, settings: { destinationSchema } }) =>
      !relation &&
      saved.kind === 'none' &&
      (!isNewSchema || destinationSchema !== undefined || saved.why.code === 'state-file-of-another-table'),
  );
  if (asked.length === 0) return new Map();
  const sources = asked.map(({ sourceName }) => sourceName);
  const rows = await destination.withReading(async (client) => {
    const { readable } = await readStateSchemas(client);
    if (readable.length === 0) return [];
    return (await client.query(formerTablesOf(readable, settings.pipeline, sources))).rows;
  });
  const own = settings.tables.map((table) => destinationOf(settings.destination, table));
  const former = new Map(
    formerRows
      .parse(rows)
      .filter((row) => !own.some((other) => isSameTable(other, row.destination)))
      .map((row) => [tableKey(row.source), row.destination]),
  );
  return new Map(
    asked.flatMap((table) => {
      const found = former.get(tableKey(table.sourceName));
      return found ? [[table, found] as const] : [];
    }),
  );
}

/** The name of the former table says more than the warning about its state file. */
export const withFormer = <T extends Pick<UnsyncedTable, 'saved'>>(
  table: T,
  former: TableName | undefined,
): T & Pick<WithFormer, 'former'> =>
  former !== undefined && table.saved.kind === 'none'
    ? { ...table, former, saved: { ...table.saved, warnings: [] } }
    : { ...table, former };

interface WithFormer {
  readonly former?: TableName | undefined;
  readonly destinationName: TableName;
  readonly destinationSchema: Pick<SchemaAccess, 'exists'>;
  readonly settings: Pick<TableSettings, 'name'>;
}

const stays = (former: TableName): string =>
  `the former destination table ${printName(former)} stays at the destination and is no longer synced`;

/** Before the load: the former table can still get the new name. */
export const formerTableNote = ({
  former,
  destinationName,
  destinationSchema,
  settings,
}: WithFormer): string[] =>
  former === undefined
    ? []
    : [
        `${stays(former)}. To use it instead of a new table, rename it before the next sync. At the destination, run:${statementLines([...(destinationSchema.exists ? [] : [schemaStatement(destinationName.schema)]), ...renameTo(former, destinationName)])}\nThen run "${tableCommand('sync', settings.name, '--adopt')}".`,
      ];

export const formerTableWarning = ({ former }: Pick<WithFormer, 'former'>): string[] =>
  former === undefined ? [] : [`${stays(former)}. If it is not needed, drop it.`];
