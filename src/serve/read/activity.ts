/** What workers do, and what waits for them. */
import * as z from 'zod';
import type { ControlSession } from '../../postgres/control-database.ts';
import {
  READ_ATTEMPTS,
  READ_PAUSES,
  READ_QUEUE,
  READ_RUNNING,
  READ_WORKERS,
} from '../../sql/control/read/activity.ts';
import { attempt, maybeTime, time, type AttemptRow, type VisiblePipelines } from './rows.ts';

interface RunningRequest {
  readonly visible: VisiblePipelines;
  /** Null for all pipelines. */
  readonly pipeline: string | null;
  readonly limit: number;
}

/** Newest first. */
export async function readRunning(
  session: ControlSession,
  { visible, pipeline, limit }: RunningRequest,
): Promise<readonly AttemptRow[]> {
  return z.array(attempt).parse((await session.query(READ_RUNNING, [visible, pipeline, limit])).rows);
}

interface AttemptsRequest {
  readonly pipeline: string;
  readonly table: string;
  readonly limit: number;
  /** Only attempts that are older than this one. */
  readonly before?: string;
}

/** Of one table, newest first. */
export async function readAttempts(
  session: ControlSession,
  { pipeline, table, limit, before }: AttemptsRequest,
): Promise<readonly AttemptRow[]> {
  const { rows } = await session.query(READ_ATTEMPTS, [pipeline, table, limit, before ?? null]);
  return z.array(attempt).parse(rows);
}

const workerRow = z.object({
  id: z.string(),
  host: z.string(),
  process: z.number(),
  version: z.string(),
  capacity: z.number(),
  startedAt: time,
  seenAt: time,
  state: z.enum(['working', 'stopping', 'stopped', 'lost']),
  serves: z.array(z.string()),
  /** Why it does not serve other pipelines, by their names. */
  lacks: z.record(z.string(), z.string()),
  running: z.number(),
});
export type WorkerRow = z.infer<typeof workerRow>;

export async function readWorkers(
  session: ControlSession,
  silentSeconds: number,
): Promise<readonly WorkerRow[]> {
  return z.array(workerRow).parse((await session.query(READ_WORKERS, [silentSeconds])).rows);
}

const queueRow = z.object({ waiting: z.number(), active: z.number(), oldestSeconds: z.number().nullable() });
export type QueueRow = z.infer<typeof queueRow>;

export async function readQueue(session: ControlSession, visible: VisiblePipelines): Promise<QueueRow> {
  return queueRow.parse((await session.query(READ_QUEUE, [visible])).rows[0]);
}

const pauseRow = z.object({
  id: z.string(),
  /** Null if everything is paused. */
  pipeline: z.string().nullable(),
  /** Null if the whole pipeline is paused. */
  table: z.string().nullable(),
  reason: z.string(),
  detail: z.record(z.string(), z.unknown()),
  by: z.string(),
  madeAt: time,
  endsAt: maybeTime,
});
export type PauseRow = z.infer<typeof pauseRow>;

/** The pauses in effect, newest first: of one pipeline and of everything, or all of them. */
export async function readPauses(
  session: ControlSession,
  pipeline: string | null,
): Promise<readonly PauseRow[]> {
  return z.array(pauseRow).parse((await session.query(READ_PAUSES, [pipeline])).rows);
}
