/** Finds the columns that give out numbers, and reads their sequences on both sides. */
import type { TableSettings } from '../config/settings.ts';
import { done, type IncrepError } from '../errors.ts';
import { derivedName, distinctTables, tableKey, type TableName } from '../schema/names.ts';
import { destinationColumn, expressionOf, isCopied } from '../schema/selection.ts';
import type { Gathering } from '../sync/facts/facts.ts';
import { tableNames } from '../sync/facts/table-names.ts';
import { withHolders } from '../sync/lock/lock-holders.ts';
import { drawsPlainly, readDrawnSequences, type DrawnSequence } from './drawn-sequences.ts';

export interface ColumnReading {
  /** The sequences of the source that columns of readable tables draw from. */
  readonly here: readonly DrawnSequence[];
  readonly drawn: readonly DrawnColumn[];
  /** By the name of the table: why its sequences could not be read. */
  readonly unread: ReadonlyMap<string, IncrepError>;
}

/** A table that another session locks, for example, does not stop the other tables. */
export async function readColumns(
  context: Gathering,
  tables: readonly TableSettings[],
): Promise<ColumnReading> {
  const nameOf = (settings: TableSettings) => tableNames(context, settings).destinationName;
  const [here, there] = await Promise.all([
    readDrawnSequences(context.source, distinctTables(tables.map(({ source }) => source))),
    readDrawnSequences(context.destination, tables.map(nameOf)),
  ]);
  const drawn: DrawnColumn[] = [];
  const unread = new Map<string, IncrepError>();
  for (const settings of tables) {
    const names = tableNames(context, settings);
    const own = here.get(tableKey(settings.source)) ?? done([]);
    const found = there.get(tableKey(names.destinationName)) ?? done([]);
    if (own.kind === 'failed') unread.set(settings.name, await withHolders(context, names, own.error));
    else if (found.kind === 'failed')
      unread.set(settings.name, await withHolders(context, names, found.error));
    else drawn.push(...columnsOf(settings, names.destinationName, { here: own.value, there: found.value }));
  }
  return { here: [...here.values()].flatMap((own) => (own.kind === 'done' ? own.value : [])), drawn, unread };
}

/** A column of a destination table that gives out numbers, or whose source does. */
export interface DrawnColumn {
  readonly settings: TableSettings;
  readonly destinationName: TableName;
  readonly column: string;
  readonly here: DrawnSequence | undefined;
  readonly there: DrawnSequence | undefined;
  readonly sequence: TableName;
}

function columnsOf(
  settings: TableSettings,
  destinationName: TableName,
  { here, there }: Readonly<Record<'here' | 'there', readonly DrawnSequence[]>>,
): DrawnColumn[] {
  const { selection } = settings;
  const usable = here.filter(
    (each) =>
      drawsPlainly(each) &&
      isCopied(selection, each.column) &&
      expressionOf(selection, each.column) === undefined,
  );
  const names = [
    ...new Set([
      ...usable.map(({ column }) => destinationColumn(selection, column)),
      ...there.map(({ column }) => column),
    ]),
  ];
  return names.map((column) => {
    const own = usable.find((each) => destinationColumn(selection, each.column) === column);
    const found = there.find((each) => each.column === column);
    const sequence = found?.name ?? {
      schema: destinationName.schema,
      table: own?.name.table ?? derivedName(destinationName.table, `_${column}_seq`),
    };
    return { settings, destinationName, column, here: own, there: found, sequence };
  });
}
