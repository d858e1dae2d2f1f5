/** What becomes of a claim: it is done, given back, or lost with its worker. Each end is one transaction. */
import type { RunSummary, WaitingRows } from '../events.ts';
import type { ControlDatabase, ControlSession } from '../postgres/control-database.ts';
import { tableToJson, type ErrorJson } from '../report/summary-json.ts';
import { END_ATTEMPT, END_RUN_TABLES, LOCK_SENDS } from '../sql/control/claims.ts';
import { ADD_RUN_TABLES, END_COMMAND, END_LOOK, SAVE_SOURCE } from '../sql/control/runs.ts';
import type { ClaimedJob, RunScope } from './claim.ts';
import type { Progress } from './hold-job.ts';
import {
  failureOf,
  listTables,
  recordPeriod,
  recordTables,
  recordWaiting,
  type RecordedOutcome,
  type TableListing,
} from './records.ts';
import { pausedTables } from './paused-tables.ts';
import type { Queue } from './queue.ts';
import { endRuns, requeueRuns } from './waiting-runs.ts';

/** `superseded`: the queue has given the job to another worker, so this result counts for nothing. */
export type JobEnd = 'done' | 'superseded';

export interface LookResult {
  /** The group of the jobs: a server with one limit. */
  readonly source: string;
  readonly summary: RunSummary;
  readonly listing: TableListing;
  /** For each run, the tables that have work, and the number of those without. */
  readonly found: readonly {
    readonly run: RunScope;
    readonly withWork: readonly string[];
    readonly quiet: number;
    /** Why the run syncs no table. */
    readonly refusal?: ErrorJson;
  }[];
  /** One for each table with work and each paused table. */
  readonly waiting: readonly WaitingRows[];
}

type Transactions = Pick<ControlDatabase, 'transaction'>;

export async function settleLook(
  control: Transactions,
  queue: Queue,
  { attempt, job, pipeline }: ClaimedJob,
  { source, summary, found, waiting, listing }: LookResult,
): Promise<JobEnd> {
  return control.transaction(async (session) => {
    await session.query(LOCK_SENDS);
    if (!(await endsJob(session, queue, { attempt, job }, {}))) return 'superseded';
    await listTables(session, pipeline, listing);
    // Somebody may have paused a table during the look.
    const paused = await pausedTables(session, pipeline);
    const isWanted = (name: string) => !paused.some(({ table }) => table === name);
    const tables = [...new Set(found.flatMap(({ withWork }) => withWork))].filter(isWanted);
    const failed = summary.error ? tables.flatMap((table) => unreached(summary, table)) : [];
    await recordTables(session, pipeline, [...summary.tables, ...failed]);
    await recordWaiting(session, pipeline, { attempt, waiting });
    for (const { run, withWork, quiet, refusal = null } of found) {
      const own = summary.error ? [] : withWork.filter(isWanted);
      if (own.length > 0) await session.query(ADD_RUN_TABLES, [run.id, pipeline, own]);
      await session.query(END_LOOK, [run.id, quiet, failureOf(summary.error) ?? refusal]);
    }
    await session.query(SAVE_SOURCE, [pipeline, source]);
    if (!summary.error) await queue.sendTables(session, { pipeline, source, tables });
    return 'done';
  });
}

interface TableResult {
  readonly summary: RunSummary;
  /** Then the service keeps no state of the table. */
  readonly isGone?: boolean;
  readonly progress: Progress;
}

export async function settleTable(
  control: Transactions,
  queue: Queue,
  { attempt, job, pipeline }: ClaimedJob,
  { summary, isGone = false, progress }: TableResult,
): Promise<JobEnd> {
  return control.transaction(async (session) => {
    const outcome = { error: failureOf(summary.error), tables: summary.tables.map(tableToJson) };
    if (!(await endsJob(session, queue, { attempt, job }, { outcome, progress }))) return 'superseded';
    const table = job.data.table ?? '';
    const unknown = summary.error && !isGone ? unreached(summary, table) : [];
    await recordTables(session, pipeline, [...summary.tables, ...unknown]);
    await recordPeriod(session, pipeline, summary);
    const own = summary.tables.filter(({ name }) => name === table);
    const hasFailed = summary.error !== undefined || own.some(({ status }) => status === 'failed');
    const isDeferred = own.some(({ isDeferred: is }) => is);
    await endRunTables(session, attempt, hasFailed ? 'failed' : isDeferred ? 'deferred' : 'ok');
    return 'done';
  });
}

export interface CommandResult {
  readonly isOk: boolean;
  /** What the command printed with --json. */
  readonly document: object | null;
  readonly error: ErrorJson | null;
}

export async function settleCommand(
  control: ControlDatabase,
  queue: Queue,
  { attempt, job, run }: Pick<ClaimedJob, 'attempt' | 'job'> & { readonly run: string },
  { isOk, document, error }: CommandResult,
): Promise<JobEnd> {
  return control.transaction(async (session) => {
    if (!(await endsJob(session, queue, { attempt, job }, {}))) return 'superseded';
    await session.query(END_COMMAND, [run, isOk ? 'ok' : 'failed', document, error]);
    return 'done';
  });
}

/** Nobody waits for the result any more. */
export async function settleCancelled(
  control: ControlDatabase,
  queue: Queue,
  { attempt, job }: ClaimedJob,
): Promise<JobEnd> {
  return control.transaction(async (session) => {
    if (!(await queue.complete(session, job))) return 'superseded';
    await session.query(END_ATTEMPT, [attempt, 'cancelled', null, null]);
    // A request that came after the cancellation gets the next attempt.
    await requeueRuns(session, attempt);
    return 'done';
  });
}

/** The worker must stop. This is no crash. */
export async function giveBack(
  control: Transactions,
  queue: Queue,
  { attempt, job }: ClaimedJob,
): Promise<JobEnd> {
  return control.transaction(async (session) => {
    if (!(await queue.giveBack(session, job))) return 'superseded';
    await session.query(END_ATTEMPT, [attempt, 'returned', null, null]);
    await requeueRuns(session, attempt);
    return 'done';
  });
}

export const markSuperseded = (control: ControlSession, { attempt }: ClaimedJob) =>
  control.query(END_ATTEMPT, [attempt, 'superseded', null, null]);

async function endsJob(
  session: ControlSession,
  queue: Queue,
  { attempt, job }: Pick<ClaimedJob, 'attempt' | 'job'>,
  { outcome, progress }: { readonly outcome?: object; readonly progress?: Progress },
): Promise<boolean> {
  if (!(await queue.complete(session, job))) return false;
  const { rowCount } = await session.query(END_ATTEMPT, [attempt, 'done', outcome ?? null, progress ?? null]);
  return rowCount === 1;
}

async function endRunTables(
  session: ControlSession,
  attempt: string,
  state: 'ok' | 'failed' | 'deferred',
): Promise<void> {
  await endRuns(session, await session.query(END_RUN_TABLES, [attempt, state]));
}

/** The run may have ended before the table, for example because the source is down. */
const unreached = ({ tables, error }: RunSummary, name: string): readonly RecordedOutcome[] =>
  tables.some((outcome) => outcome.name === name)
    ? []
    : [{ name, status: 'failed', error: failureOf(error) }];
