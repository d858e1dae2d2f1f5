/** All pipelines at a glance. The number of statements does not depend on the number of pipelines and tables. */
import * as z from 'zod';
import type { ControlSession } from '../../postgres/control-database.ts';
import { READ_OVERVIEW, READ_PERIODS } from '../../sql/control/read/overview.ts';
import { troubledPipeline } from './pipeline-trouble.ts';
import {
  failure,
  maybeTime,
  rowsWaiting,
  schedule,
  tableInState,
  tableOutcome,
  tableState,
  time,
  type VisiblePipelines,
} from './rows.ts';

const attentionRow = tableInState.extend({
  crashes: z.number(),
  outcome: z.array(tableOutcome).nullable(),
});

export type AttentionRow = z.infer<typeof attentionRow>;

const pipelineRow = z.object({
  pipeline: z.string(),
  tables: z.number(),
  trouble: z.number(),
  states: z.partialRecord(tableState, z.number()),
  /** Of all tables; the time is that of the oldest count. */
  rowsWaiting: rowsWaiting.extend({ unknown: z.number() }),
  /** What is wrong with its tables-config.json. */
  problem: failure.nullable(),
  /** The table with the largest lag, measured by its limit. */
  worst: z.object({ table: z.string(), lag: z.number(), limit: z.number().nullable() }).nullable(),
  pausedSince: maybeTime,
  nextDue: maybeTime,
  schedule: schedule.nullable(),
  scheduleProblem: z.string().nullable(),
  last: z.object({ id: z.string(), state: z.string(), finishedAt: time }).nullable(),
  /** Rows in each quarter of an hour that had some, of 24 hours. */
  periods: z.array(z.object({ at: time, rows: z.number() })).nullable(),
  rows: z.number().nullable(),
  /** Whether a worker has its connections. */
  isServed: z.boolean(),
});

export type PipelineRow = z.infer<typeof pipelineRow>;

const overview = z.object({
  now: time,
  tables: z.number(),
  tablesInTrouble: z.number(),
  states: z.partialRecord(tableState, z.number()),
  pipelines: z.number(),
  pipelinesFound: z.number(),
  /** At most 50, the worst first, then the newest. */
  attention: z.array(attentionRow),
  pipelinesInTrouble: z.number(),
  /** At most 50. */
  troubledPipelines: z.array(troubledPipeline),
  pipelineRows: z.array(pipelineRow),
});
export type Overview = z.infer<typeof overview>;

const periodRow = z.object({
  at: time,
  synced: z.number(),
  failed: z.number(),
  inserted: z.number(),
  updated: z.number(),
  deleted: z.number(),
  conflicts: z.number(),
  bytes: z.number(),
});
export type PeriodRow = z.infer<typeof periodRow>;

export interface OverviewRequest {
  readonly visible: VisiblePipelines;
  /** A part of the name of pipelines. */
  readonly search: string;
  readonly limit: number;
  readonly offset: number;
  /** Seconds without a sign of life after which a worker is lost. */
  readonly silentSeconds: number;
}

export async function readOverview(
  session: ControlSession,
  { visible, search, limit, offset, silentSeconds }: OverviewRequest,
): Promise<Overview> {
  const { rows } = await session.query(READ_OVERVIEW, [visible, search, limit, offset, silentSeconds]);
  return overview.parse(rows[0]);
}

/** Of 24 hours, oldest first. */
export async function readPeriods(
  session: ControlSession,
  visible: VisiblePipelines,
): Promise<readonly PeriodRow[]> {
  return z.array(periodRow).parse((await session.query(READ_PERIODS, [visible])).rows);
}
