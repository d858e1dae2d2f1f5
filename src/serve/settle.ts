/** What becomes of a claim: it is done, given back, or lost with its worker. Each end is one transaction. */
import type { RunSummary } from '../events.ts';
import type { ControlDatabase, ControlSession } from '../postgres/control-database.ts';
import { tableToJson } from '../report/summary-json.ts';
import { END_ATTEMPT, END_RUN_TABLES } from '../sql/control/claims.ts';
import { ADD_RUN_TABLES, END_LOOK } from '../sql/control/runs.ts';
import type { ClaimedJob, RunScope } from './claim.ts';
import type { Progress } from './hold-job.ts';
import {
  failureOf,
  listTables,
  recordPeriod,
  recordTables,
  type RecordedOutcome,
  type TableListing,
} from './records.ts';
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
  }[];
}

export async function settleLook(
  control: ControlDatabase,
  queue: Queue,
  { attempt, job, pipeline }: ClaimedJob,
  { source, summary, found, listing }: LookResult,
): Promise<JobEnd> {
  return control.transaction(async (session) => {
    if (!(await endsJob(session, queue, { attempt, job }, {}))) return 'superseded';
    await listTables(session, pipeline, listing);
    await recordTables(session, pipeline, summary.tables);
    const tables = [...new Set(found.flatMap(({ withWork }) => withWork))];
    for (const { run, withWork, quiet } of found) {
      if (withWork.length > 0) await session.query(ADD_RUN_TABLES, [run.id, pipeline, withWork]);
      await session.query(END_LOOK, [run.id, quiet, failureOf(summary.error)]);
    }
    if (!summary.error) await queue.sendTables(session, { pipeline, source, tables });
    return 'done';
  });
}

interface TableResult {
  readonly summary: RunSummary;
  readonly progress: Progress;
}

export async function settleTable(
  control: ControlDatabase,
  queue: Queue,
  { attempt, job, pipeline }: ClaimedJob,
  { summary, progress }: TableResult,
): Promise<JobEnd> {
  return control.transaction(async (session) => {
    const outcome = { error: failureOf(summary.error), tables: summary.tables.map(tableToJson) };
    if (!(await endsJob(session, queue, { attempt, job }, { outcome, progress }))) return 'superseded';
    const table = job.data.table ?? '';
    await recordTables(session, pipeline, summary.error ? unreached(summary, table) : summary.tables);
    await recordPeriod(session, pipeline, summary);
    const own = summary.tables.filter(({ name }) => name === table);
    const isOk = !summary.error && own.every(({ status }) => status !== 'failed');
    await endRunTables(session, attempt, isOk);
    return 'done';
  });
}

/** The worker must stop. This is no crash. */
export async function giveBack(
  control: ControlDatabase,
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

async function endRunTables(session: ControlSession, attempt: string, isOk: boolean): Promise<void> {
  await endRuns(session, await session.query(END_RUN_TABLES, [attempt, isOk ? 'ok' : 'failed']));
}

/** The run ended before the table, for example because the source is down. */
const unreached = ({ tables, error }: RunSummary, name: string): readonly RecordedOutcome[] =>
  tables.some((outcome) => outcome.name === name)
    ? tables
    : [...tables, { name, status: 'failed', error: failureOf(error) }];
