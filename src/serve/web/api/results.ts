/** What the read routes answer. Objects may get more fields. */
import { z } from '@hono/zod-openapi';
import { LOG_LEVELS } from '../../read/logs.ts';
import { blocker, failure, timeSchema } from './schemas.ts';

const maybeTime = timeSchema.nullable();
const maybeNumber = z.number().nullable();
const maybeText = z.string().nullable();

export const tableState = z
  .enum([
    ...(['crashed', 'schema_change', 'failing', 'stale', 'behind', 'running', 'queued'] as const),
    ...(['paused', 'never_synced', 'ok', 'disabled'] as const),
  ])
  .openapi('TableState');

const rowsWaiting = z
  .looseObject({
    rows: maybeNumber.describe('Null if the number is not known.'),
    is_more: z.boolean().describe('There may be more rows.'),
    at: maybeTime.describe('When the rows were counted.'),
  })
  .describe('Rows of the source that no sync has copied yet.');

const scheduleFields = { seconds: maybeNumber, expression: maybeText, time_zone: maybeText };

export const pipelineSummary = z
  .looseObject({
    pipeline: z.string(),
    tables: z.number(),
    trouble: z.number().describe('The number of tables that need attention.'),
    states: z.record(z.string(), z.number()),
    rows_waiting: rowsWaiting.extend({ unknown: z.number().describe('Tables whose number is not known.') }),
    problem: failure.nullable(),
    worst: z.looseObject({ table: z.string(), lag: z.number(), limit: maybeNumber }).nullable(),
    paused_since: maybeTime,
    next_due: maybeTime,
    schedule: z.looseObject(scheduleFields).nullable(),
    last: z.looseObject({ id: z.uuid(), state: z.string(), finished_at: timeSchema }).nullable(),
    rows: maybeNumber.describe('Rows of the last 24 hours.'),
    is_served: z
      .boolean()
      .describe('Whether a worker has its connections. If no worker has them, its runs wait.'),
    needs_attention: z
      .boolean()
      .describe('It has trouble, a problem or a schedule that is not valid, or no worker serves it.'),
  })
  .openapi('PipelineSummary');

const tableFields = {
  pipeline: z.string(),
  table: z.string(),
  state: tableState,
  since: maybeTime,
  lag: maybeNumber.describe('Seconds since the last success.'),
  lag_limit: maybeNumber,
  last_success_at: maybeTime,
  running_since: maybeTime,
  queued_since: maybeTime,
};
const outcomes = z.array(z.looseObject({ name: z.string(), status: z.string() })).nullable();
const tableInState = z.looseObject(tableFields).openapi('TableInState');
const pipelineInTrouble = z
  .looseObject({
    pipeline: z.string(),
    table: z.null(),
    state: z.enum(['not_valid', 'no_worker', 'no_schedule']),
    since: maybeTime.describe('Since when no worker can serve the pipeline.'),
    problem: failure,
  })
  .openapi('PipelineInTrouble');
const judgement = {
  needs_attention: z
    .boolean()
    .describe(
      'As on the page: crashed, failing, a schema change, later than its limit, or never synced for long.',
    ),
  error_code: maybeText.describe('Of the last sync, if it failed.'),
};
export const tableSummary = z
  .looseObject({ ...tableFields, ...judgement, rows_waiting: rowsWaiting, outcome: outcomes })
  .openapi('Table');

const attempt = z
  .looseObject({
    id: z.string(),
    pipeline: z.string(),
    table: maybeText,
    state: z.string(),
    started_at: timeSchema,
    finished_at: maybeTime,
    phase: maybeText,
    progress: z.looseObject({}),
    outcome: z.looseObject({}).nullable(),
    worker: z.string(),
    host: maybeText,
  })
  .openapi('Attempt');

const pause = z
  .looseObject({
    id: z.string(),
    pipeline: maybeText.describe('Null means everything.'),
    table: maybeText,
    reason: z.string(),
    detail: z.looseObject({}),
    by: z.string(),
    made_at: timeSchema,
    ends_at: maybeTime,
  })
  .openapi('Pause');

