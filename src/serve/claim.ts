/** How a worker takes a job. The limits hold over all workers, because claims take turns in the control database. */
import * as z from 'zod';
import { definitionSchema, type PipelineDefinition } from '../config/service/definition.ts';
import type { ScheduledEntry } from '../config/service/schedules.ts';
import type { ControlDatabase, ControlSession } from '../postgres/control-database.ts';
import {
  BEGIN_ATTEMPT,
  DEFER_RUN_TABLES,
  END_ATTEMPT,
  LOCK_CLAIMS,
  LOST_PROGRAMS,
  NEXT_JOB,
  TAKE_COMMAND,
  TAKE_RUN_TABLES,
  TAKE_RUNS,
} from '../sql/control/claims.ts';
import type { HeldJob, Queue } from './queue.ts';
import { pausedTables, type PausedTable } from './paused-tables.ts';
import { settleLost, type LostAttempt } from './lost-attempts.ts';
import { COMMANDS, scheduleIn, scheduleRows, type CommandKind } from './trigger.ts';
import { READ_SCHEDULES } from '../sql/control/runs.ts';
import { endRuns } from './waiting-runs.ts';

/** Which tables a look is about. */
export interface RunScope {
  readonly id: string;
  /** The entry of a schedule; empty for the schedule of the pipeline. Null for a request. */
  readonly entry: string | null;
  /** Null means all tables. */
  readonly tables: readonly string[] | null;
  /** It asks for more than changes, so tables without changes are synced, too. */
  readonly isForced: boolean;
}

/** What the runs that wait for the table ask for together. */
interface TableChoices {
  readonly isFullRefresh: boolean;
  readonly areDeletesForced: boolean;
  readonly isVerified: boolean;
  /** Undefined means no limit. */
  readonly maxSeconds: number | undefined;
}

interface Claimed {
  readonly attempt: string;
  readonly pipeline: string;
  /** Of a pipeline that the API has created. */
  readonly version: number | null;
  readonly job: HeldJob;
}

export type ClaimedJob = Claimed &
  (
    | {
        readonly kind: 'look';
        readonly runs: readonly RunScope[];
        readonly paused: readonly PausedTable[];
        readonly schedules: readonly ScheduledEntry[];
      }
    | {
        readonly kind: 'table';
        readonly table: string;
        readonly lostPrograms: readonly string[];
        readonly choices: TableChoices;
      }
    | {
        readonly kind: 'command';
        readonly command: CommandKind;
        readonly run: string;
        /** Null means all tables. */
        readonly tables: readonly string[] | null;
        /** A preview is about this, and not about a pipeline that exists. */
        readonly definition: PipelineDefinition | null;
      }
  );

interface Claimant {
  readonly worker: string;
  /** The application name of its sessions at the destination, by pipeline. */
  readonly programOf: (pipeline: string) => string;
  /** The pipelines whose connections it has. */
  readonly pipelines: readonly string[];
  /** The connections that it has, for previews. Without them, it takes none. */
  readonly connections?: readonly string[];
}

const nextSchema = z.object({
  pipeline: z.string(),
  queue: z.string(),
  id: z.string(),
  priority: z.number(),
  version: z.number().nullable(),
});
const idSchema = z.object({ id: z.string() });
const scopeSchema = z.object({
  id: z.string(),
  entry: z.string().nullable(),
  tables: z.array(z.string()).nullable(),
  isForced: z.boolean(),
});
const choicesRow = z.object({
  isFullRefresh: z.boolean(),
  areDeletesForced: z.boolean(),
  isVerified: z.boolean(),
  seconds: z.number().nullable(),
});
const commandRow = z.object({
  command: z.enum(COMMANDS),
  tables: z.array(z.string()).nullable(),
  definition: definitionSchema.nullable(),
});
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
    await queue.removeWaiting(session, next.pipeline, job.data, job.queue);
    return { lost, claim: await begin(session, queue, { ...claimant, ...next, job }) };
  });
}

async function nextJob(
  session: ControlSession,
  { pipelines, connections = [] }: Claimant,
  { isSettled }: { readonly isSettled: boolean },
) {
  const { rows } = await session.query(NEXT_JOB, [pipelines, !isSettled, connections]);
  return nextSchema.optional().parse(rows[0]);
}

type NextJob = Claimant & Pick<Claimed, 'pipeline' | 'version' | 'job'>;

/** Undefined if nobody waits for the job any more. */
async function begin(session: ControlSession, queue: Queue, next: NextJob): Promise<ClaimedJob | undefined> {
  const { worker, programOf, pipeline, version, job } = next;
  const { table, run } = job.data;
  const values = [
    ...[pipeline, table ?? null, job.queue, job.id, job.retryCount, worker, programOf(pipeline)],
    run ?? null,
  ];
  const { id: attempt } = idSchema.parse((await session.query(BEGIN_ATTEMPT, values)).rows[0]);
  const claimed = { attempt, pipeline, version, job };
  const taken =
    table === undefined
      ? run === undefined
        ? await takeLook(session, claimed)
        : await takeCommand(session, claimed, run)
      : await takeTable(session, claimed, table);
  if (taken) return { ...claimed, ...taken };
  await queue.complete(session, job);
  await session.query(END_ATTEMPT, [attempt, 'cancelled', null, null]);
  return undefined;
}

async function takeLook(session: ControlSession, { pipeline, attempt }: Claimed) {
  const runs = z.array(scopeSchema).parse((await session.query(TAKE_RUNS, [pipeline, attempt])).rows);
  const paused = await pausedTables(session, pipeline);
  // A person may have set others than those of the file.
  const schedules = scheduleRows
    .parse((await session.query(READ_SCHEDULES, [pipeline])).rows)
    .map((row) => ({ entry: row.entry, schedule: scheduleIn(row) }));
  return { kind: 'look' as const, runs, paused, schedules };
}

async function takeCommand(session: ControlSession, { attempt }: Claimed, run: string) {
  const taken = commandRow.optional().parse((await session.query(TAKE_COMMAND, [run, attempt])).rows[0]);
  return taken && { kind: 'command' as const, run, ...taken };
}

async function takeTable(session: ControlSession, { pipeline, attempt }: Claimed, table: string) {
  await endRuns(session, await session.query(DEFER_RUN_TABLES, [pipeline, table]));
  const { rows } = await session.query(TAKE_RUN_TABLES, [pipeline, table, attempt]);
  const taken = choicesRow.optional().parse(rows[0]);
  if (!taken) return undefined;
  const { seconds, ...choices } = taken;
  const lost = z
    .array(programRow)
    .parse((await session.query(LOST_PROGRAMS, [pipeline, table, attempt])).rows)
    .map(({ program }) => program);
  const maxSeconds = seconds ?? undefined;
  return { kind: 'table' as const, table, lostPrograms: lost, choices: { ...choices, maxSeconds } };
}
