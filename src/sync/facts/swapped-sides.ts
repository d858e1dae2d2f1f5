/** Signs that source and destination were swapped, although the destination has no state that would show it. */
import type pg from 'pg';
import * as z from 'zod';
import type { ServerIdentity } from '../../postgres/identity.ts';
import { tableKey, type TableName } from '../../schema/names.ts';
import { pipelinesInto, sourcesOfStates, tablesFilledFrom } from '../../sql/state.ts';
import type { RunContext } from '../context/run-context.ts';
import { readStateSchemas } from './state-schemas.ts';

/** The states of pipelines in any schema of the source. They show that the source is the destination of a pipeline. */
export interface SourceStates {
  readonly areThere: boolean;
  /** The pipelines, and the databases that they read from, as far as this role may read their states. */
  readonly sources: readonly StateSource[];
}

const sourceRow = z.object({
  pipeline: z.string(),
  database: z.string().nullable(),
  systemIdentifier: z.string().nullable(),
});
type StateSource = Readonly<z.infer<typeof sourceRow>>;

export async function readSourceStates(source: pg.ClientBase): Promise<SourceStates> {
  const { all, readable: schemas } = await readStateSchemas(source);
  const rows = schemas.length === 0 ? [] : (await source.query(sourcesOfStates(schemas))).rows;
  return { areThere: all.length > 0, sources: z.array(sourceRow).parse(rows) };
}

const pipelineRow = z.object({ pipeline: z.string() });

/** The pipelines that fill this table of the source from that table of the destination, as far as their states can be read. */
export async function oppositePipelines(
  source: pg.ClientBase,
  { sourceName, destinationName }: { readonly sourceName: TableName; readonly destinationName: TableName },
  { database, systemIdentifier }: Pick<ServerIdentity, 'database' | 'systemIdentifier'>,
): Promise<string[]> {
  const { readable: schemas } = await readStateSchemas(source);
  if (schemas.length === 0 || systemIdentifier === null) return [];
  const from = { table: destinationName, database, systemIdentifier };
  const { rows } = await source.query(pipelinesInto(schemas, sourceName, from));
  return z
    .array(pipelineRow)
    .parse(rows)
    .map(({ pipeline }) => pipeline);
}

const tableNameRow = z.object({ schema: z.string(), table: z.string() });

/** The tables of the source that pipelines fill from that database, by `tableKey`, as far as their states can be read. */
export async function filledFrom(
  source: pg.ClientBase,
  { database, systemIdentifier }: Pick<ServerIdentity, 'database' | 'systemIdentifier'>,
): Promise<ReadonlySet<string>> {
  const { readable: schemas } = await readStateSchemas(source);
  if (schemas.length === 0 || systemIdentifier === null) return new Set();
  const { rows } = await source.query(tablesFilledFrom(schemas, { database, systemIdentifier }));
  return new Set(z.array(tableNameRow).parse(rows).map(tableKey));
}

/** Whether a pipeline reads from this database. */
export const readsFrom = (
  { database, systemIdentifier }: StateSource,
  server: Pick<ServerIdentity, 'database' | 'systemIdentifier'>,
): boolean =>
  systemIdentifier !== null && systemIdentifier === server.systemIdentifier && database === server.database;

/**
 * Whether the source has a state of this pipeline that reads from the database that is the destination now. An opposite
 * pipeline has a name of its own.
 */
export async function areSidesSwapped({
  settings: { pipeline },
  source,
  destination,
}: Pick<RunContext, 'settings' | 'source' | 'destination'>): Promise<boolean> {
  const server = await destination.identity();
  const { sources } = await source.withReading(readSourceStates);
  return sources.some((state) => state.pipeline === pipeline && readsFrom(state, server));
}
