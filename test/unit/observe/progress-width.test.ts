import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { outcome } from '../report/outcomes.ts';
import { start, FOUR } from './progress-screen.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

for (const columns of [80, 40, 20, 10]) {
  test(`in ${columns} columns nothing wraps, whatever the name, and nothing is left behind`, () => {
    const tables = [`注文${'の表'.repeat(30)}`, 'x'.repeat(60), `a\u001b[2Jb\nc`, 'short'];
    const { load, phase, emit, copied, pass, progress, screen } = start({ columns, rows: 10, tables });
    for (const table of tables) {
      load(table);
      phase('copy', { table });
      for (let part = 1; part < 6; part += 1) {
        emit({ type: 'rows-copied', table, bytes: part * 1_000_000, rows: part * 100 });
        pass(1.1);
        expect(screen.lines()).toHaveLength(1);
      }
      phase('swap', { table, waitsFor: 'pid 12345 (an application with a long name) of somebody' });
      pass(65);
      const lines = screen.lines();
      expect(lines).toHaveLength(1);
      expect(lines[0]?.length).toBeGreaterThan(5);
      copied(0);
    }
    progress.stop();
    expect(screen.lines()).toEqual([]);
  });
}

test('a terminal that gets narrower, or wider, while it runs has one line, now as before', () => {
  const { load, phase, copied, pass, resize, screen, emit } = start();
  load('orders', 3000);
  phase('copy');
  pass(3);
  copied(120_000_000, 1500);
  pass(1);
  const whole = '[1/2] orders: copying about 50%, 1.5k rows, 120.0 MB, 30.0 MB/s, 5 s left';
  expect(screen.lines()).toEqual([whole]);
  for (const columns of [60, 40, 25]) {
    resize(columns);
    const lines = screen.lines();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\[1\/2\] orders: copying/);
  }
  resize(80);
  expect(screen.lines()).toEqual([whole]);
  emit({ type: 'table-finished', outcome: outcome() });
  resize(40);
  expect(screen.lines().filter((line) => line.includes('[1/2]'))).toHaveLength(1);
});

test('where the terminal knows only ASCII, so does the line', () => {
  const { load, phase, pass, emit, written } = start({
    isUnicode: false,
    columns: 40,
    tables: ['x'.repeat(60)],
  });
  load('x'.repeat(60));
  phase('lock', { table: 'x'.repeat(60), waitsFor: 'another run: increp shop from 10.0.0.1 since long' });
  pass(3);
  emit({ type: 'table-finished', outcome: outcome({ name: 'x'.repeat(60) }) });
  expect(Buffer.from(written.join('')).every((byte) => byte < 128)).toBe(true);
});

test('lines that do not fit on the terminal are left out', () => {
  const { load, pass, screen } = start({ tables: FOUR, jobs: 4, rows: 3 });
  for (const name of FOUR) load(name);
  pass(1.5);
  expect(screen.lines()).toHaveLength(2);
});

test('a terminal that becomes narrower has the same lines, cut', () => {
  const { load, pass, screen, resize } = start({ tables: FOUR, jobs: 2, columns: 60 });
  load('orders');
  load('items');
  pass(1.5);
  resize(20);
  // Some terminals move the cursor when they wrap the old lines, so an old line may remain above.
  expect(screen.lines().slice(-2)).toEqual(['[1/4] orders: read…', '[2/4] items: readi…']);
});
