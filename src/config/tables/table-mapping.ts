/** Where tables live on the two sides, and what they are called: pure. */
import { printName, type TableName } from '../../schema/names.ts';
import type { ConnectionSettings, TableSettings } from '../settings.ts';

export type Home = Pick<ConnectionSettings, 'schema' | 'isSchemaGiven'>;

interface Placed {
  readonly source: Pick<TableName, 'schema'>;
  readonly destinationSchema: string | undefined;
  readonly destinationName: string;
}

/** As DEST_SCHEMA is SOURCE_SCHEMA where it is not given, so a table of another schema keeps its own. */
export const destinationOf = (
  destination: Home,
  { source, destinationSchema, destinationName }: Placed,
): TableName => ({
  schema: destinationSchema ?? (destination.isSchemaGiven ? destination.schema : source.schema),
  table: destinationName,
});

/** A table as people call it: its schema goes without saying where that is the pipeline's. */
export const labelOf = (table: TableName, home: Pick<Home, 'schema'>): string =>
  table.schema === home.schema ? table.table : printName(table);

/** What the state files and both histories call the copy of a table. */
export const copyNameOf = (
  { destination }: { readonly destination: Home },
  table: Pick<TableSettings, 'source' | 'destinationSchema' | 'destinationName'>,
): string => labelOf(destinationOf(destination, table), destination);
