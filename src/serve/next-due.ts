/** When a schedule is due next. Pure: the caller has the time of the control database. */
import { Cron } from 'croner';
import type { SyncSchedule } from '../schema/schedule.ts';
import { SMALL_STEP } from '../sql/control/clock.ts';

/** @throws if the fields of cron have no meaning */
export function nextDue(schedule: SyncSchedule, after: Date): Date {
  if (schedule.kind === 'every') return new Date(after.getTime() + schedule.seconds * 1000);
  const next = cronOf(schedule).nextRun(after);
  if (!next) throw new Error(`"${schedule.expression}" is never due`);
  return next;
}

interface PassedDue {
  /** The latest due time that is over. One run stands for all of them. */
  readonly dueAt: Date;
  readonly missed: number;
  readonly next: Date;
}

const MOST_COUNTED = 10_000;

/** `dueAt` was due first. All due times until now become one run. */
export function passDue(schedule: SyncSchedule, dueAt: Date, now: Date): PassedDue {
  if (schedule.kind === 'every') {
    const interval = schedule.seconds * 1000;
    // The clock of the database was set back.
    if (dueAt > now) return { dueAt: now, missed: 0, next: new Date(now.getTime() + interval) };
    const missed = Math.floor((now.getTime() - dueAt.getTime()) / interval);
    const latest = dueAt.getTime() + missed * interval;
    return { dueAt: new Date(latest), missed, next: new Date(latest + interval) };
  }
  let [latest, missed] = [dueAt, 0];
  const cron = cronOf(schedule);
  for (let next = cron.nextRun(latest); next && next <= now; next = cron.nextRun(latest)) {
    [latest, missed] = [next, missed + 1];
    if (missed === MOST_COUNTED) break;
  }
  return { dueAt: latest, missed, next: nextDue(schedule, now) };
}

/** The new due time if the clock of the database was set back so far that `dueAt` would wait for the old time. */
export function dueAfterStepBack(schedule: SyncSchedule, dueAt: Date, now: Date): Date | undefined {
  if (schedule.kind === 'every') return undefined;
  const [passed] = cronOf(schedule).previousRuns(1, dueAt);
  const isFar = passed !== undefined && passed.getTime() > now.getTime() + SMALL_STEP * 1000;
  return isFar ? nextDue(schedule, now) : undefined;
}

const cronOf = ({ expression, timeZone }: Extract<SyncSchedule, { kind: 'cron' }>): Cron =>
  new Cron(expression, { timezone: timeZone, paused: true, mode: '5-part' });
