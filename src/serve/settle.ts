/** What becomes of a claim: it is done, given back, or lost with its worker. Each end is one transaction. */
import type { Failure, RunSummary, TableOutcome } from '../events.ts';
import type { ControlDatabase, ControlSession } from '../postgres/control-database.ts';
import { failureToJson, tableToJson } from '../report/summary-json.ts';
import { END_ATTEMPT, END_RUN_TABLES, LOCK_SENDS, RECORD_TABLE } from '../sql/control/claims.ts';
import { ADD_RUN_TABLES, END_LOOK } from '../sql/control/runs.ts';
import type { ClaimedJob, RunScope } from './claim.ts';
import type { Queue } from './queue.ts';
import { endRuns, requeueRuns } from './waiting-runs.ts';

/** `superseded`: the queue has given the job to another worker, so this result counts for nothing. */
export type JobEnd = 'done' | 'superseded';

export interface LookResult {
  /** The group of the jobs: a server with one limit. */
  readonly source: string;
  readonly summary: RunSummary;
  /** For each run, the tables that have work, and the number of those without. */
  readonly found: readonly {
    readonly run: RunScope;
    readonly withWork: readonly string[];
    readonly quiet: number;
  }[];
}

type Transactions = Pick<ControlDatabase, 'transaction'>;

export async function settleLook(
  control: Transactions,
  queue: Queue,
  { attempt, job, pipeline }: ClaimedJob,
  { source, summary, found }: LookResult,
): Promise<JobEnd> {
  return control.transaction(async (session) => {
    await session.query(LOCK_SENDS);
    if (!(await endsJob(session, queue, { attempt, job }, null))) return 'superseded';
    const tables = [...new Set(found.flatMap(({ withWork }) => withWork))];
    const failed = summary.error ? tables.flatMap((table) => unreached(summary, table)) : [];
    await recordTables(session, pipeline, [...summary.tables, ...failed]);
    for (const { run, withWork, quiet } of found) {
      if (withWork.length > 0 && !summary.error)
        await session.query(ADD_RUN_TABLES, [run.id, pipeline, withWork]);
      await session.query(END_LOOK, [run.id, quiet, failureOf(summary.error)]);
    }
    if (!summary.error) await queue.sendTables(session, { pipeline, source, tables });
    return 'done';
  });
}

export async function settleTable(
  control: Transactions,
  queue: Queue,
  { attempt, job, pipeline }: ClaimedJob,
  summary: RunSummary,
): Promise<JobEnd> {
  return control.transaction(async (session) => {
    const outcome = { error: failureOf(summary.error), tables: summary.tables.map(tableToJson) };
    if (!(await endsJob(session, queue, { attempt, job }, outcome))) return 'superseded';
    const table = job.data.table ?? '';
    const unknown = summary.error ? unreached(summary, table) : [];
    await recordTables(session, pipeline, [...summary.tables, ...unknown]);
    const own = summary.tables.filter(({ name }) => name === table);
    const isOk = !summary.error && own.every(({ status }) => status !== 'failed');
    await endRunTables(session, attempt, isOk);
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
    await session.query(END_ATTEMPT, [attempt, 'returned', null]);
    await requeueRuns(session, attempt);
    return 'done';
  });
}

export const markSuperseded = (control: ControlSession, { attempt }: ClaimedJob) =>
  control.query(END_ATTEMPT, [attempt, 'superseded', null]);

async function endsJob(
  session: ControlSession,
  queue: Queue,
  { attempt, job }: Pick<ClaimedJob, 'attempt' | 'job'>,
  outcome: object | null,
): Promise<boolean> {
  if (!(await queue.complete(session, job))) return false;
  const { rowCount } = await session.query(END_ATTEMPT, [attempt, 'done', outcome]);
  return rowCount === 1;
}

async function endRunTables(session: ControlSession, attempt: string, isOk: boolean): Promise<void> {
  await endRuns(session, await session.query(END_RUN_TABLES, [attempt, isOk ? 'ok' : 'failed']));
}

const failureOf = (failure: Failure | undefined): object | null => (failure ? failureToJson(failure) : null);

/** A table has one state for all its destinations: it is ok if all of them are. */
async function recordTables(
  session: ControlSession,
  pipeline: string,
  outcomes: readonly RecordedOutcome[],
): Promise<void> {
  const tried = outcomes.filter(({ status }) => status !== 'skipped');
  const rows = [...Map.groupBy(tried, ({ name }) => name)].map(([name, same]) => ({
    name,
    ok: same.every(({ status }) => status === 'ok'),
    outcome: same.map((each) => ('action' in each ? tableToJson(each) : each)),
  }));
  if (rows.length > 0) await session.query(RECORD_TABLE, [pipeline, JSON.stringify(rows)]);
}

type RecordedOutcome =
  TableOutcome | { readonly name: string; readonly status: 'failed'; readonly error: object | null };

/** The run may have ended before the table, for example because the source is down. */
const unreached = ({ tables, error }: RunSummary, name: string): readonly RecordedOutcome[] =>
  tables.some((outcome) => outcome.name === name)
    ? []
    : [{ name, status: 'failed', error: failureOf(error) }];
