/** One pipeline: what it is, its tables and its schedules. */
import * as z from 'zod';
import { definitionSchema } from '../../config/service/definition.ts';
import type { ControlSession } from '../../postgres/control-database.ts';
import {
  READ_PIPELINE,
  READ_SCHEDULES_OF,
  READ_SERVING,
  READ_STATE_COUNTS,
  readTables,
  type TableOrder,
} from '../../sql/control/read/details.ts';
import {
  failure,
  maybeTime,
  rowsWaiting,
  schedule,
  tableInState,
  tableOutcome,
  tableState,
  time,
  type TableState,
} from './rows.ts';

const described = z.object({
  source: z.string(),
  destinations: z.array(z.string()),
  settings: z.array(z.object({ name: z.string(), value: z.string(), from: z.string() })),
});

const pipeline = z.object({
  pipeline: z.string(),
  /** Tables of its source that are synced at the same time. */
  jobs: z.number(),
  problem: failure.nullable(),
  /** Null until a worker has read the configuration. */
  described: described.nullable(),
  /** Null for a directory. */
  definition: definitionSchema.nullable(),
  version: z.number(),
  addedAt: time,
  removedAt: maybeTime,
  now: time,
});
const pipelineRow = pipeline.transform(({ definition, version, ...row }) => ({
  ...row,
  definition: definition && { version, ...definition },
}));
export type PipelineDetails = z.infer<typeof pipelineRow>;

export async function readPipeline(
  session: ControlSession,
  name: string,
): Promise<PipelineDetails | undefined> {
  return pipelineRow.optional().parse((await session.query(READ_PIPELINE, [name])).rows[0]);
}

const servingRow = z.object({
  host: z.string(),
  process: z.number(),
  serves: z.boolean(),
  /** Why it does not serve the pipeline. */
  lacks: z.string().nullable(),
});
export type ServingRow = z.infer<typeof servingRow>;

/** The workers, and whether they have the connections of the pipeline. */
export async function readServing(
  session: ControlSession,
  name: string,
  silentSeconds: number,
): Promise<readonly ServingRow[]> {
  return z.array(servingRow).parse((await session.query(READ_SERVING, [name, silentSeconds])).rows);
}

const scheduleRow = schedule.extend({ entry: z.string(), dueAt: time, problem: z.string().nullable() });
export type ScheduleDetails = z.infer<typeof scheduleRow>;

export async function readSchedules(
  session: ControlSession,
  name: string,
): Promise<readonly ScheduleDetails[]> {
  return z.array(scheduleRow).parse((await session.query(READ_SCHEDULES_OF, [name])).rows);
}

const tableRow = tableInState.extend({
  rowsWaiting,
  needsAttention: z.boolean(),
  errorCode: z.string().nullable(),
  outcome: z.array(tableOutcome).nullable(),
  entry: z.string(),
  nextDue: maybeTime,
  /** Syncs with work of the last 24 hours, their durations in seconds and their rows. */
  syncs: z.number().nullable(),
  p50: z.number().nullable(),
  p95: z.number().nullable(),
  rows: z.number().nullable(),
  found: z.number(),
});
export type TableRow = z.infer<typeof tableRow>;

export interface TablesRequest {
  readonly pipeline: string;
  readonly search: string;
  readonly state: TableState | '';
  readonly order: TableOrder;
  readonly limit: number;
  readonly offset: number;
}

export async function readTableList(
  session: ControlSession,
  { pipeline: name, search, state, order, limit, offset }: TablesRequest,
): Promise<readonly TableRow[]> {
  const { rows } = await session.query(readTables(order), [name, search, state, limit, offset]);
  return z.array(tableRow).parse(rows);
}

const countRow = z.object({ state: tableState, count: z.number() });

export async function readStateCounts(
  session: ControlSession,
  name: string,
): Promise<Readonly<Partial<Record<TableState, number>>>> {
  const rows = z.array(countRow).parse((await session.query(READ_STATE_COUNTS, [name])).rows);
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
}
