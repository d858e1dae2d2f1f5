/** Describes the schemas of the destination: the destination tables, and increp's own tables beside them. */
import type { TableSettings } from '../../config/settings.ts';
import {
  completeTables,
  schemasQuestion,
  tablesQuestion,
  type SchemaAccess,
} from '../../postgres/catalog.ts';
import type { ServerIdentity } from '../../postgres/identity.ts';
import type { PipelinedReading } from '../../postgres/pipelined-reading.ts';
import { askAll } from '../../postgres/catalog-question.ts';
import { tableKey, type TableName } from '../../schema/names.ts';
import type { PendingLoad } from '../../schema/pending-load.ts';
import { isReadableTable, type Relation } from '../../schema/relations.ts';
import { isShared } from '../../schema/row-identity.ts';
import { chunksTable, loadsTable } from '../../sql/loads.ts';
import { conflictsTable, runsTable, stateTable } from '../../sql/state.ts';
import { loadsQuestion } from './pending-loads.ts';
import { stateQuestion, wasShared, type StateNames, type StateRows } from './state-rows.ts';
import { filledQuestion, hasSource, heldQuestion, othersRows, ownRows } from './populated-tables.ts';

/** One schema of the destination. */
export interface DestinationSchema {
  readonly access: SchemaAccess;
  /** `unreadable`: the table belongs to another role, and the role of increp may not read it. */
  readonly stateTable: 'none' | 'unreadable' | 'readable';
  readonly stateTableOid: string | null;
  readonly hasRunsTable: boolean;
  readonly hasLoadTables: boolean;
  /** Asked only if a table records conflicts. */
  readonly hasConflictsTable: boolean;
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

/** Two messages for most tables: the catalogs, and then the tables of increp and of the user. */
export async function describeDestination(
  { server, settings, read }: DescribedSide,
  tables: readonly DestinationNames[],
  pipeline: string,
): Promise<DestinationFacts> {
  const wanted = tables.map(({ destinationName }) => destinationName);
  const names = [...new Set([settings.schema, ...wanted.map(({ schema }) => schema)])];
  return read(async (client) => {
    const ownTables = names.flatMap((schema) =>
      [
        ...[stateTable, runsTable, loadsTable, chunksTable],
        ...(tables.some((table) => table.settings.conflictLog) ? [conflictsTable] : []),
      ].map((named) => named(schema)),
    );
    const described = [
      ...wanted,
      ...tables.flatMap(({ stagingName, windowName }) => [stagingName, ...(windowName ? [windowName] : [])]),
      ...ownTables,
    ];
    const [accessOf, found, held] = await askAll(client, [
      schemasQuestion(names),
      tablesQuestion(described),
      heldQuestion(names),
    ]);
    const relations = await completeTables(client, described, found);
    const schemas = new Map(names.map((name) => [name, schemaOf(name, accessOf(name), relations)]));
    const relationOf = ({ destinationName }: DestinationNames) => relations.get(tableKey(destinationName));
    const usable = tables.filter(({ destinationName: { schema } }) => accessOf(schema).canUse);
    const inSchemas = (has: (schema: DestinationSchema) => boolean) =>
      usable.filter(({ destinationName }) => {
        const schema = schemas.get(destinationName.schema);
        return schema !== undefined && has(schema);
      });
    const readable = usable.filter((table) => isReadableTable(relationOf(table)));
    const [stateOf, pendingLoads, filled] = await askAll(client, [
      stateQuestion(
        pipeline,
        inSchemas((schema) => schema.stateTable === 'readable'),
      ),
      loadsQuestion(inSchemas(({ hasLoadTables }) => hasLoadTables).map(({ stateName }) => stateName)),
      filledQuestion(
        readable.map((table) => ownRows(table.destinationName, table.settings, relationOf(table), pipeline)),
        held,
      ),
    ]);
    const formerlyShared = readable.filter(
      (table) => !isShared(table.settings) && hasSource(relationOf(table)) && wasShared(stateOf(table)),
    );
    const others = formerlyShared.map(({ destinationName }) => othersRows(destinationName, pipeline));
    const [withOthers] = await askAll(client, [filledQuestion(others, held)]);
    return { server, schemas, relations, pendingLoads, stateOf, filled, withOthers };
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
    stateTableOid: found(stateTable)?.oid ?? null,
    hasRunsTable: found(runsTable) !== undefined,
    hasLoadTables: found(loadsTable) !== undefined && found(chunksTable) !== undefined,
    hasConflictsTable: found(conflictsTable) !== undefined,
  };
}

function accessTo(relation: Relation | undefined): DestinationSchema['stateTable'] {
  if (!relation) return 'none';
  return relation.canSelectTable ? 'readable' : 'unreadable';
}