export const status = z.looseObject({
  now: timeSchema,
  pipelines: z.number(),
  tables: z.number(),
  tables_in_trouble: z.number(),
  pipelines_in_trouble: z.number().describe('Pipelines that need attention as a whole.'),
  attention: z
    .array(z.union([pipelineInTrouble, tableInState]))
    .describe(
      'At most 50 pipelines that need attention as a whole, then at most 50 tables, the worst first.',
    ),
  queue: z.object({ waiting: z.number(), active: z.number(), oldest_seconds: maybeNumber }),
  running: z.array(attempt),
  pauses: z.array(pause),
});

export const pipelineDetails = z.looseObject({
  pipeline: z.string(),
  jobs: z.number(),
  problem: failure.nullable(),
  definition: z
    .looseObject({ version: z.number(), source: z.string(), destinations: z.array(z.string()) })
    .nullable()
    .describe('As PUT takes it. Null for a directory.'),
  added_at: timeSchema,
  removed_at: maybeTime,
  states: z.record(z.string(), z.number()),
  schedules: z.array(
    z.looseObject({ entry: z.string(), due_at: timeSchema, problem: maybeText, ...scheduleFields }),
  ),
  workers: z.array(z.looseObject({ host: z.string(), serves: z.boolean(), lacks: maybeText })),
  pauses: z.array(pause),
});

export const tableDetails = z.looseObject({
  ...tableFields,
  ...judgement,
  rows_waiting: rowsWaiting,
  settings: z.looseObject({}),
  outcome: outcomes,
  crashes: z.number(),
  last_attempt_at: maybeTime,
  lags: z.array(z.looseObject({ at: timeSchema, seconds: z.number() })),
  attempts: z.array(attempt),
});

const runFields = {
  id: z.uuid(),
  pipeline: z.string(),
  kind: z.string(),
  options: z.looseObject({}),
  entry: maybeText,
  tables: z.array(z.string()).nullable(),
  origin: z.string(),
  by: z.string(),
  requested_at: timeSchema,
  state: z.enum(['queued', 'looking', 'running', 'ok', 'partial', 'failed', 'cancelled']),
  started_at: maybeTime,
  finished_at: maybeTime,
  quiet: z.number().describe('Tables without changes.'),
  error: failure.nullable(),
};
export const run = z
  .looseObject({
    ...runFields,
    ok: z.number(),
    failed: z.number(),
    waiting: z.number(),
    running: z.number(),
    blocked_by: blocker.optional(),
  })
  .openapi('Run');
export const runDetails = z.looseObject({
  ...runFields,
  result: z.looseObject({}).nullable().describe('The output of the command with --json.'),
  work: z.array(z.looseObject({ table: z.string(), state: z.string(), by: attempt.optional() })),
  look: attempt.optional(),
  blocked_by: blocker.optional(),
});

export const logLine = z
  .object({
    id: z.string(),
    at: timeSchema,
    level: z.enum(LOG_LEVELS),
    pipeline: z.string(),
    table: maybeText,
    attempt: z.string(),
    message: z.string(),
    fields: z.looseObject({}),
  })
  .openapi('LogLine');

export const worker = z
  .looseObject({
    id: z.uuid(),
    host: z.string(),
    version: z.string(),
    capacity: z.number(),
    state: z.enum(['working', 'stopping', 'stopped', 'lost']),
    started_at: timeSchema,
    seen_at: timeSchema,
    serves: z.array(z.string()),
    lacks: z.record(z.string(), z.string()),
    running: z.number(),
  })
  .openapi('Worker');

export const auditLine = z
  .looseObject({
    id: z.string(),
    at: timeSchema,
    actor: maybeText,
    action: z.string(),
    pipeline: maybeText,
    table: maybeText,
    status: z.number(),
    detail: z.looseObject({}),
  })
  .openapi('AuditLine');
