/** Tables of the destination that stand where a pipeline wants to write, with rows that increp did not write. */
import { describeTables } from '../postgres/catalog.ts';
import type { Database } from '../postgres/database.ts';
import { tableKey, type TableName } from '../schema/names.ts';
import { isReadableTable } from '../schema/relations.ts';
import { stateTable } from '../sql/state.ts';
import { readStateRows } from '../sync/facts/state-rows.ts';
import { countedRows } from '../sync/facts/populated-tables.ts';
import { rowsText } from '../report/reasons.ts';

export interface Stranger {
  readonly name: string;
  /** In words. */
  readonly rows: string;
}

/** No pipeline has this name: whichever has a state of a table counts. */
const NOBODY = '';

export function findStrangers(destination: Database, tables: readonly string[]): Promise<Stranger[]> {
  const { schema } = destination.settings;
  const names = tables.map((table): TableName => ({ schema, table }));
  return destination.withReading(async (client) => {
    const relations = await describeTables(client, [...names, stateTable(schema)]);
    const there = names.filter((name) => isReadableTable(relations.get(tableKey(name))));
    const hasStates = isReadableTable(relations.get(tableKey(stateTable(schema))));
    const stateOf = await readStateRows(
      client,
      NOBODY,
      hasStates ? there.map((name) => ({ destinationName: name, stateName: name })) : [],
    );
    const unknown = there.filter((name) => !stateOf({ destinationName: name, stateName: name }).isTaken);
    const counts = await countedRows(client, unknown);
    return unknown.flatMap(({ table }, index) => {
      const counted = counts[index];
      return counted && counted.rows !== 0 ? [{ name: table, rows: rowsText(counted) }] : [];
    });
  });
}
