/** Everything that planning needs, gathered for all tables in a few queries. Writes nothing anywhere. */
import type { TableSettings } from '../config/settings.ts';
import { describeRelations, describeSchema, relationNames, type SchemaAccess } from '../postgres/catalog.ts';
import type { ClientTools } from '../postgres/client-tools.ts';
import type { Database } from '../postgres/database.ts';
import type { ServerIdentity } from '../postgres/identity.ts';
import type { Heap } from '../schema/heap.ts';
import { sharedName, stagingName, windowName, type TableName } from '../schema/names.ts';
import type { NativeTypes } from '../schema/native-types.ts';
import type { PendingLoad } from '../schema/pending-load.ts';
import { isReadableTable, type Relation } from '../schema/relations.ts';
import { isShared } from '../schema/row-identity.ts';
import { chunksTable, loadsTable } from '../sql/loads.ts';
import { runsTable, stateTable } from '../sql/state.ts';
import type { StateFile } from '../state/state-files.ts';
import { readPendingLoads } from './chunks/pending-loads.ts';
import { gatherNativeTypes } from './native-types.ts';
import { reconcile, type Saved } from './saved-state.ts';
import { readStateRows, wasShared } from './state-rows.ts';
import { filledTables, hasSource, othersRows, ownRows } from './table-rows.ts';
import type { Work } from './work.ts';

export interface Servers {
  readonly source: ServerIdentity;
  readonly destination: ServerIdentity;
}

export interface TableFacts {
  readonly pipeline: string;
  readonly settings: TableSettings;
  readonly sourceName: TableName;
  readonly destinationName: TableName;
  /** What its state, its loads and its lock go by. */
  readonly stateName: TableName;
  readonly stagingName: TableName;
  /** Of the table into which what a load in chunks has missed is read. */
  readonly windowName: TableName;
  readonly source: Relation | undefined;
  readonly destination: Relation | undefined;
  readonly staging: Relation | undefined;
  /** Somebody else's: ours is gone when its transaction ends. */
  readonly window: Relation | undefined;
  /** Empty unless `types` is "native". */
  readonly natives: NativeTypes;
  /** Rows of this pipeline. */
  readonly destinationHasRows: boolean;
  /** The name under which its state was found, where that is another than `stateName`. */
  readonly formerStateName: string | undefined;
  /** Whether it has rows of other pipelines; looked at only where this one is to keep them apart no longer. */
  readonly hasOthersRows: boolean;
  /** A load in chunks that was broken off. */
  readonly pendingLoad: PendingLoad | undefined;
  /** Of the source; undefined while nobody has looked, because only a load in chunks has to know. */
  readonly heap: Heap | undefined;
  readonly stateFile: StateFile;
  readonly saved: Saved;
  readonly servers: Servers;
  readonly sourceSchema: SchemaAccess;
  readonly destinationSchema: SchemaAccess;
  /** Relations that the source does have, when the configured one is not among them. */
  readonly otherSourceNames: readonly string[];
  /** Undefined while nobody has looked for them. */
  readonly tools: ClientTools | undefined;
  readonly sourcePassword: string | undefined;
}

export interface Facts {
  readonly servers: Servers;
  readonly destinationSchema: SchemaAccess;
  readonly hasStateTable: boolean;
  readonly hasRunsTable: boolean;
  readonly hasLoadTables: boolean;
  readonly tables: readonly TableFacts[];
}

type Gathering = Pick<Work, 'settings' | 'source' | 'destination' | 'stateFiles'>;

