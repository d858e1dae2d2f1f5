/** Runs: requests to sync a pipeline, and what became of them. */
import * as z from 'zod';
import type { ControlSession } from '../../postgres/control-database.ts';
import { READ_RUN_ATTEMPTS } from '../../sql/control/read/activity.ts';
import { READ_RUN, READ_RUN_TABLES, READ_RUNS } from '../../sql/control/read/details.ts';
import { readBlocker, type Blocker } from './pipeline-trouble.ts';
import { attempt, failure, maybeTime, time, type AttemptRow, type VisiblePipelines } from './rows.ts';

const run = z.object({
  id: z.string(),
  pipeline: z.string(),
  /** The entry of the schedule. Null for a request. */
  entry: z.string().nullable(),
  tables: z.array(z.string()).nullable(),
  origin: z.enum(['schedule', 'request', 'hook']),
  kind: z.enum(['sync', 'plan', 'check', 'verify', 'reset']),
  /** `full_refresh`, `deletes`, `verify` and `max_duration_s`, if the request has them. */
  options: z.record(z.string(), z.unknown()),
  by: z.string(),
  requestedAt: time,
  dueAt: maybeTime,
  missed: z.number(),
  state: z.string(),
  startedAt: maybeTime,
  finishedAt: maybeTime,
  /** Tables without changes. */
  quiet: z.number(),
  error: failure.nullable(),
});
const countedRun = run.extend({
  /** Tables with work. */
  ok: z.number(),
  failed: z.number(),
  waiting: z.number(),
  running: z.number(),
});
export type RunRow = z.infer<typeof countedRun>;

interface RunsRequest {
  readonly visible: VisiblePipelines;
  /** Null for all pipelines. */
  readonly pipeline: string | null;
  readonly before?: Date;
  /** The ID of a run. Only runs that are older. */
  readonly beforeRun?: string | undefined;
  readonly limit: number;
  /** Leaves out runs that found no changes. */
  readonly withoutQuiet?: boolean;
}

/** Newest first. */
export async function readRuns(
  session: ControlSession,
  { visible, pipeline, before, beforeRun, limit, withoutQuiet = false }: RunsRequest,
): Promise<readonly RunRow[]> {
  const values = [visible, pipeline, before ?? null, limit, withoutQuiet, beforeRun ?? null];
  return z.array(countedRun).parse((await session.query(READ_RUNS, values)).rows);
}

interface Waiting extends Pick<RunRow, 'state' | 'pipeline' | 'finishedAt' | 'options'> {
  /** Whether tables of the run are in the queue. */
  readonly hasQueued: boolean;
}

/** A preview does not belong to the pipeline. */
const mayBeBlocked = ({ state, finishedAt, options, hasQueued }: Waiting): boolean =>
  (state === 'queued' || (!finishedAt && hasQueued)) && options['preview'] !== true;

/** Each run with the reason why it, or the rest of it, does not begin. */
export async function withBlockers(
  session: ControlSession,
  runs: readonly RunRow[],
  silentSeconds: number,
): Promise<readonly (RunRow & Pick<RunDetails, 'blockedBy'>)[]> {
  const waiting = runs.filter((each) => mayBeBlocked({ ...each, hasQueued: each.waiting > 0 }));
  const blockers = new Map<string, Blocker | undefined>();
  for (const pipeline of new Set(waiting.map((each) => each.pipeline)))
    blockers.set(pipeline, await readBlocker(session, pipeline, silentSeconds));
  return runs.map((each) => ({
    ...each,
    blockedBy: waiting.includes(each) ? blockers.get(each.pipeline) : undefined,
  }));
}

const runTable = z.object({
  table: z.string(),
  state: z.enum(['queued', 'running', 'ok', 'failed', 'deferred', 'cancelled']),
  attempt: z.string().nullable(),
});

export interface RunDetails extends z.infer<typeof run> {
  readonly now: Date;
  /** What a command printed with --json. */
  readonly result: Readonly<Record<string, unknown>> | null;
  /** Tables with work, failures first. */
  readonly work: readonly (z.infer<typeof runTable> & { readonly by: AttemptRow | undefined })[];
  /** Why the run, or the rest of it, does not begin. */
  readonly blockedBy: Blocker | undefined;
  /** The look for tables with work. */
  readonly look: AttemptRow | undefined;
}

/** @param id any text of a user */
export async function readRun(
  session: ControlSession,
  id: string,
  silentSeconds: number,
): Promise<RunDetails | undefined> {
  if (!z.uuid().safeParse(id).success) return undefined;
  const found = run
    .extend({ now: time, result: z.record(z.string(), z.unknown()).nullable() })
    .optional()
    .parse((await session.query(READ_RUN, [id])).rows[0]);
  if (!found) return undefined;
  const tables = z.array(runTable).parse((await session.query(READ_RUN_TABLES, [id])).rows);
  const attempts = z.array(attempt).parse((await session.query(READ_RUN_ATTEMPTS, [id])).rows);
  const isBlockable = mayBeBlocked({ ...found, hasQueued: tables.some(({ state }) => state === 'queued') });
  return {
    ...found,
    blockedBy: isBlockable ? await readBlocker(session, found.pipeline, silentSeconds) : undefined,
    work: tables.map((each) => ({ ...each, by: attempts.find((one) => one.id === each.attempt) })),
    look: attempts.find((one) => one.table === null),
  };
}
