/** Finds the tables that match the patterns of the configuration, at the source or in the state of earlier syncs. */
import * as z from 'zod';
import { destinationOf } from '../../config/tables/table-mapping.ts';
import type { Settings, TableSettings } from '../../config/settings.ts';
import { IncrepError } from '../../errors.ts';
import { completeTables, findRelations, schemasQuestion, tablesQuestion } from '../../postgres/catalog.ts';
import type { Database } from '../../postgres/database.ts';
import { askAll } from '../../postgres/catalog-question.ts';
import { distinctTables, tableKey, type TableName } from '../../schema/names.ts';
import { isMatch, likeOf } from '../../schema/patterns.ts';
import type { StateRecord } from '../../schema/state-record.ts';
import { isReadableTable } from '../../schema/relations.ts';
import { sourcesOfPipeline, stateTable } from '../../sql/state.ts';
import { findByOid } from './source-changes.ts';
import { tableNames } from './table-names.ts';
import type { RunContext } from '../context/run-context.ts';

/** Finds ordinary and partitioned tables, in one round trip. */
export async function findTables(
  source: Database,
  { patterns }: Pick<Settings, 'patterns'>,
): Promise<TableName[]> {
  const found = findRelations(patterns.map(({ schema, names }) => ({ schema, like: likeOf(names) })));
  const [answer] = await source.readAtOnce([found.statement ?? '']);
  return found.read(answer?.rows ?? []);
}

/**
 * The tables that have a state: in the files, and at the destination unless `isLocal` or it does not answer. There is
 * no query to the source.
 */
export async function rememberedTables(context: RunContext, isLocal: boolean): Promise<TableName[]> {
  const { pipeline } = context.settings;
  const records = await context.stateFiles.records();
  const inFiles = records.filter((record) => record.pipeline === pipeline).map(({ source }) => source);
  const found = [...inFiles, ...(isLocal ? [] : await inDestination(context))];
  return distinctTables(found);
}

/**
 * The states of tables that a pattern found at an earlier sync and finds no more. Only the files of other tables than
 * `tables` are read.
 */
export async function goneTables(
  context: RunContext,
  tables: readonly TableSettings[],
): Promise<readonly StateRecord[]> {
  const { pipeline, patterns } = context.settings;
  const records = await context.stateFiles.records(
    tables.map((table) => tableNames(context, table).recordName),
  );
  const isFound = ({ schema, table }: TableName) =>
    tables.some(({ source }) => source.schema === schema && source.table === table);
  return records.filter(
    ({ pipeline: owner, source }) =>
      owner === pipeline &&
      !isFound(source) &&
      patterns.some(({ schema, names }) => schema === source.schema && isMatch(names, source.table)),
  );
}

/** The present names of source tables that were renamed or moved. The oids of another server are of other tables. */
export async function movedTables(
  source: Database,
  records: readonly StateRecord[],
): Promise<ReadonlyMap<StateRecord, TableName>> {
  const { systemIdentifier } = await source.identity();
  const ofServer = records.filter(
    ({ sourceLife }) => systemIdentifier !== null && sourceLife.systemIdentifier === systemIdentifier,
  );
  if (ofServer.length === 0) return new Map();
  const found = await findByOid(
    source,
    ofServer.map(({ shape }) => shape.oid),
  );
  return new Map(
    ofServer.flatMap((record) => {
      const name = found.get(record.shape.oid);
      return name && tableKey(name) !== tableKey(record.source) ? [[record, name] as const] : [];
    }),
  );
}

const sourceRow = z.object({ schema: z.string(), table: z.string() });

async function inDestination({ settings, destination, signal }: RunContext): Promise<TableName[]> {
  const destinations = settings.patterns.map(({ schema, options: { destinationSchema } }) =>
    destinationOf(settings.destination, { source: { schema }, destinationSchema, destinationTable: '' }),
  );
  const schemas = [...new Set(destinations.map(({ schema }) => schema))];
  try {
    return await destination.withReading(async (client) => {
      const states = schemas.map(stateTable);
      const [accessOf, found] = await askAll(client, [schemasQuestion(schemas), tablesQuestion(states)]);
      const stateTables = await completeTables(client, states, found);
      const readable = schemas.filter(
        (schema) => accessOf(schema).canUse && isReadableTable(stateTables.get(tableKey(stateTable(schema)))),
      );
      if (readable.length === 0) return [];
      const { rows } = await client.query(sourcesOfPipeline(readable), [settings.pipeline]);
      return z.array(sourceRow).parse(rows);
    });
  } catch (error) {
    signal?.throwIfAborted();
    // Code that needs the destination for more than names reports the error.
    if (error instanceof IncrepError) return [];
    throw error;
  }
}
