import { expect, test } from 'vitest';
import { firstStart, nextStart, type Schedule } from '../../../../src/commands/watch/schedule.ts';

const schedule: Schedule = { startedAt: 5000, every: 30_000 };

test('turns are at whole intervals from the start, however long a run takes', () => {
  let start = firstStart(schedule);
  expect(start).toEqual({ number: 0, at: 5000, skipped: 0 });
  for (const took of [1, 29_999, 15_000.3, 30_000]) {
    const next = nextStart(schedule, start, start.at + took);
    expect(next).toEqual({ number: start.number + 1, at: start.at + 30_000, skipped: 0 });
    start = next;
  }
});

test('what a long run has missed is counted and not made up for', () => {
  const first = firstStart(schedule);
  const next = nextStart(schedule, first, 5000 + 95_000);
  expect(next).toEqual({ number: 4, at: 5000 + 120_000, skipped: 3 });
  expect(nextStart(schedule, next, next.at + 10)).toMatchObject({ number: 5, skipped: 0 });
});

test('after a night of sleep there is one turn, not a thousand', () => {
  const night = 8 * 3_600_000;
  const next = nextStart(schedule, firstStart(schedule), 5000 + night + 1);
  expect(next.number).toBe(961);
  expect(nextStart(schedule, next, next.at + 1).number).toBe(962);
});

test('a clock that stood still, or a timer that was early, brings no turn twice', () => {
  const third = { number: 3, at: 95_000, skipped: 0 };
  expect(nextStart(schedule, third, third.at - 1)).toMatchObject({ number: 4, at: 125_000, skipped: 0 });
});

test('a year of turns has not drifted', () => {
  let start = firstStart({ startedAt: 0.7, every: 1000 });
  for (let count = 0; count < 100_000; count += 1)
    start = nextStart({ startedAt: 0.7, every: 1000 }, start, start.at + 123.4);
  expect(start.at).toBe(100_000 * 1000 + 0.7);
});
