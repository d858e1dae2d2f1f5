import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { formatEnding } from '../../../src/report/summary.ts';
import { failure, outcome, summary } from '../report/outcomes.ts';
import { start, FOUR } from './progress-screen.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test('a load tells its share, rows, bytes, rate and the time that is left', () => {
  const { load, phase, copied, pass, live } = start();
  load('orders', 3_000_000);
  phase('copy', { detail: 'copy' });
  pass(1);
  expect(live()).toBe('[1/2] orders: copying');
  for (let second = 1; second <= 9; second += 1) {
    copied(second * 10_000_000, second * 100_000);
    pass(1);
  }
  expect(live()).toBe('[1/2] orders: copying about 30%, 900k rows, 90.0 MB, 9.0 MB/s, 25 s left');
});

test('what is only an estimate never says 100 %, and is silent when it was too low', () => {
  const { load, phase, copied, pass, live } = start();
  load('orders', 1000);
  phase('copy');
  copied(50_000, 1000);
  pass(1);
  expect(live()).toMatch(/^\[1\/2\] orders: copying about 99%, 1\.0k rows/);
  copied(60_000, 1200);
  pass(1);
  expect(live()).toBe('[1/2] orders: copying, 1.2k rows, 60.0 kB, 30.0 kB/s');
});

test('rows that are counted anew by the first bytes do not go away', () => {
  const { load, phase, copied, pass, live } = start();
  load('orders', 1000);
  phase('copy');
  copied(50_000, 500);
  copied(60_000, 400);
  pass(0.5);
  expect(live()).toBe('[1/2] orders: copying about 50%, 500 rows, 60.0 kB');
});

test('of changes nobody knows how many there are, so no share is made up', () => {
  const { emit, phase, copied, pass, live } = start();
  emit({ type: 'table-planned', table: 'orders', action: 'incremental', reasons: [], estimatedRows: 5000 });
  phase('copy');
  pass(1);
  copied(2_000_000, 4000);
  pass(0.5);
  expect(live()).toBe('[1/2] orders: copying, 4.0k rows, 2.0 MB, 2.0 MB/s');
});

test('over chunks it counts on, and the rate and the time left are those of this run', () => {
  const { load, chunk, copied, pass, live } = start();
  load('orders', 500);
  chunk(7, 10);
  pass(1);
  copied(8_000_000, 80_000, 7_000_000);
  pass(1);
  chunk(8, 10);
  pass(1);
  copied(8_500_000, 85_000, 7_000_000);
  pass(0.2);
  expect(live()).toBe('[1/2] orders: copying (8 of 10 chunks done), 85k rows, 8.5 MB, 10 s left');
});

test('what takes long after the copy says so by its time', () => {
  const { load, phase, copied, pass, live } = start();
  load();
  phase('copy');
  copied(2_000_000, 1000);
  phase('index');
  pass(0.5);
  expect(live()).toBe('[1/2] orders: building indexes, 1.0k rows, 2.0 MB');
  pass(72);
  expect(live()).toBe('[1/2] orders: building indexes, 1 min 12 s, 1.0k rows, 2.0 MB');
  phase('merge');
  pass(0.5);
  expect(live()).toBe('[1/2] orders: merging, 1.0k rows, 2.0 MB');
});

test('whoever waits says for whom and how long', () => {
  const { load, phase, pass, live } = start();
  load();
  phase('fence');
  phase('fence', { waitsFor: '2 open transactions: pid 4711 of app, psql, open for 95 s' });
  pass(3.2);
  expect(live()).toBe('[1/2] orders: waiting 3 s for 2 open transactions: pid 4711 of app, psql, open…');
});

test('a copy that stands still says since when', () => {
  const { load, phase, copied, pass, live } = start();
  load();
  phase('copy');
  pass(1);
  copied(2_000_000, 300);
  pass(42);
  expect(live()).toBe('[1/2] orders: copying about 30%, 300 rows, 2.0 MB, no data for 42 s');
});