export async function gatherFacts(work: Gathering, tables: readonly TableSettings[]): Promise<Facts> {
  const [source, destination] = await Promise.all([
    describeSource(work.source, tables),
    describeDestination(work, tables),
  ]);
  const servers = { source: source.server, destination: destination.server };
  const nativesOf = await gatherNativeTypes(
    work,
    tables.flatMap(({ types, name }) => (types === 'native' ? (source.relations.get(name) ?? []) : [])),
  );
  const facts = tables.map(async (settings): Promise<TableFacts> => {
    const stateFile = await work.stateFiles.read(settings.destinationName);
    const names = tableNames(work, settings);
    return {
      pipeline: work.settings.pipeline,
      settings,
      ...names,
      source: source.relations.get(settings.name),
      destination: destination.relations.get(settings.destinationName),
      staging: destination.relations.get(names.stagingName.table),
      window: destination.relations.get(names.windowName.table),
      natives: nativesOf(settings.types === 'native' ? source.relations.get(settings.name) : undefined),
      destinationHasRows: destination.filled.has(settings.destinationName),
      formerStateName: destination.stateOf(names).formerName,
      hasOthersRows: destination.withOthers.has(settings.destinationName),
      pendingLoad: destination.pendingLoads.get(names.stateName.table),
      heap: undefined,
      stateFile,
      saved: reconcile(stateFile, destination.stateOf(names), {
        pipeline: work.settings.pipeline,
        source: { database: servers.source.database, ...names.sourceName },
        destination: names.destinationName,
        systemIdentifier: servers.source.systemIdentifier,
      }),
      servers,
      sourceSchema: source.access,
      destinationSchema: destination.access,
      otherSourceNames: source.names,
      tools: undefined,
      sourcePassword: work.settings.source.password,
    };
  });
  return {
    servers,
    destinationSchema: destination.access,
    hasStateTable: destination.hasStateTable,
    hasRunsTable: destination.hasRunsTable,
    hasLoadTables: destination.hasLoadTables,
    tables: await Promise.all(facts),
  };
}

export type TableNames = Pick<
  TableFacts,
  'sourceName' | 'destinationName' | 'stateName' | 'stagingName' | 'windowName'
>;

export function tableNames({ settings }: Pick<Work, 'settings'>, table: TableSettings): TableNames {
  const { source, destination, pipeline } = settings;
  const own = isShared(table) ? sharedName(table.destinationName, pipeline) : table.destinationName;
  return {
    sourceName: { schema: source.schema, table: table.name },
    destinationName: { schema: destination.schema, table: table.destinationName },
    stateName: { schema: destination.schema, table: own },
    stagingName: { schema: destination.schema, table: stagingName(own) },
    windowName: { schema: destination.schema, table: windowName(own) },
  };
}

async function describeSource(source: Database, tables: readonly TableSettings[]) {
  const server = await source.identity();
  return source.withReading(async (client) => {
    const { schema } = source.settings;
    const access = await describeSchema(client, schema);
    const wanted = tables.map(({ name }) => name);
    const relations = await describeRelations(client, schema, wanted);
    const names = relations.size < wanted.length ? await relationNames(client, schema) : [];
    return { server, access, relations, names };
  });
}

async function describeDestination(work: Gathering, tables: readonly TableSettings[]) {
  const { destination } = work;
  const { pipeline } = work.settings;
  const server = await destination.identity();
  const names = tables.map((table) => tableNames(work, table));
  return destination.withReading(async (client) => {
    const { schema } = destination.settings;
    const access = await describeSchema(client, schema);
    const wanted = tables.map(({ destinationName }) => destinationName);
    const ours = [stateTable, runsTable, loadsTable, chunksTable].map((named) => named(schema).table);
    const relations = await describeRelations(client, schema, [
      ...wanted,
      ...names.map(({ stagingName: { table } }) => table),
      ...names.flatMap(({ windowName: { table } }, index) => (tables[index]?.chunk ? [table] : [])),
      ...ours,
    ]);
    const [hasStateTable, hasRunsTable, ...loadTables] = ours.map((name) => relations.has(name)) as [
      boolean,
      boolean,
      ...boolean[],
    ];
    const hasLoadTables = loadTables.every(Boolean);
    const stateOf = await readStateRows(client, pipeline, hasStateTable ? names : []);
    const there = tables.filter(({ destinationName }) => isReadableTable(relations.get(destinationName)));
    const parted = there.filter(
      (table) =>
        !isShared(table) &&
        hasSource(relations.get(table.destinationName)) &&
        wasShared(stateOf(tableNames(work, table))),
    );
    const loads = names.map(({ stateName: { table } }) => table);
    return {
      server,
      access,
      relations,
      hasStateTable,
      hasRunsTable,
      hasLoadTables,
      pendingLoads: hasLoadTables ? await readPendingLoads(client, schema, loads) : new Map(),
      stateOf,
      filled: await filledTables(
        client,
        schema,
        there.map((table) => ownRows(table, relations.get(table.destinationName), pipeline)),
      ),
      withOthers: await filledTables(
        client,
        schema,
        parted.map((table) => othersRows(table, pipeline)),
      ),
    };
  });
}
