/** Reads what the destination knows about its tables, in a few queries for all tables. */
import type pg from 'pg';
import * as z from 'zod';
import { conflictCountsSchema } from '../conflicts.ts';
import type { TableSettings } from '../config/settings.ts';
import type { IncrepError } from '../errors.ts';
import { completeTables, schemasQuestion, tablesQuestion } from '../postgres/catalog.ts';
import { askAll } from '../postgres/catalog-question.ts';
import { tableKey, type TableName } from '../schema/names.ts';
import type { PendingLoad } from '../schema/pending-load.ts';
import { isReadableTable } from '../schema/relations.ts';
import { recordFor, runRecordSchema, rowsChanged, type RunRecord } from '../schema/run-record.ts';
import { resetRecordSchema, stateRecordSchema, type StateRecord } from '../schema/state-record.ts';
import { latestRuns, missingRuns, readQuietRuns } from '../sql/history.ts';
import { chunksTable, loadsTable } from '../sql/loads.ts';
import { runsTable, stateTable } from '../sql/state.ts';
import { loadsQuestion } from '../sync/facts/pending-loads.ts';
import { runsAt } from '../sync/lock/running-runs.ts';
import { tableNames } from '../sync/facts/table-names.ts';
import { bothOf, DAY_MS, digestOf, isFailure, startOf, type Digest } from './run-stats.ts';
import { stateQuestion, type StateRows } from '../sync/facts/state-rows.ts';
import type { RunContext } from '../sync/context/run-context.ts';

export interface Observed {
  readonly runs: Digest;
  readonly record: StateRecord | undefined;
  /** The time of a reset since the last sync. Then no state file is used. */
  readonly resetAt: Date | undefined;
  /** The run that syncs it now. */
  readonly activeRun: string | undefined;
  readonly pendingLoad: PendingLoad | undefined;
  /** Why its state could not be read. */
  readonly problem?: IncrepError | undefined;
}

/** `local` is the history of this machine, by the names of destination tables. */
export async function askDestination(
  context: RunContext,
  tables: readonly TableSettings[],
  local: ReadonlyMap<string, readonly RunRecord[]>,
  now: Date,
): Promise<(table: TableSettings) => Observed> {
  const home = context.settings.destination.schema;
  const { pipeline } = context.settings;
  const copies = tables.map((table) => tableNames(context, table));
  const names = copies.map(({ recordName }) => recordName);
  return context.destination.withReading(async (client) => {
    const schemas = [...new Set(copies.map(({ destinationName: { schema } }) => schema))];
    const perSchema = [stateTable, loadsTable, chunksTable];
    const ours = schemas.flatMap((schema) => perSchema.map((named) => named(schema)));
    const ourTables = [...ours, runsTable(home)];
    const [accessOf, found] = await askAll(client, [schemasQuestion(schemas), tablesQuestion(ourTables)]);
    const there = await completeTables(client, ourTables, found);
    const inSchemaWith = (...named: ((schema: string) => TableName)[]) =>
      copies.filter(
        ({ destinationName: { schema } }) =>
          accessOf(schema).canUse &&
          named.every((name) => isReadableTable(there.get(tableKey(name(schema))))),
      );
    const [stateOf, pendingLoads] = await askAll(client, [
      stateQuestion(pipeline, inSchemaWith(stateTable)),
      loadsQuestion(inSchemaWith(loadsTable, chunksTable).map(({ stateName }) => stateName)),
    ]);
    const runs = there.has(tableKey(runsTable(home)))
      ? await readRuns(client, context, names, local, now)
      : undefined;
    const active = await runsAt(
      client,
      copies.map(({ stateName }) => stateName),
    );
    return (table) => {
      const own = tableNames(context, table);
      const key = tableKey(own.stateName);
      return {
        runs: runs?.get(own.recordName) ?? digestOf(local.get(own.recordName) ?? [], now),
        record: recordOf(stateOf(own), pipeline),
        resetAt: resetTimeOf(stateOf(own)),
        activeRun: active.get(key),
        pendingLoad: pendingLoads.get(key),
      };
    };
  });
}

function resetTimeOf({ record }: StateRows): Date | undefined {
  const found = resetRecordSchema.safeParse(record).data;
  // A reset without a state changes nothing: the next sync refuses the rows that are there.
  return found?.reset.wasKnown === true ? new Date(found.reset.at) : undefined;
}

/** The state of another pipeline does not count. */
function recordOf({ record }: StateRows, pipeline: string): StateRecord | undefined {
  const known = stateRecordSchema.safeParse(record).data;
  return known?.pipeline === pipeline ? known : undefined;
}

const digestRow = z.object({
  table: z.string(),
  latest: runRecordSchema.nullable(),
  lastFailure: runRecordSchema.nullable(),
  latestOk: runRecordSchema.nullable(),
  lastSuccessAt: z.date().nullable(),
  quietRun: z.string().nullable(),
  quietAt: z.date().nullable(),
  hasQuietWarnings: z.boolean(),
  failures: z.number(),
  rowsLastDay: z.number(),
  conflictsLastDay: conflictCountsSchema.nullable().transform((counts) => counts ?? undefined),
});

