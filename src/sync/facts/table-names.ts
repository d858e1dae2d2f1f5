/** The names of a table: at the source, at the destination, and in state files and histories. Pure. */
import type { TableSettings } from '../../config/settings.ts';
import { recordNameOf, destinationOf } from '../../config/tables/table-mapping.ts';
import { sharedName, stagingName, windowName, type TableName } from '../../schema/names.ts';
import { isShared } from '../../schema/row-identity.ts';
import type { RunContext } from '../context/run-context.ts';

export interface TableNames {
  readonly sourceName: TableName;
  /** The table that receives the rows. */
  readonly destinationName: TableName;
  /** The name of the destination table in state files and histories. */
  readonly recordName: string;
  /** The name under which increp keeps its state, its loads and its lock. */
  readonly stateName: TableName;
  readonly stagingName: TableName;
  /** The table for the changes that a load in chunks reads after the last chunk. */
  readonly windowName: TableName;
}

export function tableNames({ settings }: Pick<RunContext, 'settings'>, table: TableSettings): TableNames {
  const destinationName = destinationOf(settings.destination, table);
  const { schema } = destinationName;
  const own = isShared(table) ? sharedName(destinationName.table, settings.pipeline) : destinationName.table;
  return {
    sourceName: table.source,
    destinationName,
    recordName: recordNameOf(settings, table),
    stateName: { schema, table: own },
    stagingName: { schema, table: stagingName(own) },
    windowName: { schema, table: windowName(own) },
  };
}
