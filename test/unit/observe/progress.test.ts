import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Phase } from '../../../src/events.ts';
import { createProgress, hasProgress } from '../../../src/observe/progress.ts';
import { displayWidth } from '../../../src/observe/text.ts';
import { outcome, STARTED, summary } from './outcomes.ts';

const ERASE = '\r\u001b[K';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function start(columns?: number) {
  const written: string[] = [];
  const progress = createProgress({ write: (text) => written.push(text), columns });
  const tables = ['orders', 'items'];
  void progress.listener({
    type: 'run-started',
    runId: 'run-1',
    pipeline: 'shop',
    startedAt: STARTED,
    tables,
  });
  const phase = (name: Phase, table = 'orders') =>
    progress.listener({ type: 'phase-started', table, phase: name });
  const copied = (bytes: number) => progress.listener({ type: 'rows-copied', table: 'orders', bytes });
  return { written, progress, phase, copied };
}

test('it tells table, phase, bytes and rate', () => {
  const { written, phase, copied } = start();
  void phase('copy');
  vi.advanceTimersByTime(1000);
  void copied(2_000_000);
  expect(written).toEqual([
    `${ERASE}[1/2] orders: copying`,
    `${ERASE}[1/2] orders: copying, 2.0 MB, 2.0 MB/s`,
  ]);
});

test('over chunks it counts on, and the rate is that of this run', () => {
  const { written, progress } = start();
  const chunk = (number: number) =>
    progress.listener({
      type: 'phase-started',
      table: 'orders',
      phase: 'copy',
      detail: `chunk ${number} of 9`,
    });
  const copied = (bytes: number) =>
    progress.listener({ type: 'rows-copied', table: 'orders', bytes, earlier: 7_000_000 });
  void chunk(8);
  vi.advanceTimersByTime(1000);
  void copied(8_000_000);
  vi.advanceTimersByTime(1000);
  void chunk(9);
  expect(written).toEqual([
    `${ERASE}[1/2] orders: copying chunk 8 of 9`,
    `${ERASE}[1/2] orders: copying chunk 8 of 9, 8.0 MB, 1.0 MB/s`,
    `${ERASE}[1/2] orders: copying chunk 9 of 9, 8.0 MB, 500.0 kB/s`,
  ]);
});

test('it is drawn five times a second at most, and the latest news is not lost', () => {
  const { written, phase, copied } = start();
  void phase('copy');
  for (let bytes = 1; bytes <= 1000; bytes += 1) {
    vi.advanceTimersByTime(1);
    void copied(bytes * 1000);
  }
  expect(written.length).toBeLessThanOrEqual(6);
  void phase('merge');
  vi.advanceTimersByTime(200);
  expect(written.at(-1)).toBe(`${ERASE}[1/2] orders: merging, 1.0 MB`);
});

test('it makes room at once and comes back only later', () => {
  const { written, progress, phase } = start();
  void phase('copy');
  vi.advanceTimersByTime(5000);
  written.length = 0;
  progress.clear();
  expect(written).toEqual([ERASE]);
  progress.clear();
  expect(written).toEqual([ERASE]);
  vi.advanceTimersByTime(200);
  expect(written.at(-1)).toBe(`${ERASE}[1/2] orders: copying`);
});

test('the next table has its own bytes and number', () => {
  const { written, progress, phase, copied } = start();
  void phase('copy');
  void copied(5000);
  void progress.listener({ type: 'table-finished', outcome: outcome() });
  void phase('snapshot', 'items');
  vi.advanceTimersByTime(200);
  expect(written.at(-1)).toBe(`${ERASE}[2/2] items: opening a snapshot`);
});

test('nothing is left behind when the run ends', () => {
  const { written, progress, phase, copied } = start();
  void phase('copy');
  void copied(10);
  void progress.listener({ type: 'run-finished', summary: summary() });
  expect(written.at(-1)).toBe(ERASE);
  const count = written.length;
  vi.advanceTimersByTime(1000);
  progress.clear();
  progress.stop();
  expect(written).toHaveLength(count);
  expect(vi.getTimerCount()).toBe(0);
});

test('a long name does not wrap the line, and cannot drive the terminal', () => {
  const { written, progress } = start(30);
  void progress.listener({ type: 'phase-started', table: `注文\u001b[2J${'x'.repeat(50)}`, phase: 'copy' });
  const line = (written[0] ?? '').slice(ERASE.length);
  expect(displayWidth(line)).toBeLessThanOrEqual(29);
  expect(line).not.toContain('\u001b');
});

test('only where it can move, and where a person is looking', () => {
  const surroundings = {
    isTerminal: true,
    allowsMovement: true,
    isJson: false,
    verbosity: 'normal',
  } as const;
  expect(hasProgress(surroundings)).toBe(true);
  expect(hasProgress({ ...surroundings, isTerminal: false })).toBe(false);
  expect(hasProgress({ ...surroundings, allowsMovement: false })).toBe(false);
  expect(hasProgress({ ...surroundings, isJson: true })).toBe(false);
  expect(hasProgress({ ...surroundings, verbosity: 'verbose' })).toBe(false);
});
