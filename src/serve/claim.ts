/** How a worker takes a job. The limits hold over all workers, because claims take turns in the control database. */
import * as z from 'zod';
import type { ControlDatabase, ControlSession } from '../postgres/control-database.ts';
import {
  BEGIN_ATTEMPT,
  LOCK_CLAIMS,
  LOST_PROGRAMS,
  NEXT_JOB,
  PAUSED_TABLES,
  TAKE_RUN_TABLES,
  TAKE_RUNS,
} from '../sql/control/claims.ts';
import type { HeldJob, Queue } from './queue.ts';
import { settleLost, type LostAttempt } from './lost-attempts.ts';

/** Which tables a look is about. */
export interface RunScope {
  readonly id: string;
  /** The entry of a schedule; empty for the schedule of the pipeline. Null for a request. */
  readonly entry: string | null;
  /** Null means all tables. */
  readonly tables: readonly string[] | null;
}

interface Claimed {
  readonly attempt: string;
  readonly pipeline: string;
  readonly job: HeldJob;
}

export type ClaimedJob = Claimed &
  (
    | { readonly kind: 'look'; readonly runs: readonly RunScope[]; readonly paused: readonly string[] }
    | { readonly kind: 'table'; readonly table: string; readonly lostPrograms: readonly string[] }
  );

interface Claimant {
  readonly worker: string;
  /** The application name of its sessions at the destination, by pipeline. */
  readonly programOf: (pipeline: string) => string;
  /** The pipelines whose connections it has. */
  readonly pipelines: readonly string[];
}

const nextSchema = z.object({
  pipeline: z.string(),
  queue: z.string(),
  id: z.string(),
  priority: z.number(),
});
const idSchema = z.object({ id: z.string() });
const scopeSchema = z.object({
  id: z.string(),
  entry: z.string().nullable(),
  tables: z.array(z.string()).nullable(),
});
const tableRow = z.object({ table: z.string() });
const programRow = z.object({ program: z.string() });

interface ClaimResult {
  /** Undefined if there is nothing to do for this worker. */
  readonly claim?: ClaimedJob | undefined;
  readonly lost: readonly LostAttempt[];
}

export async function claimJob(
  control: Pick<ControlDatabase, 'query' | 'transaction'>,
  queue: Queue,
  claimant: Claimant,
): Promise<ClaimResult> {
  // An idle worker asks without the lock.
  if (!(await nextJob(control, claimant, { isSettled: false }))) return { lost: [] };
  return control.transaction(async (session) => {
    await session.query(LOCK_CLAIMS);
    // The job may be here because its worker was lost. Its fifth loss pauses the table.
    const lost = await settleLost(session, queue);
    const next = await nextJob(session, claimant, { isSettled: true });
    const job = next && (await queue.take(session, next));
    if (!next || !job) return { lost };
    // After the loss of a worker, a newer job of the same kind may wait beside this one. One sync is for both.
    await queue.removeWaiting(session, next.pipeline, job.data.table);
    return { lost, claim: await begin(session, claimant, next.pipeline, job) };
  });
}

async function nextJob(
  session: ControlSession,
  { pipelines }: Claimant,
  { isSettled }: { readonly isSettled: boolean },
) {
  const { rows } = await session.query(NEXT_JOB, [pipelines, !isSettled]);
  return nextSchema.optional().parse(rows[0]);
}

async function begin(
  session: ControlSession,
  { worker, programOf }: Claimant,
  pipeline: string,
  job: HeldJob,
): Promise<ClaimedJob> {
  const { table } = job.data;
  const values = [pipeline, table ?? null, job.queue, job.id, job.retryCount, worker, programOf(pipeline)];
  const { id: attempt } = idSchema.parse((await session.query(BEGIN_ATTEMPT, values)).rows[0]);
  const claimed = { attempt, pipeline, job };
  if (table === undefined) {
    const { rows } = await session.query(TAKE_RUNS, [pipeline, attempt]);
    const paused = z.array(tableRow).parse((await session.query(PAUSED_TABLES, [pipeline])).rows);
    const runs = z.array(scopeSchema).parse(rows);
    return { ...claimed, kind: 'look', runs, paused: paused.map((row) => row.table) };
  }
  await session.query(TAKE_RUN_TABLES, [pipeline, table, attempt]);
  const lost = z
    .array(programRow)
    .parse((await session.query(LOST_PROGRAMS, [pipeline, table, attempt])).rows);
  return { ...claimed, kind: 'table', table, lostPrograms: lost.map(({ program }) => program) };
}
