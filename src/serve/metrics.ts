/** Metrics of the service, from the control database. */
import * as z from 'zod';
import { exposition, type Family, type Sample } from '../observe/metrics/exposition.ts';
import type { ControlSession } from '../postgres/control-database.ts';
import {
  ERROR_METRICS,
  PIPELINE_METRICS,
  TABLE_METRICS,
  TOTAL_METRICS,
  WORKER_METRICS,
} from '../sql/control/runs.ts';
import { version } from '../version.ts';

const pipelineRow = z.object({
  pipeline: z.string(),
  hasProblem: z.boolean(),
  isServed: z.boolean(),
  queued: z.number(),
  running: z.number(),
  queueAge: z.number().nullable(),
});
const tableRow = z.object({
  pipeline: z.string(),
  table: z.string(),
  state: z.string(),
  crashes: z.number(),
  lastSuccess: z.number().nullable(),
  /** Seconds since the last success. */
  lag: z.number().nullable(),
  rowsWaiting: z.number().nullable(),
});
const totalRow = z.object({
  pipeline: z.string(),
  ...{ synced: z.number(), failed: z.number(), inserted: z.number(), updated: z.number() },
  ...{ deleted: z.number(), conflicts: z.number(), bytes: z.number() },
});
const errorRow = z.object({ pipeline: z.string(), code: z.string(), tables: z.number() });
const workerRow = z.object({ workers: z.number(), capacity: z.number() });

export async function serviceMetrics(session: ControlSession, silentSeconds: number): Promise<string> {
  const pipelines = z.array(pipelineRow).parse((await session.query(PIPELINE_METRICS, [silentSeconds])).rows);
  const tables = z.array(tableRow).parse((await session.query(TABLE_METRICS)).rows);
  const workers = workerRow.parse((await session.query(WORKER_METRICS, [silentSeconds])).rows[0]);
  const totals = z.array(totalRow).parse((await session.query(TOTAL_METRICS)).rows);
  const errors = z.array(errorRow).parse((await session.query(ERROR_METRICS)).rows);
  const counter = (name: string, help: string, samples: readonly Sample[]): Family => ({
    ...{ name: `increp_service_${name}_total`, help, type: 'counter', samples },
  });
  const ofTotals = (
    value: (row: z.infer<typeof totalRow>) => number,
    labels: Readonly<Record<string, string>> = {},
  ) => totals.map((row) => ({ labels: { pipeline: row.pipeline, ...labels }, value: value(row) }));
  const gauge = (name: string, help: string, samples: readonly Sample[]): Family => ({
    ...{ name: `increp_service_${name}`, help, type: 'gauge', samples },
  });
  const ofPipelines = (value: (row: z.infer<typeof pipelineRow>) => number | undefined) =>
    pipelines.map((row) => ({ labels: { pipeline: row.pipeline }, value: value(row) }));
  const ofTables = (value: (row: z.infer<typeof tableRow>) => number | undefined) =>
    tables.map((row) => ({ labels: { pipeline: row.pipeline, table: row.table }, value: value(row) }));
  return exposition([
    gauge('info', 'The version of the service.', [{ labels: { version: version() }, value: 1 }]),
    gauge('workers', 'Workers with a recent sign of life.', [{ labels: {}, value: workers.workers }]),
    gauge('worker_capacity', 'Tables that these workers can sync at the same time.', [
      { labels: {}, value: workers.capacity },
    ]),
    gauge(
      'pipeline_problem',
      'Whether tables-config.json of the pipeline cannot be used.',
      ofPipelines(({ hasProblem }) => Number(hasProblem)),
    ),
    gauge(
      'pipeline_served',
      'Whether a worker has the connections of the pipeline.',
      ofPipelines(({ isServed }) => Number(isServed)),
    ),
    gauge(
      'queue_jobs',
      'Jobs that wait for a worker.',
      ofPipelines(({ queued }) => queued),
    ),
    gauge(
      'running_jobs',
      'Jobs of workers.',
      ofPipelines(({ running }) => running),
    ),
    gauge(
      'queue_age_seconds',
      'Age of the oldest job that waits for a worker.',
      ofPipelines(({ queueAge }) => queueAge ?? undefined),
    ),
    gauge(
      'table_last_success_timestamp_seconds',
      'When the last sync of the table succeeded, or found no changes.',
      ofTables(({ lastSuccess }) => lastSuccess ?? undefined),
    ),
    gauge(
      'table_lag_seconds',
      'Seconds since the last sync of the table that succeeded, or found no changes.',
      ofTables(({ lag }) => lag ?? undefined),
    ),
    gauge(
      'table_rows_waiting',
      'Rows of the source that no sync has copied yet, at the last look. At most 10,000 are counted.',
      ofTables(({ rowsWaiting }) => rowsWaiting ?? undefined),
    ),
    gauge(
      'failing_tables',
      'Tables whose last sync failed, by the code of the error.',
      errors.map(({ pipeline, code, tables: count }) => ({ labels: { pipeline, code }, value: count })),
    ),
    counter('syncs', 'Syncs of tables, by result.', [
      ...ofTotals(({ synced }) => synced, { result: 'ok' }),
      ...ofTotals(({ failed }) => failed, { result: 'failed' }),
    ]),
    counter('rows', 'Rows written, by operation.', [
      ...ofTotals(({ inserted }) => inserted, { operation: 'inserted' }),
      ...ofTotals(({ updated }) => updated, { operation: 'updated' }),
      ...ofTotals(({ deleted }) => deleted, { operation: 'deleted' }),
    ]),
    counter(
      'conflicts',
      'Rows that the source and others had changed.',
      ofTotals(({ conflicts }) => conflicts),
    ),
    counter(
      'bytes',
      'Bytes read from the source.',
      ofTotals(({ bytes }) => bytes),
    ),
    gauge(
      'table_failing',
      'Whether the last sync of the table failed.',
      ofTables(({ state }) => Number(state === 'failing' || state === 'crashed')),
    ),
    gauge(
      'table_crashes',
      'Workers that were lost at the table since its last sync.',
      ofTables(({ crashes }) => crashes),
    ),
  ]);
}
