/** Maps source tables to destination tables: schemas and names. Pure. */
import { printName, type TableName } from '../../schema/names.ts';
import type { ConnectionSettings, TableSettings } from '../settings.ts';

export type DefaultSchema = Pick<ConnectionSettings, 'schema' | 'isSchemaGiven'>;

interface Placed {
  readonly source: Pick<TableName, 'schema'>;
  readonly destinationSchema: string | undefined;
  readonly destinationTable: string;
}

/** DEST_SCHEMA defaults to SOURCE_SCHEMA. In the same way, a table of another schema keeps its schema. */
export const destinationOf = (
  destination: DefaultSchema,
  { source, destinationSchema, destinationTable }: Placed,
): TableName => ({
  schema: destinationSchema ?? (destination.isSchemaGiven ? destination.schema : source.schema),
  table: destinationTable,
});

/** The name of a table in messages. The schema of the pipeline is left out. */
export const labelOf = (table: TableName, home: Pick<DefaultSchema, 'schema'>): string =>
  table.schema === home.schema ? table.table : printName(table);

/** The name of the destination table in the state files and in both histories. */
export const recordNameOf = (
  { destination }: { readonly destination: DefaultSchema },
  table: Pick<TableSettings, 'source' | 'destinationSchema' | 'destinationTable'>,
): string => labelOf(destinationOf(destination, table), destination);
