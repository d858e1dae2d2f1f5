import { expect, test } from 'vitest';
import type { SyncSchedule } from '../../../src/schema/schedule.ts';
import { dueAfterStepBack, nextDue, passDue } from '../../../src/serve/next-due.ts';

const BERLIN = 'Europe/Berlin';
const cron = (expression: string, timeZone = 'UTC'): SyncSchedule => ({ kind: 'cron', expression, timeZone });
const every = (seconds: number): SyncSchedule => ({ kind: 'every', seconds });

function dueTimes(schedule: SyncSchedule, from: string, count: number): string[] {
  let at = new Date(from);
  return Array.from({ length: count }, () => (at = nextDue(schedule, at)).toISOString().slice(0, 16));
}

test('a fixed hour is due once a day, also if clocks skip it or show it twice', () => {
  // 02:30 does not exist on 29 March 2026, and comes twice on 25 October.
  expect(dueTimes(cron('30 2 * * *', BERLIN), '2026-03-28T00:00:00Z', 3)).toEqual([
    ...['2026-03-28T01:30', '2026-03-29T01:00', '2026-03-30T00:30'],
  ]);
  expect(dueTimes(cron('30 2 * * *', BERLIN), '2026-10-24T00:00:00Z', 3)).toEqual([
    ...['2026-10-24T00:30', '2026-10-25T00:30', '2026-10-26T01:30'],
  ]);
});

test('every half hour stays every half hour when clocks change', () => {
  expect(dueTimes(cron('*/30 * * * *', BERLIN), '2026-10-25T00:10:00Z', 4)).toEqual([
    ...['2026-10-25T00:30', '2026-10-25T01:00', '2026-10-25T01:30', '2026-10-25T02:00'],
  ]);
});

const at = (seconds: number) => new Date(1_800_000_000_000 + seconds * 1000);

test('due times that are over become one run, and the next one keeps the rhythm', () => {
  expect(passDue(every(30), at(0), at(5))).toEqual({ dueAt: at(0), missed: 0, next: at(30) });
  expect(passDue(every(30), at(0), at(305))).toEqual({ dueAt: at(300), missed: 10, next: at(330) });
  const hourly = cron('0 * * * *');
  const due = new Date('2026-05-01T10:00:00Z');
  expect(passDue(hourly, due, new Date('2026-05-01T12:30:00Z'))).toEqual({
    ...{ dueAt: new Date('2026-05-01T12:00:00Z'), missed: 2, next: new Date('2026-05-01T13:00:00Z') },
  });
});

test('if the clock of the database was set back, an interval begins again', () => {
  expect(passDue(every(30), at(3600), at(0))).toEqual({ dueAt: at(0), missed: 0, next: at(30) });
});

test('after a large step back, cron follows the new time; after a small one, no due time comes again', () => {
  const [nightly, often] = [cron('0 3 * * *'), cron('*/5 * * * *')];
  const day = (text: string) => new Date(`2026-05-${text}:00Z`);
  const next = (schedule: SyncSchedule, dueAt: string, now: string) =>
    dueAfterStepBack(schedule, day(dueAt), day(now))?.toISOString().slice(8, 16);
  expect(next(nightly, '02T03:00', '01T02:59')).toBeUndefined();
  expect(next(nightly, '02T03:00', '01T03:01')).toBeUndefined();
  expect(next(nightly, '02T03:00', '01T01:00')).toBe('01T03:00');
  expect(next(often, '01T12:05', '01T11:55')).toBeUndefined();
  expect(next(often, '01T12:05', '01T07:02')).toBe('01T07:05');
  // 02:30 comes twice in Berlin, and is due once.
  expect(
    dueAfterStepBack(
      cron('30 2 * * *', BERLIN),
      new Date('2026-10-26T01:30Z'),
      new Date('2026-10-25T00:35Z'),
    ),
  ).toBeUndefined();
});

test('fields without a meaning, and a date that never comes, are errors', () => {
  expect(() => nextDue(cron('99 * * * *'), at(0))).toThrow('minute');
  expect(() => nextDue(cron('0 0 31 2 *'), at(0))).toThrow('never due');
});
