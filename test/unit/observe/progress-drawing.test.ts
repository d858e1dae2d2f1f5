import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { failure, outcome } from '../report/outcomes.ts';
import { start } from './progress-screen.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test('many tables in a terminal of 20 lines scroll by, and no line is lost or doubled', () => {
  const tables = Array.from({ length: 50 }, (_, index) => `table_${index}`);
  const { load, phase, emit, pass, progress, screen } = start({ rows: 20, tables });
  for (const name of tables) {
    load(name);
    phase('copy', { table: name });
    pass(0.3);
    emit({ type: 'table-finished', outcome: outcome({ name }) });
  }
  progress.stop();
  const lines = screen.lines();
  expect(lines.map((line) => /table_\d+/.exec(line)?.[0])).toEqual(tables);
});

test('quick tables are only lines: the live one does not flash up between them', () => {
  const { load, phase, emit, pass, written } = start();
  for (const name of ['orders', 'items']) {
    load(name);
    phase('copy', { table: name });
    pass(0.02);
    emit({ type: 'table-finished', outcome: outcome({ name }) });
  }
  expect(written).toEqual([
    '\r✓ ok       orders  incremental   0.4 s            no new rows\n',
    '\r✓ ok       items   incremental   0.4 s            no new rows\n',
  ]);
});

test('it is drawn five times a second at most, and not at all where nothing has changed', () => {
  const { load, phase, copied, pass, written } = start();
  load();
  phase('copy');
  for (let bytes = 1; bytes <= 1000; bytes += 1) {
    pass(0.001);
    copied(bytes * 1000);
  }
  expect(written.length).toBeLessThanOrEqual(6);
  phase('merge');
  pass(0.3);
  const count = written.length;
  pass(0.6);
  expect(written).toHaveLength(count);
});

test('each drawing is one write that erases nothing before it has something new', () => {
  const { load, phase, copied, pass, written } = start();
  load();
  phase('copy');
  pass(0.3);
  copied(5000);
  pass(0.3);
  expect(written).toHaveLength(2);
  for (const text of written)
    expect(text.split('\u001b')).toEqual([
      '\r',
      expect.stringMatching(/^\[\?7l\[1\/2\] orders: copying/),
      '[J',
      '[?7h\r',
    ]);
});

test('it makes room at once and comes back only later', () => {
  const { load, phase, pass, progress, screen, write } = start();
  load();
  phase('merge');
  pass(5);
  progress.clear();
  write('WARN: trying again\n');
  expect(screen.lines()).toEqual(['WARN: trying again']);
  pass(0.2);
  expect(screen.lines()).toEqual(['WARN: trying again', '[1/2] orders: merging, 5 s']);
});

test('Ctrl-C leaves a clean line and a cursor, and what comes then still has its place', () => {
  const { load, phase, pass, emit, progress, screen, write } = start();
  load();
  phase('copy');
  pass(3);
  // The terminal's own doing.
  write('^C');
  progress.stop('stopping: uncommitted work is rolled back\n');
  emit({ type: 'table-finished', outcome: outcome({ status: 'failed', error: failure() }) });
  pass(10);
  const lines = screen.lines();
  expect(lines.slice(0, 2)).toEqual([
    'stopping: uncommitted work is rolled back',
    '✗ FAILED   orders  incremental   0.4 s',
  ]);
  expect(screen.cursor()).toEqual({ x: 0, y: 4, isVisible: true });
  expect(vi.getTimerCount()).toBe(0);
});

test('killed in the middle, the terminal wraps lines again and has its cursor', () => {
  const { load, phase, pass, screen, write } = start({ columns: 20 });
  load();
  phase('copy');
  pass(3);
  write('\n$ a command that is longer');
  expect(screen.lines().slice(-2)).toEqual(['$ a command that is ', 'longer']);
});

test('nothing is left behind when it stops, and it never comes back', () => {
  const { load, phase, pass, emit, progress, screen, written } = start();
  load();
  phase('copy');
  pass(2);
  progress.stop();
  expect(screen.lines()).toEqual([]);
  const count = written.length;
  pass(10);
  progress.clear();
  progress.stop();
  emit({ type: 'warning', table: 'orders', message: 'late' });
  expect(written).toHaveLength(count);
  expect(vi.getTimerCount()).toBe(0);
});