test('before, between and after the tables there is something to see as well', () => {
  const { emit, pass, live, progress, screen } = start();
  pass(3.2);
  expect(live()).toBe('[0/2] reading both databases, 3 s');
  emit({ type: 'retrying', table: undefined, attempt: 1, delaySeconds: 2, error: failure() });
  pass(2.2);
  expect(live()).toBe('[0/2] waiting to retry, 2 s');
  emit({ type: 'table-finished', outcome: outcome() });
  emit({ type: 'table-finished', outcome: outcome({ name: 'items' }) });
  emit({ type: 'run-finished', summary: summary() });
  pass(2.2);
  expect(live()).toBe('[2/2] reporting the run, 2 s');
  progress.waitFor('the webhook, attempt 2 of 3');
  pass(1);
  expect(live()).toBe('[2/2] waiting 2 s for the webhook, attempt 2 of 3');
  expect(screen.lines()).toHaveLength(3);
});

test('tables stand above the line as soon as they are done, and the end says only what is new', () => {
  const { load, phase, emit, pass, progress, screen, write, look } = start();
  const shared = 'the clocks are apart';
  const tables = [
    outcome({ rowsRead: 1200, rowsInserted: 1000, rowsUpdated: 200, bytes: 12_345, warnings: [shared] }),
    outcome({ name: 'items', status: 'failed', error: failure(), warnings: [shared] }),
  ];
  load();
  phase('copy');
  pass(1);
  emit({ type: 'table-finished', outcome: tables[0] ?? outcome() });
  load('items');
  phase('merge', { table: 'items' });
  pass(2.2);
  const first = [
    '✓ ok       orders  incremental   0.4 s   12.3 kB',
    '    1,200 read, 1,000 inserted, 200 updated',
    '    warning: the clocks are apart',
  ];
  expect(screen.lines()).toEqual([...first, '[2/2] items: merging, 2 s']);
  emit({ type: 'table-finished', outcome: tables[1] ?? outcome() });
  const ended = summary({ status: 'partial', tables });
  emit({ type: 'run-finished', summary: ended });
  progress.stop();
  write(formatEnding(ended, ended.tables.length, look));
  expect(screen.lines()).toEqual([
    ...first,
    '✗ FAILED   items   incremental   0.4 s',
    '    error: permission denied for table items (PRIVILEGE_MISSING, SQLSTATE 42501)',
    '      next: GRANT SELECT ON items TO reader;',
    'warning: the clocks are apart (also items)',
    '1 table ok, 1 failed, 1 with warnings in 4.2 s',
  ]);
  expect(screen.cursor()).toEqual({ x: 0, y: 8, isVisible: true });
});

test('several jobs have a line each, in the order in which their tables began', () => {
  const { load, phase, emit, pass, screen } = start({ tables: FOUR, jobs: 2 });
  load('orders');
  load('items');
  phase('copy', { table: 'items' });
  pass(1.5);
  expect(screen.lines()).toEqual(['[1/4] orders: reading both databases, 1 s', '[2/4] items: copying']);
  expect(screen.cursor()).toMatchObject({ x: 0, y: 0 });
  emit({ type: 'table-finished', outcome: outcome({ name: 'orders' }) });
  load('events');
  pass(1.5);
  const lines = screen.lines();
  expect(lines[0]).toMatch(/orders/);
  expect(lines.slice(-2)).toEqual(['[2/4] items: copying', '[3/4] events: reading both databases, 1 s']);
  emit({ type: 'table-held', table: 'items' });
  pass(1.5);
  expect(screen.lines().slice(-2)[0]).not.toContain('items');
  expect(screen.lines().at(-1)).toBe('[3/4] events: reading both databases, 2 s');
});

test('several lines leave nothing behind: when one goes, when lines are printed above, at the end', () => {
  const { load, emit, pass, screen, progress } = start({ tables: FOUR, jobs: 3, rows: 6 });
  for (const name of ['orders', 'items', 'events']) load(name);
  pass(1.5);
  expect(screen.lines()).toHaveLength(3);
  for (const name of ['orders', 'items', 'events'])
    emit({ type: 'table-finished', outcome: outcome({ name }) });
  load('customers');
  pass(1.5);
  expect(screen.lines().filter((line) => line.startsWith('['))).toEqual([
    '[4/4] customers: reading both databases, 1 s',
  ]);
  progress.stop('end\n');
  expect(screen.lines().filter((line) => line.startsWith('['))).toEqual([]);
  expect(screen.lines().at(-1)).toBe('end');
});
