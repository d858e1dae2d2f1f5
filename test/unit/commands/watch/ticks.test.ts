import { expect, test } from 'vitest';
import { firstTick, nextTick, type Beat } from '../../../../src/commands/watch/schedule.ts';

const beat: Beat = { startedAt: 5000, every: 30_000 };

test('turns are at whole intervals from the start, however long a run takes', () => {
  let tick = firstTick(beat);
  expect(tick).toEqual({ number: 0, at: 5000, skipped: 0 });
  for (const took of [1, 29_999, 15_000.3, 30_000]) {
    const next = nextTick(beat, tick, tick.at + took);
    expect(next).toEqual({ number: tick.number + 1, at: tick.at + 30_000, skipped: 0 });
    tick = next;
  }
});

test('what a long run has missed is counted and not made up for', () => {
  const first = firstTick(beat);
  const next = nextTick(beat, first, 5000 + 95_000);
  expect(next).toEqual({ number: 4, at: 5000 + 120_000, skipped: 3 });
  expect(nextTick(beat, next, next.at + 10)).toMatchObject({ number: 5, skipped: 0 });
});

test('after a night of sleep there is one turn, not a thousand', () => {
  const night = 8 * 3_600_000;
  const next = nextTick(beat, firstTick(beat), 5000 + night + 1);
  expect(next.number).toBe(961);
  expect(nextTick(beat, next, next.at + 1).number).toBe(962);
});

test('a clock that stood still, or a timer that was early, brings no turn twice', () => {
  const third = { number: 3, at: 95_000, skipped: 0 };
  expect(nextTick(beat, third, third.at - 1)).toMatchObject({ number: 4, at: 125_000, skipped: 0 });
});

test('a year of turns has not drifted', () => {
  let tick = firstTick({ startedAt: 0.7, every: 1000 });
  for (let count = 0; count < 100_000; count += 1)
    tick = nextTick({ startedAt: 0.7, every: 1000 }, tick, tick.at + 123.4);
  expect(tick.at).toBe(100_000 * 1000 + 0.7);
});
