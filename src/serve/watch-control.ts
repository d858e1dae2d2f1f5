/** What `serve` and each worker check in the control database from time to time: lost workers, runs that no worker can begin, and a clock that was set back. */
import * as z from 'zod';
import type { ControlDatabase, ControlSession } from '../postgres/control-database.ts';
import { FOLLOW_CLOCK, LATER_CRON_SCHEDULES } from '../sql/control/clock.ts';
import { MOVE_SCHEDULE } from '../sql/control/runs.ts';
import { settleLost } from './lost-attempts.ts';
import { dueAfterStepBack } from './next-due.ts';
import type { Queue } from './queue.ts';
import type { ServiceLog } from './service-log.ts';
import { dueRow, scheduleIn } from './trigger.ts';
import type { Timing } from '../timing.ts';
import { failUnservedRuns } from './unserved-runs.ts';

interface WatchedControl {
  readonly control: ControlDatabase;
  readonly queue: Queue;
  readonly timing: Timing;
  readonly log: Pick<ServiceLog, 'lost' | 'clockSetBack'>;
}

export async function watchControl({ control, queue, timing, log }: WatchedControl): Promise<void> {
  const { wasSetBack, lost } = await control.transaction(async (session) => ({
    wasSetBack: await followClock(session),
    lost: await settleLost(session, queue),
  }));
  await control.transaction((session) => failUnservedRuns(session, timing.serve));
  if (wasSetBack) log.clockSetBack();
  lost.forEach(log.lost);
}

const setBackRow = z.object({ wasSetBack: z.boolean() });

/** Corrects times that are in the future. Returns whether there were any. */
async function followClock(session: ControlSession): Promise<boolean> {
  const { wasSetBack } = setBackRow.parse((await session.query(FOLLOW_CLOCK)).rows[0]);
  const later = z.array(dueRow).parse((await session.query(LATER_CRON_SCHEDULES)).rows);
  const moved = later.flatMap((row) => {
    const next = dueAfterStepBack(scheduleIn(row), row.dueAt, row.now);
    return next ? [[row.pipeline, row.entry, next] as const] : [];
  });
  for (const values of moved) await session.query(MOVE_SCHEDULE, values);
  return wasSetBack || moved.length > 0;
}