async function readRuns(
  client: pg.ClientBase,
  { settings }: RunContext,
  names: readonly string[],
  local: ReadonlyMap<string, readonly RunRecord[]>,
  now: Date,
): Promise<Map<string, Digest>> {
  const { schema } = settings.destination;
  const localDigests = new Map(names.map((name) => [name, digestOf(local.get(name) ?? [], now)]));
  const asked = names.map((table) => ({ table, successAt: localDigests.get(table)?.lastSuccessAt ?? null }));
  const since = new Date(now.getTime() - DAY_MS);
  const { rows } = await client.query(latestRuns(schema), [JSON.stringify(asked), settings.pipeline, since]);
  const digests = z.array(digestRow).parse(rows);
  const missing = await localOnly(client, schema, names, local, localDigests, since);
  const warned = await readWarned(client, schema, digests);
  return new Map(
    digests.map(({ table, lastSuccessAt, ...row }) => {
      const successAt = lastSuccessAt ?? undefined;
      const isSince = row.failures > 0 ? (row.lastFailure ?? undefined) : undefined;
      const there = {
        ...row,
        latest: latestOf({ ...row, table }, settings.pipeline, warned),
        latestOk: latestOf(
          { ...row, table, latest: row.latest?.status === 'ok' ? row.latest : row.latestOk },
          settings.pipeline,
          warned,
        ),
        lastFailure: isSince,
        lastSuccessAt: successAt,
      };
      return [table, bothOf(there, digestOf(missing.get(table) ?? [], now, successAt))];
    }),
  );
}

/** The records of runs without changes that have warnings, by their run. */
async function readWarned(
  client: pg.ClientBase,
  schema: string,
  digests: readonly QuietRow[],
): Promise<ReadonlyMap<string, RunRecord>> {
  const runs = new Set(digests.flatMap((row) => (row.hasQuietWarnings ? (row.quietRun ?? []) : [])));
  if (runs.size === 0) return new Map();
  const { rows } = await client.query(readQuietRuns(schema), [[...runs]]);
  const records = z.array(z.object({ record: runRecordSchema })).parse(rows);
  return new Map(records.map(({ record }) => [record.run_id, record]));
}

type QuietRow = Pick<
  z.infer<typeof digestRow>,
  'table' | 'latest' | 'quietRun' | 'quietAt' | 'hasQuietWarnings'
>;

/** If a run has found the table without changes, that run has no record of the table alone. */
function latestOf(
  { table, latest, quietRun, quietAt }: QuietRow,
  pipeline: string,
  warned: ReadonlyMap<string, RunRecord>,
): RunRecord | undefined {
  if (quietRun === null || quietAt === null) return latest ?? undefined;
  if (latest && startOf(latest) >= quietAt.getTime()) return latest;
  const shared = warned.get(quietRun);
  if (shared) return recordFor(shared, table);
  return runRecordSchema.parse({ run_id: quietRun, pipeline, started_at: quietAt.toISOString() });
}

/**
 * Runs that only this machine has recorded. They are read only if they matter: failures since the last success, and
 * rows.
 */
async function localOnly(
  client: pg.ClientBase,
  schema: string,
  names: readonly string[],
  local: ReadonlyMap<string, readonly RunRecord[]>,
  digests: ReadonlyMap<string, Digest>,
  since: Date,
): Promise<Map<string, RunRecord[]>> {
  const matters = new Map(
    names.map((name) => {
      const successAt = digests.get(name)?.lastSuccessAt?.getTime() ?? -Infinity;
      const isOfInterest = (record: RunRecord) =>
        (isFailure(record) && startOf(record) > successAt) ||
        (rowsChanged(record) > 0 && startOf(record) > since.getTime());
      return [name, (local.get(name) ?? []).filter(isOfInterest)];
    }),
  );
  const keys = [...matters.values()].flat().filter(({ table_name }) => table_name !== null);
  const missing = await findMissing(client, schema, keys);
  return new Map(
    [...matters].map(([name, records]) => [
      name,
      records.filter((record) => record.table_name === null || missing.has(runKey(record))),
    ]),
  );
}

const runKey = ({ run_id, table_name }: Pick<RunRecord, 'run_id' | 'table_name'>): string =>
  JSON.stringify([run_id, table_name]);

async function findMissing(
  client: pg.ClientBase,
  schema: string,
  records: readonly RunRecord[],
): Promise<Set<string>> {
  if (records.length === 0) return new Set();
  const keys = records.map(({ run_id, table_name }) => ({ run_id, table_name }));
  const { rows } = await client.query(missingRuns(schema), [JSON.stringify(keys)]);
  return new Set(
    z
      .array(z.object({ run_id: z.string(), table_name: z.string() }))
      .parse(rows)
      .map(runKey),
  );
}
