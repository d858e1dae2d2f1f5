/** The rows of the control database that several read models have. */
import * as z from 'zod';
import { conflictCountsSchema } from '../../conflicts.ts';

/** Dates come as such, or as text inside JSON. */
export const time = z.coerce.date();
export const maybeTime = z.union([z.null(), time]);
const count = z.number();

/** The worst first. */
export const TABLE_STATES = [
  ...(['crashed', 'schema_change', 'failing', 'stale', 'behind', 'running', 'queued'] as const),
  ...(['paused', 'never_synced', 'ok', 'disabled'] as const),
] as const;
export const tableState = z.enum(TABLE_STATES);
export type TableState = z.infer<typeof tableState>;

export const failure = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string(),
  sqlstate: z.string().nullable().default(null),
});

export type FailureRow = z.infer<typeof failure>;

/** The result of a table at one destination, as in the summary of `increp sync --json`. */
export const tableOutcome = z.object({
  name: z.string(),
  destination: z.string().optional(),
  status: z.enum(['ok', 'failed', 'skipped']),
  action: z.string().optional(),
  reason: z.string().optional(),
  rows_read: count.default(0),
  rows_inserted: count.default(0),
  rows_updated: count.default(0),
  rows_unchanged: count.default(0),
  rows_deleted: count.default(0),
  conflicts: conflictCountsSchema.nullish(),
  bytes: count.default(0),
  duration_s: count.nullish(),
  cursor: z.string().nullish(),
  warnings: z.array(z.string()).default([]),
  error: failure.nullish(),
});
export type OutcomeRow = z.infer<typeof tableOutcome>;

const progress = z.object({
  phases: z.array(z.object({ phase: z.string(), at: count, destination: z.string().optional() })).default([]),
  seconds: count.default(0),
  bytes: count.default(0),
  rows: count.nullable().default(null),
  estimatedRows: count.nullable().default(null),
  action: z.string().nullable().default(null),
  waitsFor: z.string().nullable().default(null),
  chunks: z.object({ done: count, of: count }).nullable().default(null),
});
export type ProgressRow = z.infer<typeof progress>;

export const attempt = z.object({
  id: z.string(),
  pipeline: z.string(),
  /** Null for a look at all tables of the pipeline. */
  table: z.string().nullable(),
  state: z.enum(['running', 'done', 'returned', 'crashed', 'superseded', 'cancelled']),
  startedAt: time,
  finishedAt: maybeTime,
  /** From 0. */
  jobAttempt: count,
  phase: z.string().nullable(),
  phaseAt: maybeTime,
  progress,
  outcome: z.object({ error: failure.nullish(), tables: z.array(tableOutcome) }).nullable(),
  worker: z.string(),
  /** Null if the worker is no longer known. */
  host: z.string().nullable(),
  process: count.nullable(),
});
export type AttemptRow = z.infer<typeof attempt>;

/** Rows of the source that no sync has copied yet. */
export const rowsWaiting = z.object({
  /** Null if the number is not known. */
  rows: count.nullable(),
  isMore: z.boolean(),
  /** When they were counted. */
  at: maybeTime,
});
export type WaitingCount = z.infer<typeof rowsWaiting>;

/** A table in a list. */
export const tableInState = z.object({
  pipeline: z.string(),
  table: z.string(),
  state: tableState,
  since: maybeTime,
  /** Seconds since the last success. */
  lag: count.nullable(),
  lagLimit: count.nullable(),
  lastSuccessAt: maybeTime,
  runningSince: maybeTime,
  queuedSince: maybeTime,
});

export const schedule = z.object({
  seconds: count.nullable(),
  expression: z.string().nullable(),
  timeZone: z.string().nullable(),
});
export type ScheduleText = z.infer<typeof schedule>;

/** Null means all pipelines. */
export type VisiblePipelines = readonly string[] | null;
