/** The attempts of workers that were lost: killed, frozen, or without a network. */
import * as z from 'zod';
import type { ControlSession } from '../postgres/control-database.ts';
import { COUNT_CRASH, MARK_CRASHED, PAUSE, RECORD_EVENT, TAKE_LOST_ATTEMPTS } from '../sql/control/claims.ts';
import { COUNT_LOST_COMMANDS, END_WAITING_TABLE, FAIL_COMMAND } from '../sql/control/runs.ts';
import type { Queue } from './queue.ts';
import { endRuns, requeueRuns } from './waiting-runs.ts';

/** Crashes of workers at one table before the table is paused. */
export const MOST_CRASHES = 5;

const lostSchema = z.object({
  id: z.string(),
  pipeline: z.string(),
  queue: z.string(),
  table: z.string().nullable(),
  worker: z.string(),
  phase: z.string().nullable(),
  run: z.string().nullable(),
});
const crashesRow = z.object({ crashes: z.number() });
export type LostAttempt = z.infer<typeof lostSchema> & { readonly crashes: number };

/** In a transaction. Finds the attempts of lost workers. A table at which workers crash again and again is paused. */
export async function settleLost(session: ControlSession, queue: Queue): Promise<readonly LostAttempt[]> {
  const lost = z.array(lostSchema).parse((await session.query(TAKE_LOST_ATTEMPTS)).rows);
  const counted: LostAttempt[] = [];
  for (const one of lost) {
    await requeueRuns(session, one.id);
    const crashes = await countCrash(session, queue, one);
    counted.push({ ...one, crashes });
    const { id, pipeline, table, worker, phase } = one;
    const isPaused = table !== null && crashes >= MOST_CRASHES;
    const code = isPaused ? 'table-crashed' : 'worker-lost';
    await session.query(RECORD_EVENT, [
      ...[isPaused ? 'error' : 'warn', code, pipeline, table, id, worker],
      { phase, crashes },
    ]);
  }
  return counted;
}

async function countCrash(
  session: ControlSession,
  queue: Queue,
  { pipeline, queue: own, table, worker, phase, run }: z.infer<typeof lostSchema>,
): Promise<number> {
  if (run !== null) return countLostCommand(session, queue, { pipeline, queue: own, run });
  if (table === null) return 0;
  const { crashes } = crashesRow.parse((await session.query(COUNT_CRASH, [pipeline, table])).rows[0]);
  if (crashes < MOST_CRASHES) return crashes;
  await session.query(MARK_CRASHED, [pipeline, table]);
  await session.query(PAUSE, [pipeline, table, 'crashed', { worker, phase, crashes }, 'increp', null]);
  await queue.removeWaiting(session, pipeline, { table });
  await endRuns(session, await session.query(END_WAITING_TABLE, [pipeline, table]));
  return crashes;
}

/** A command that ends its worker each time would do so forever. */
async function countLostCommand(
  session: ControlSession,
  queue: Queue,
  { pipeline, queue: own, run }: { readonly pipeline: string; readonly queue: string; readonly run: string },
): Promise<number> {
  const { crashes } = crashesRow.parse((await session.query(COUNT_LOST_COMMANDS, [run])).rows[0]);
  if (crashes < MOST_CRASHES) return crashes;
  await queue.removeWaiting(session, pipeline, { run }, own);
  const error = {
    code: 'INTERNAL',
    message: `${crashes} workers were lost during the command`,
    hint: LOST_HINT,
  };
  await session.query(FAIL_COMMAND, [run, error]);
  return crashes;
}

const LOST_HINT = 'Read the logs of the workers.';
