/** What planning needs to know about each table. */
import type { SessionParameters, TableSettings } from '../../config/settings.ts';
import type { IncrepError } from '../../errors.ts';
import type { SchemaAccess } from '../../postgres/catalog.ts';
import type { Endpoint } from '../../postgres/endpoint.ts';
import type { ServerIdentity } from '../../postgres/identity.ts';
import type { TableName } from '../../schema/names.ts';
import type { NativeTypes } from '../../schema/native-types.ts';
import type { PendingLoad } from '../../schema/pending-load.ts';
import type { Relation } from '../../schema/relations.ts';
import type { RowSource } from '../../sql/row-source.ts';
import type { StateFile } from '../../state/state-files.ts';
import type { RunContext } from '../context/run-context.ts';
import type { DestinationSchema } from './describe-destination.ts';
import type { RenamedTable } from './renamed-tables.ts';
import type { SavedState } from './saved-state.ts';
import type { RenameElsewhere } from './source-renames.ts';
import type { SourceChanges } from './source-changes.ts';
import type { Selected } from './source-selection.ts';
import type { SwapSign } from './swap-signs.ts';
import type { TableNames } from './table-names.ts';
import type { Unclaimed } from './unclaimed.ts';

export interface Servers {
  readonly source: ServerIdentity;
  readonly destination: ServerIdentity;
}

/** The facts for reading rows of the source, and for merging and comparing them at the destination. */
export interface CopyFacts {
  readonly pipeline: string;
  readonly settings: TableSettings;
  readonly sourceName: TableName;
  /** The table, or the part of it that the entry selects. */
  readonly source: Relation | undefined;
  /** The copied rows, as a FROM item. */
  readonly sourceRows: RowSource;
  readonly selected: Selected;
  /** The table that receives the rows. */
  readonly destinationName: TableName;
  readonly destination: Relation | undefined;
  readonly stagingName: TableName;
  readonly staging: Relation | undefined;
  /** Empty unless `types` is "native". */
  readonly natives: NativeTypes;
  readonly saved: SavedState;
  readonly servers: Servers;
}

export interface TableFacts extends CopyFacts, TableNames {
  /** All columns of the table, including columns that are not selected. Undefined for a query. */
  readonly sourceColumns: readonly string[] | undefined;
  /** A table `windowName` that increp did not create: its own table exists only within a transaction. */
  readonly window: Relation | undefined;
  /** Whether the destination table has rows of this pipeline. */
  readonly destinationHasRows: boolean;
  /** The rows of a table without a state of increp. Undefined if there is a state, or if the table is empty. */
  readonly unclaimed: Unclaimed | undefined;
  /** Why source and destination are probably swapped, if the table was never synced. */
  readonly swapSign?: SwapSign | undefined;
  /** The tables that may be the missing destination table under another name. */
  readonly renamedTo: readonly RenamedTable[];
  /** The destination table of an earlier `dest_name` or `dest_schema`, if the next sync creates a new one. */
  readonly former?: TableName | undefined;
  /** What has become of the source table and of its partitions since the last sync. Undefined if they are as before. */
  readonly sourceChanges?: SourceChanges | undefined;
  /** Columns of other tables that its query names by their former names. */
  readonly queryRenames?: readonly RenameElsewhere[] | undefined;
  /** Why `merge` cannot be used. */
  readonly mergeFault: IncrepError | undefined;
  /** Whether the pipeline has no state in the schema of the destination table. */
  readonly isNewSchema: boolean;
  /** The name under which its state was found, if that is not `stateName`. */
  readonly formerStateName: string | undefined;
  /** Whether it has rows of other pipelines. Checked only if the column that names the pipeline was removed. */
  readonly hasOthersRows: boolean;
  /** An interrupted load in chunks. */
  readonly pendingLoad: PendingLoad | undefined;
  readonly stateFile: StateFile;
  readonly sourceSchema: SchemaAccess;
  readonly destinationSchema: SchemaAccess;
  /** Whether the state table in the schema of the destination table exists, and may be read. */
  readonly stateTable: 'none' | 'unreadable' | 'readable';
  /** Relations of the source's schema, if the configured one is not among them. */
  readonly otherSourceNames: readonly string[];
  /** Whether the source lacks all tables of the pipeline, and none of them has another name there now. */
  readonly lacksAllTables: boolean;
  /** For commands in messages. */
  readonly destinationEndpoint: Endpoint;
  readonly sourcePassword: string | undefined;
  readonly sourceParameters: SessionParameters;
}

/** A table whose facts could not be read from a server or from the state directory. */
export interface TableFailure {
  readonly settings: TableSettings;
  readonly error: IncrepError;
}

export interface Facts {
  readonly servers: Servers;
  /** Schemas of the destination: DEST_SCHEMA, and those of the destination tables. */
  readonly schemas: ReadonlyMap<string, DestinationSchema>;
  readonly tables: readonly TableFacts[];
  readonly failures: readonly TableFailure[];
}

/** In the order of tables-config.json. */
export function inOrder<T extends { readonly settings: TableSettings }>(
  unordered: readonly T[],
  tables: readonly TableSettings[],
): T[] {
  const place = new Map(tables.map(({ name }, index) => [name, index]));
  const placeOf = ({ settings: { name } }: T): number => place.get(name) ?? 0;
  return unordered.toSorted((one, other) => placeOf(one) - placeOf(other));
}

export type Gathering = Pick<RunContext, 'settings' | 'source' | 'destination' | 'stateFiles' | 'byService'>;

export const isKnown = (table: TableFacts | TableFailure): table is TableFacts => !isUnknown(table);
export const isUnknown = (table: TableFacts | TableFailure): table is TableFailure => 'error' in table;
