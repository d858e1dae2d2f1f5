/** Describes the schemas of the destination: the destination tables, and increp's own tables beside them. */
import type { TableSettings } from '../../config/settings.ts';
import { describeSchemas, describeTables, type SchemaAccess } from '../../postgres/catalog.ts';
import type { ServerIdentity } from '../../postgres/identity.ts';
import type { PipelinedReading } from '../../postgres/pipelined-reading.ts';
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
  /** `unreadable`: the table belongs to another role, and the role of increp may not read it. */
  readonly stateTable: 'none' | 'unreadable' | 'readable';
  readonly hasRunsTable: boolean;
  readonly hasLoadTables: boolean;
}

export interface DestinationNames extends StateNames {
  readonly settings: TableSettings;
  readonly stagingName: TableName;
  /** Undefined unless the table is loaded in chunks. */
  readonly windowName: TableName | undefined;
}

/** Maps are by `tableKey`. */
export interface DestinationFacts {
  readonly server: ServerIdentity;
  readonly schemas: ReadonlyMap<string, DestinationSchema>;
  readonly relations: ReadonlyMap<string, Relation>;
  readonly pendingLoads: ReadonlyMap<string, PendingLoad>;
  readonly stateOf: (names: StateNames) => StateRows;
  /** Tables with rows of this pipeline. */
  readonly filled: ReadonlySet<string>;
  /** Tables with rows of other pipelines, if the settings no longer have the column that names the pipeline. */
  readonly withOthers: ReadonlySet<string>;
}

interface DescribedSide {
  readonly server: ServerIdentity;
  readonly settings: { readonly schema: string };
  readonly read: PipelinedReading;
}

/** The number of queries does not grow with the number of schemas. */
export async function describeDestination(
  { server, settings, read }: DescribedSide,
  tables: readonly DestinationNames[],
  pipeline: string,
): Promise<DestinationFacts> {
  const wanted = tables.map(({ destinationName }) => destinationName);
  const names = [...new Set([settings.schema, ...wanted.map(({ schema }) => schema)])];
  return read(async (client) => {
    const accessOf = await describeSchemas(client, names);
    const ownTables = names.flatMap((schema) =>
      [stateTable, runsTable, loadsTable, chunksTable].map((named) => named(schema)),
    );
    const relations = await describeTables(client, [
      ...wanted,
      ...tables.flatMap(({ stagingName, windowName }) => [stagingName, ...(windowName ? [windowName] : [])]),
      ...ownTables,
    ]);
    const schemas = new Map(names.map((name) => [name, schemaOf(name, accessOf(name), relations)]));
    const relationOf = ({ destinationName }: DestinationNames) => relations.get(tableKey(destinationName));
    const usable = tables.filter(({ destinationName: { schema } }) => accessOf(schema).canUse);
    const stateOf = await readStateRows(
      client,
      pipeline,
      usable.filter(({ destinationName: { schema } }) => schemas.get(schema)?.stateTable === 'readable'),
    );
    const readable = usable.filter((table) => isReadableTable(relationOf(table)));
    const formerlyShared = readable.filter(
      (table) => !isShared(table.settings) && hasSource(relationOf(table)) && wasShared(stateOf(table)),
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
        readable.map((table) => ownRows(table.destinationName, table.settings, relationOf(table), pipeline)),
      ),
      withOthers: await filledTables(
        client,
        formerlyShared.map(({ destinationName }) => othersRows(destinationName, pipeline)),
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
