/** What is in the destination's schemas: the copies, and what increp keeps beside them. */
import type { TableSettings } from '../../config/settings.ts';
import { describeSchemas, describeTables, type SchemaAccess } from '../../postgres/catalog.ts';
import type { Database } from '../../postgres/database.ts';
import type { ServerIdentity } from '../../postgres/identity.ts';
import { tableKey, type TableName } from '../../schema/names.ts';
import type { PendingLoad } from '../../schema/pending-load.ts';
import { isReadableTable, type Relation } from '../../schema/relations.ts';
import { isShared } from '../../schema/row-identity.ts';
import { chunksTable, loadsTable } from '../../sql/loads.ts';
import { runsTable, stateTable } from '../../sql/state.ts';
import { readPendingLoads } from './pending-loads.ts';
import { readStateRows, wasShared, type StateNames, type StateRows } from './state-rows.ts';
import { filledTables, hasSource, othersRows, ownRows } from './populated-tables.ts';

/** One schema of the destination. */
export interface DestinationSchema {
  readonly access: SchemaAccess;
  /** Unreadable: somebody else's. */
  readonly stateTable: 'none' | 'unreadable' | 'readable';
  readonly hasRunsTable: boolean;
  readonly hasLoadTables: boolean;
}

export interface DestinationNames extends StateNames {
  readonly settings: TableSettings;
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
  readonly stateOf: (names: StateNames) => StateRows;
  /** With rows of this pipeline. */
  readonly filled: ReadonlySet<string>;
  /** With rows of others, where they were kept apart and are to be no longer. */
  readonly withOthers: ReadonlySet<string>;
}

/** As many questions for many schemas as for one. */
export async function describeDestination(
  destination: Database,
  copies: readonly DestinationNames[],
  pipeline: string,
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
    const relationOf = ({ destinationName }: DestinationNames) => relations.get(tableKey(destinationName));
    const usable = copies.filter(({ destinationName: { schema } }) => accessOf(schema).canUse);
    const stateOf = await readStateRows(
      client,
      pipeline,
      usable.filter(({ destinationName: { schema } }) => schemas.get(schema)?.stateTable === 'readable'),
    );
    const there = usable.filter((copy) => isReadableTable(relationOf(copy)));
    const parted = there.filter(
      (copy) => !isShared(copy.settings) && hasSource(relationOf(copy)) && wasShared(stateOf(copy)),
    );
    return {
      server,
      schemas,
      relations,
      pendingLoads: await readPendingLoads(
        client,
        usable
          .filter(({ destinationName: { schema } }) => schemas.get(schema)?.hasLoadTables === true)
          .map(({ stateName }) => stateName),
      ),
      stateOf,
      filled: await filledTables(
        client,
        there.map((copy) => ownRows(copy.destinationName, copy.settings, relationOf(copy), pipeline)),
      ),
      withOthers: await filledTables(
        client,
        parted.map(({ destinationName }) => othersRows(destinationName, pipeline)),
      ),
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
