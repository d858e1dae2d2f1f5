/** Finds destination tables with rows that increp did not write. */
import { inBatches } from '../postgres/batches.ts';
import { describeTables } from '../postgres/catalog.ts';
import type { Database } from '../postgres/database.ts';
import { tableKey, type TableName } from '../schema/names.ts';
import { isReadableTable } from '../schema/relations.ts';
import { stateTable } from '../sql/state.ts';
import { readStateRows } from '../sync/facts/state-rows.ts';
import { countedRows } from '../sync/facts/populated-tables.ts';
import { rowsText } from '../report/reasons.ts';

export interface UnclaimedTable {
  readonly name: string;
  /** As text. */
  readonly rows: string;
}

/** A pipeline name that does not exist, so that a state of any pipeline counts. */
const NO_PIPELINE = '';

export async function findUnclaimedTables(
  destination: Database,
  tables: readonly string[],
): Promise<UnclaimedTable[]> {
  // A table that cannot be read is left out here. Its sync reports why.
  const found = await inBatches(tables, (batch) => unclaimedAmong(destination, batch));
  return found.flatMap((result) => (result.kind === 'done' ? (result.value ?? []) : []));
}

/** Undefined for a table that is missing, empty, or known to increp. */
function unclaimedAmong(
  destination: Database,
  tables: readonly string[],
): Promise<(UnclaimedTable | undefined)[]> {
  const { schema } = destination.settings;
  const names = tables.map((table): TableName => ({ schema, table }));
  return destination.withReading(async (client) => {
    const relations = await describeTables(client, [...names, stateTable(schema)]);
    const there = names.filter((name) => isReadableTable(relations.get(tableKey(name))));
    const hasStates = isReadableTable(relations.get(tableKey(stateTable(schema))));
    const stateOf = await readStateRows(
      client,
      NO_PIPELINE,
      hasStates ? there.map((name) => ({ destinationName: name, stateName: name })) : [],
    );
    const unknown = there.filter((name) => !stateOf({ destinationName: name, stateName: name }).isTaken);
    const counts = await countedRows(client, unknown);
    return names.map((name) => {
      const counted = counts[unknown.indexOf(name)];
      return counted && counted.rows !== 0 ? { name: name.table, rows: rowsText(counted) } : undefined;
    });
  });
}
