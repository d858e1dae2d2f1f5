/** Everything that planning needs, gathered for all tables in a few queries. Writes nothing anywhere. */
import type pg from 'pg';
import { z } from 'zod';
import type { TableSettings } from '../config/settings.ts';
import { describeRelations, describeSchema, relationNames, type SchemaAccess } from '../postgres/catalog.ts';
import type { ClientTools } from '../postgres/client-tools.ts';
import type { Database } from '../postgres/database.ts';
import type { ServerIdentity } from '../postgres/identity.ts';
import type { Heap } from '../schema/heap.ts';
import { stagingName, windowName, type TableName } from '../schema/names.ts';
import type { NativeTypes } from '../schema/native-types.ts';
import type { PendingLoad } from '../schema/pending-load.ts';
import { isReadableTable, type Relation } from '../schema/relations.ts';
import { chunksTable, loadsTable } from '../sql/loads.ts';
import type { RowSource } from '../sql/row-source.ts';
import { readState, runsTable, stateTable } from '../sql/state.ts';
import { HELD_TABLES, whichHaveRows } from '../sql/window.ts';
import type { StateFile } from '../state/state-files.ts';
import { readPendingLoads } from './chunks/pending-loads.ts';
import { gatherNativeTypes } from './native-types.ts';
import { reconcile, type Saved } from './saved-state.ts';
import { describeSources, type Selected, type SelectedSource } from './selected-source.ts';
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
  readonly stagingName: TableName;
  /** Of the table into which what a load in chunks has missed is read. */
  readonly windowName: TableName;
  /** What is copied: the table, or what the entry selects of it. */
  readonly source: Relation | undefined;
  /** The same as a FROM item. */
  readonly sourceRows: RowSource;
  /** All columns of the table, whatever is selected; undefined for a query. */
  readonly sourceColumns: readonly string[] | undefined;
  readonly selected: Selected;
  readonly destination: Relation | undefined;
  readonly staging: Relation | undefined;
  /** Somebody else's: ours is gone when its transaction ends. */
  readonly window: Relation | undefined;
  /** Empty unless `types` is "native". */
  readonly natives: NativeTypes;
  readonly destinationHasRows: boolean;
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
    describeDestination(work.destination, tables),
  ]);
  const servers = { source: source.server, destination: destination.server };
  const nativesOf = await gatherNativeTypes(
    work,
    tables.flatMap((table) => (table.types === 'native' ? (source.selected.get(table) ?? []) : [])),
  );
  const facts = tables.map(async (settings): Promise<TableFacts> => {
    const stateFile = await work.stateFiles.read(settings.destinationName);
    const names = tableNames(work, settings);
    const { relation, rows, ...selected } = selectedOf(source.selected, settings);
    return {
      pipeline: work.settings.pipeline,
      settings,
      ...names,
      source: relation,
      sourceRows: rows,
      sourceColumns: source.relations.get(settings.name)?.columns.map(({ name }) => name),
      selected,
      destination: destination.relations.get(settings.destinationName),
      staging: destination.relations.get(names.stagingName.table),
      window: destination.relations.get(names.windowName.table),
      natives: nativesOf(settings.types === 'native' ? relation : undefined),
      destinationHasRows: destination.filled.has(settings.destinationName),
      pendingLoad: destination.pendingLoads.get(settings.destinationName),
      heap: undefined,
      stateFile,
      saved: reconcile(stateFile, destination.records.get(settings.destinationName), {
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

export function tableNames(work: Pick<Work, 'settings'>, table: TableSettings) {
  const { source, destination } = work.settings;
  return {
    sourceName: { schema: source.schema, table: table.name },
    destinationName: { schema: destination.schema, table: table.destinationName },
    stagingName: { schema: destination.schema, table: stagingName(table.destinationName) },
    windowName: { schema: destination.schema, table: windowName(table.destinationName) },
  };
}

function selectedOf(
  selected: ReadonlyMap<TableSettings | undefined, SelectedSource>,
  settings: TableSettings,
): SelectedSource {
  const found = selected.get(settings);
  if (!found) throw new Error('a table was not described');
  return found;
}

async function describeSource(source: Database, tables: readonly TableSettings[]) {
  const server = await source.identity();
  return source.withReading(async (client) => {
    const { schema } = source.settings;
    const access = await describeSchema(client, schema);
    // A query may be called like a table that it has nothing to do with.
    const wanted = tables.filter(({ selection }) => selection.query === null).map(({ name }) => name);
    const relations = await describeRelations(client, schema, wanted);
    const names = relations.size < wanted.length ? await relationNames(client, schema) : [];
    const selectables = tables.map((settings) => ({
      settings,
      name: { schema, table: settings.name },
      table: settings.selection.query === null ? relations.get(settings.name) : undefined,
    }));
    const described = await describeSources(client, selectables, true);
    const selected = new Map(described.map((each, index) => [tables[index], each]));
    return { server, access, relations, selected, names };
  });
}

async function describeDestination(destination: Database, tables: readonly TableSettings[]) {
  const server = await destination.identity();
  return destination.withReading(async (client) => {
    const { schema } = destination.settings;
    const access = await describeSchema(client, schema);
    const wanted = tables.map(({ destinationName }) => destinationName);
    const ours = [stateTable, runsTable, loadsTable, chunksTable].map((named) => named(schema).table);
    const chunked = tables.filter(({ chunk }) => chunk).map(({ destinationName }) => destinationName);
    const relations = await describeRelations(client, schema, [
      ...wanted,
      ...wanted.map(stagingName),
      ...chunked.map(windowName),
      ...ours,
    ]);
    const [hasStateTable, hasRunsTable, ...loadTables] = ours.map((name) => relations.has(name)) as [
      boolean,
      boolean,
      ...boolean[],
    ];
    const hasLoadTables = loadTables.every(Boolean);
    const there = wanted.filter((name) => isReadableTable(relations.get(name)));
    return {
      server,
      access,
      relations,
      hasStateTable,
      hasRunsTable,
      hasLoadTables,
      pendingLoads: hasLoadTables ? await readPendingLoads(client, schema, wanted) : new Map(),
      records: hasStateTable ? await readRecords(client, schema, wanted) : new Map<string, unknown>(),
      filled: await filledTables(client, schema, there),
    };
  });
}

const recordRow = z.object({ table: z.string(), record: z.unknown() });

async function readRecords(
  client: pg.ClientBase,
  schema: string,
  tables: readonly string[],
): Promise<Map<string, unknown>> {
  const { rows } = await client.query(readState(schema), [tables]);
  return new Map(rows.map((row) => recordRow.parse(row)).map(({ table, record }) => [table, record]));
}

/** A table that someone holds for himself alone counts as filled: whoever works on it will find out. */
async function filledTables(
  client: pg.ClientBase,
  schema: string,
  tables: readonly string[],
): Promise<Set<string>> {
  if (tables.length === 0) return new Set();
  const held = namesIn(await client.query(HELD_TABLES, [schema]));
  const free = tables.filter((table) => !held.includes(table));
  const filled = free.length === 0 ? [] : namesIn(await client.query(whichHaveRows(schema, free)));
  return new Set([...held, ...filled]);
}

const namesIn = ({ rows }: pg.QueryResult): string[] =>
  z
    .array(z.object({ table: z.string() }))
    .parse(rows)
    .map(({ table }) => table);
