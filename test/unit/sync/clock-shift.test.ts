import { expect, test } from 'vitest';
import { clockShift } from '../../../src/sync/fence/clock-shift.ts';
import type { RaisedFence } from '../../../src/sync/fence/fence.ts';
import { record } from './table-facts.ts';

/** A fence so many seconds after that of the record, by the source's clock and by ours. */
const fenceAfter = (sourceSeconds: number, ourSeconds: number): RaisedFence => {
  const before = record();
  const later = (time: string, seconds: number) => new Date(Date.parse(time) + seconds * 1000);
  return {
    high: before.cursor,
    isUncertain: false,
    origin: { hasPool: false, isSubscribed: false, isCopied: false },
    oldestXid: '700',
    nextXid: '700',
    sourceTime: later(before.sourceTime, sourceSeconds).toISOString().replace('T', ' ').replace('Z', '+00'),
    fencedAt: later(before.fencedAt, ourSeconds),
    networkSeconds: 0,
    remaining: [],
  };
};

const sides = (timeline: number | null, clockAhead = 0) => ({
  source: { timeline, isStandby: false },
  destination: { serverClock: { at: clockAhead * 1000, hereAt: 0, receivedAt: 0 } },
});

const shiftOf = (sourceSeconds: number, ourSeconds: number, timeline: number | null = 1) =>
  clockShift(record(), fenceAfter(sourceSeconds, ourSeconds), sides(timeline));

const NONE = { seconds: 0, warnings: [] };

test('clocks that advance alike move nothing', () => {
  expect(shiftOf(0, 0)).toEqual(NONE);
  expect(shiftOf(86_400, 86_400)).toEqual(NONE);
});

test('what two clocks in step may differ by is tolerated', () => {
  expect(shiftOf(59, 60)).toEqual(NONE);
  expect(shiftOf(58.9, 60).seconds).toBeCloseTo(1.1);
});

test('a source that lags behind was set back by as much', () => {
  const { seconds, warnings } = shiftOf(-3540, 60);
  expect(seconds).toBe(3600);
  expect(warnings).toEqual([
    expect.stringMatching(/^the source's clock was set back by about 1 h 0 min since/),
  ]);
});

test('of three clocks, the one that differs from the other two is named', () => {
  const warningOf = (source: number, here: number, destinationAhead: number) =>
    clockShift(record(), fenceAfter(source, here), sides(1, destinationAhead)).warnings[0];
  expect(warningOf(-3540, 60, 0)).toMatch(/^the source's clock was set back by about 1 h 0 min since/);
  expect(warningOf(60, 110, -50)).toMatch(
    /^this machine's clock is wrong: it was set forward by about 50\.0 s since/,
  );
  // The run warns of it.
  expect(warningOf(60, 3660, -3600)).toBeUndefined();
  expect(warningOf(60, 3660, 9000)).toMatch(/^the clocks of the source and of this machine moved apart/);
  const ahead = record({ sourceTime: '2026-01-01 13:00:00+00' });
  expect(clockShift(ahead, fenceAfter(60, 60), sides(1)).warnings[0]).toMatch(
    /^the clocks of the source and of this machine were about 1 h 0 min apart at the last sync, and now they agree/,
  );
});

test('a lag that the network explains moves the window, and is not called a clock that was set back', () => {
  const slowBefore = record({ networkSeconds: 3 });
  const standing = sides(1);
  expect(clockShift(slowBefore, fenceAfter(57, 60), standing)).toEqual({ seconds: 3, warnings: [] });
  const { seconds, warnings } = clockShift(slowBefore, fenceAfter(50, 60), standing);
  expect(seconds).toBe(10);
  expect(warnings).toEqual([expect.stringContaining('set back by about 10.0 s')]);
});

test('a source that is ahead costs nothing: its keys are above the cursor', () => {
  expect(shiftOf(7200, 60)).toEqual(NONE);
});

test('when our own clock was set back, the source seems to be ahead', () => {
  expect(shiftOf(60, -3540)).toEqual(NONE);
});

test('another timeline is another server, whose clock nobody knows', () => {
  const { seconds, warnings } = shiftOf(60, 60, 2);
  expect(seconds).toBe(3600);
  expect(warnings).toEqual([]);
});

test('both at once add up', () => {
  const { seconds, warnings } = shiftOf(0, 600, 2);
  expect(seconds).toBe(4200);
  expect(warnings).toHaveLength(1);
});

test('a timeline that may not be read is no other timeline', () => {
  expect(shiftOf(60, 60, null)).toEqual(NONE);
  const unknown = record({ sourceLife: { systemIdentifier: null, timeline: null, startedAt: '1000' } });
  expect(clockShift(unknown, fenceAfter(60, 60), sides(2))).toEqual(NONE);
});
