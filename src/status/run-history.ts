/** The last runs, from both histories, or from the files alone if the destination cannot be reached. */
import * as z from 'zod';
import { IncrepError } from '../errors.ts';
import { describeRelations } from '../postgres/catalog.ts';
import { recordFor, resultOf, runRecordSchema, type RunRecord } from '../schema/run-record.ts';
import { newestRuns, readRuns } from '../sql/history.ts';
import { runsTable } from '../sql/state.ts';
import { readLocalRuns } from './local-run-history.ts';
import { startOf } from './run-stats.ts';
import type { RunContext } from '../sync/context/run-context.ts';

export interface PastRun {
  readonly id: string;
  readonly startedAt: Date;
  readonly durationSeconds: number;
  readonly status: 'ok' | 'partial' | 'failed';
  /** In the order of their start, without a failure of the run as a whole. */
  readonly tables: readonly RunRecord[];
  /** The error of the run as a whole, otherwise of the first table that failed. */
  readonly failure: RunRecord | undefined;
  /** Destination tables that the run did not start, because it was stopped or failed outside of a table. */
  readonly notStarted: readonly string[];
  /** Whether it is still running, on this machine or with the same state directory. */
  readonly isRunning?: boolean;
}

export interface PastRuns {
  /** Oldest first. */
  readonly runs: readonly PastRun[];
  /** Why the destination could not be queried. Then the files were used. */
  readonly unreachable: IncrepError | undefined;
  /** Why the history of this machine could not be read. */
  readonly historyError: IncrepError | undefined;
}

export interface PastRequest {
  /** Names of destination tables; undefined for all. */
  readonly tables: readonly string[] | undefined;
  readonly since: Date | undefined;
  readonly isFailedOnly: boolean;
  /** The number of newest runs. */
  readonly limit: number;
  /** From the files only. */
  readonly isLocal: boolean;
}

export async function runHistory(context: RunContext, request: PastRequest): Promise<PastRuns> {
  const local = await readLocalRuns(context);
  const here = chosenRuns(local.records, request);
  const answer = (there: readonly RunRecord[], unreachable?: IncrepError): PastRuns => ({
    runs: chosenRuns([...there, ...here.flatMap(recordsOf)], request).map((run) => ({
      ...run,
      isRunning: local.active.has(run.id),
      tables: run.tables.flatMap((record) => eachTable(record, request.tables)),
    })),
    unreachable,
    historyError: local.problem,
  });
  if (request.isLocal) return answer([]);
  try {
    return answer(await askDestination(context, request, here));
  } catch (error) {
    if (!(error instanceof IncrepError) || context.signal?.aborted === true) throw error;
    return answer([], error);
  }
}

/** The newest runs at the destination, and its records of the runs in the files. */
async function askDestination(
  { settings, destination }: RunContext,
  { tables, since, isFailedOnly, limit }: PastRequest,
  here: readonly PastRun[],
): Promise<RunRecord[]> {
  const { schema } = settings.destination;
  const { table } = runsTable(schema);
  return destination.withReading(async (client) => {
    if (!(await describeRelations(client, schema, [table])).has(table)) return [];
    const names = tables ? [...tables] : null;
    const newest = await client.query(newestRuns(schema), [
      names,
      settings.pipeline,
      since ?? null,
      isFailedOnly,
      limit,
    ]);
    const found = z.array(z.object({ id: z.string() })).parse(newest.rows);
    const ids = new Set([...found, ...here].map(({ id }) => id));
    const { rows } = await client.query(readRuns(schema), [[...ids], names]);
    return z
      .array(z.object({ record: runRecordSchema }))
      .parse(rows)
      .map(({ record }) => record);
  });
}

const recordsOf = ({ tables, failure }: PastRun): RunRecord[] => [
  ...tables,
  ...(failure?.table_name === null ? [failure] : []),
];

/** The newest matching runs, oldest first. If two records describe the same table, the first one counts. */
export function chosenRuns(
  records: readonly RunRecord[],
  { tables, since, isFailedOnly, limit }: Omit<PastRequest, 'isLocal'>,
): PastRun[] {
  const byRun = new Map<string, Map<string, RunRecord>>();
  for (const record of records) {
    if (tables && !concerns(record, tables)) continue;
    const run = byRun.get(record.run_id) ?? new Map<string, RunRecord>();
    byRun.set(record.run_id, run);
    const key = JSON.stringify(record.table_name ?? [record.status]);
    if (!run.has(key)) run.set(key, record);
  }
  return [...byRun.values()]
    .map((run) => pastRun([...run.values()], tables))
    .filter((run) => (!since || run.startedAt >= since) && (!isFailedOnly || hasFailed(run)))
    .toSorted((a, b) => a.startedAt.getTime() - b.startedAt.getTime())
    .slice(-limit);
}

/** The tables without changes share one record. Only the chosen runs are divided, because there may be thousands of tables. */
const eachTable = (record: RunRecord, wanted: readonly string[] | undefined): RunRecord[] =>
  record.table_name !== null
    ? [record]
    : record.tables
        .filter((table) => !wanted || wanted.includes(table))
        .map((table, _, { length }) => ({
          ...recordFor(record, table),
          table_name: table,
          tables: [],
          warned_tables: null,
          duration_s: record.duration_s / length,
        }));

/** A run that only met tables of another run, or that a signal ended, has not failed. */
const hasFailed = (run: PastRun): boolean => ['partial', 'failed', 'killed'].includes(resultOf(run));

/** A signal, or the end of the process, is no event of the tables that were still to come. */
const concerns = ({ table_name, tables, error_code }: RunRecord, wanted: readonly string[]): boolean =>
  table_name === null
    ? error_code !== 'INTERRUPTED' && tables.some((table) => wanted.includes(table))
    : wanted.includes(table_name);

function pastRun(records: readonly RunRecord[], wanted: readonly string[] | undefined): PastRun {
  const sorted = records.toSorted((a, b) => startOf(a) - startOf(b));
  const isOfRun = ({ table_name, status }: RunRecord) => table_name === null && status === 'failed';
  const tables = sorted.filter((record) => !isOfRun(record));
  const ofRun = sorted.find(isOfRun);
  const failures = tables.filter(({ status }) => status === 'failed');
  const starts = sorted.map(startOf);
  const ends = sorted.map((record) => startOf(record) + record.duration_s * 1000);
  return {
    id: sorted[0]?.run_id ?? '',
    startedAt: new Date(Math.min(...starts)),
    durationSeconds: (Math.max(...ends) - Math.min(...starts)) / 1000,
    status:
      ofRun || (failures.length > 0 && failures.length === tables.length)
        ? 'failed'
        : failures.length > 0
          ? 'partial'
          : 'ok',
    tables,
    failure: ofRun ?? failures[0],
    notStarted: wanted ? [] : notStartedIn(records),
  };
}

function notStartedIn(records: readonly RunRecord[]): string[] {
  const done = new Set(
    records.flatMap(({ table_name, tables, status }) =>
      table_name !== null ? [table_name] : status === 'ok' ? tables : [],
    ),
  );
  return records
    .filter(({ status }) => status === 'failed')
    .flatMap(({ tables }) => tables.filter((table) => !done.has(table)));
}
