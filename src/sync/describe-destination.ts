/** What is in the destination's schemas: the copies, and what increp keeps beside them. */
import type pg from 'pg';
import { z } from 'zod';
import { describeSchemas, describeTables, type SchemaAccess } from '../postgres/catalog.ts';
import type { Database } from '../postgres/database.ts';
import type { ServerIdentity } from '../postgres/identity.ts';
import { tableKey, type TableName } from '../schema/names.ts';
import type { PendingLoad } from '../schema/pending-load.ts';
import { isReadableTable, type Relation } from '../schema/relations.ts';
import { chunksTable, loadsTable } from '../sql/loads.ts';
import { readStates, runsTable, stateTable } from '../sql/state.ts';
import { HELD_TABLES, whichHaveRows } from '../sql/window.ts';
import { readPendingLoads } from './chunks/pending-loads.ts';

/** One schema of the destination. */
export interface DestinationSchema {
  readonly access: SchemaAccess;
  /** Unreadable: somebody else's. */
  readonly stateTable: 'none' | 'unreadable' | 'readable';
  readonly hasRunsTable: boolean;
  readonly hasLoadTables: boolean;
}

export interface CopyNames {
  readonly destinationName: TableName;
  readonly stagingName: TableName;
  /** Undefined where nobody needs it. */
  readonly windowName: TableName | undefined;
}

/** Maps are by `tableKey`. */
export interface DestinationFacts {
  readonly server: ServerIdentity;
  readonly schemas: ReadonlyMap<string, DestinationSchema>;
  readonly relations: ReadonlyMap<string, Relation>;
  readonly pendingLoads: ReadonlyMap<string, PendingLoad>;
  readonly records: ReadonlyMap<string, unknown>;
  readonly filled: ReadonlySet<string>;
}

/** As many questions for many schemas as for one. */
export async function describeDestination(
  destination: Database,
  copies: readonly CopyNames[],
): Promise<DestinationFacts> {
  const server = await destination.identity();
  const wanted = copies.map(({ destinationName }) => destinationName);
  const names = [...new Set([destination.settings.schema, ...wanted.map(({ schema }) => schema)])];
  return destination.withReading(async (client) => {
    const accessOf = await describeSchemas(client, names);
    const ours = names.flatMap((schema) =>
      [stateTable, runsTable, loadsTable, chunksTable].map((named) => named(schema)),
    );
    const relations = await describeTables(client, [
      ...wanted,
      ...copies.flatMap(({ stagingName, windowName }) => [stagingName, ...(windowName ? [windowName] : [])]),
      ...ours,
    ]);
    const schemas = new Map(names.map((name) => [name, schemaOf(name, accessOf(name), relations)]));
    const there = wanted.filter(
      ({ schema, ...name }) =>
        accessOf(schema).canUse && isReadableTable(relations.get(tableKey({ schema, ...name }))),
    );
    return {
      server,
      schemas,
      relations,
      pendingLoads: await readPendingLoads(
        client,
        wanted.filter(({ schema }) => accessOf(schema).canUse && schemas.get(schema)?.hasLoadTables === true),
      ),
      records: await readRecords(
        client,
        wanted.filter(
          ({ schema }) => accessOf(schema).canUse && schemas.get(schema)?.stateTable === 'readable',
        ),
      ),
      filled: await filledTables(client, there),
    };
  });
}

function schemaOf(
  schema: string,
  access: SchemaAccess,
  relations: ReadonlyMap<string, Relation>,
): DestinationSchema {
  const found = (named: (schema: string) => TableName) => relations.get(tableKey(named(schema)));
  return {
    access,
    stateTable: accessTo(found(stateTable)),
    hasRunsTable: found(runsTable) !== undefined,
    hasLoadTables: found(loadsTable) !== undefined && found(chunksTable) !== undefined,
  };
}

function accessTo(relation: Relation | undefined): DestinationSchema['stateTable'] {
  if (!relation) return 'none';
  return relation.canSelectTable ? 'readable' : 'unreadable';
}

const recordRow = z.object({ schema: z.string(), table: z.string(), record: z.unknown() });

/** As they come, by `tableKey`. Each of the tables has to have a state table in its schema. */
export async function readRecords(
  client: pg.ClientBase,
  tables: readonly TableName[],
): Promise<Map<string, unknown>> {
  if (tables.length === 0) return new Map();
  const { rows } = await client.query(readStates(tables));
  return new Map(
    rows.map((row) => recordRow.parse(row)).map(({ record, ...name }) => [tableKey(name), record]),
  );
}

/** A table that someone holds for himself alone counts as filled: whoever works on it will find out. */
async function filledTables(client: pg.ClientBase, tables: readonly TableName[]): Promise<Set<string>> {
  if (tables.length === 0) return new Set();
  const schemas = [...new Set(tables.map(({ schema }) => schema))];
  const held = keysIn(await client.query(HELD_TABLES, [schemas]));
  const free = tables.filter((table) => !held.includes(tableKey(table)));
  const filled = free.length === 0 ? [] : keysIn(await client.query(whichHaveRows(free)));
  return new Set([...held, ...filled]);
}

export const keysIn = ({ rows }: pg.QueryResult): string[] =>
  z
    .array(z.object({ schema: z.string(), table: z.string() }))
    .parse(rows)
    .map(tableKey);
