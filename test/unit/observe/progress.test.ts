import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Phase, RunEvent } from '../../../src/events.ts';
import { createProgress } from '../../../src/observe/progress.ts';
import { formatEnding, summaryByTable } from '../../../src/report/summary.ts';
import { emulator } from '../../support/emulator.ts';
import { failure, outcome, STARTED, summary } from '../report/outcomes.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

interface Size {
  readonly columns?: number;
  readonly rows?: number;
  readonly tables?: readonly string[];
  readonly isUnicode?: boolean;
  readonly jobs?: number;
}

function start({ columns = 80, rows = 24, tables = ['orders', 'items'], isUnicode = true, jobs }: Size = {}) {
  const screen = emulator(columns, rows);
  const written: string[] = [];
  let width = columns;
  let redraw = () => {};
  const look = {
    color: false,
    isUnicode,
    get width() {
      return width;
    },
  };
  const write = (text: string) => {
    written.push(text);
    screen.write(text);
  };
  const progress = createProgress(
    {
      write,
      style: look,
      height: rows,
      onResize: (listener) => {
        redraw = listener;
        return () => (redraw = () => {});
      },
    },
    { above: summaryByTable(() => look) },
  );
  const emit = (event: RunEvent) => void progress.listener(event);
  emit({
    type: 'run-started',
    runId: 'run-1',
    pipeline: 'shop',
    startedAt: STARTED,
    tables,
    ...(jobs !== undefined && { jobs }),
  });
  return {
    ...{ written, progress, emit, screen, look, write },
    pass: (seconds: number) => vi.advanceTimersByTime(seconds * 1000),
    load: (table = 'orders', estimatedRows = 1000) =>
      emit({
        type: 'table-planned',
        table,
        action: 'initial',
        reasons: [{ code: 'no-destination-table' }],
        estimatedRows,
      }),
    phase: (phase: Phase, more: { table?: string; detail?: string; waitsFor?: string } = {}) =>
      emit({ type: 'phase-started', table: 'orders', phase, ...more }),
    chunk: (done: number, of: number) =>
      emit({ type: 'phase-started', table: 'orders', phase: 'copy', chunks: { done, of } }),
    copied: (bytes: number, count?: number, earlier?: number) =>
      emit({
        type: 'rows-copied',
        table: 'orders',
        bytes,
        ...(count !== undefined && { rows: count }),
        ...(earlier !== undefined && { earlier }),
      }),
    resize: (columnsNow: number) => {
      screen.resize(columnsNow, rows);
      width = columnsNow;
      redraw();
    },
    /** The last line, which is the live one where there is one. */
    live: () => screen.lines().at(-1),
  };
}

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

const FOUR = ['orders', 'items', 'events', 'customers'];

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
