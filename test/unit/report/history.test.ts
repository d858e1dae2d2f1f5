/** What a person reads of past runs: what failed, why, and what has not failed. */
import { expect, test } from 'vitest';
import { formatRuns, formatTableRuns } from '../../../src/report/history.ts';
import { runRecordSchema, type RunRecord } from '../../../src/schema/run-record.ts';

const style = { color: false, isUnicode: true, width: 80 };

const record = (table: string | null, code?: string, message = 'no reason'): RunRecord =>
  runRecordSchema.parse({
    run_id: 'one',
    pipeline: 'shop',
    table_name: table,
    started_at: '2026-03-01T10:00:00Z',
    ...(code !== undefined && {
      status: 'failed',
      action: 'skipped',
      error_code: code,
      error_message: message,
    }),
  });

const failedTables = (records: readonly RunRecord[]): readonly string[] =>
  records.flatMap(({ status, tables }) => (status === 'failed' ? tables : []));

function run(...records: readonly RunRecord[]) {
  const notStarted = failedTables(records);
  const failures = records.filter(({ status }) => status === 'failed');
  const failure = failures.find(({ table_name }) => table_name === null) ?? failures[0];
  const tables = records.filter(({ table_name }) => table_name !== null);
  const status: 'ok' | 'partial' | 'failed' = !failure
    ? 'ok'
    : failures.length < tables.length
      ? 'partial'
      : 'failed';
  return {
    startedAt: new Date('2026-03-01T10:00:00Z'),
    durationSeconds: 1,
    status,
    tables,
    failure,
    notStarted,
  };
}

const linesOf = (...runs: readonly (ReturnType<typeof run> & { readonly isRunning?: boolean })[]): string[] =>
  formatRuns({ runs, isMore: false }, style, (name) => name)
    .trimEnd()
    .split('\n')
    .slice(1);

test('tables that another run held, and a run that a signal ended, have not failed', () => {
  const [busy = '', , stopped = '', , both = ''] = linesOf(
    run(record('a'), record('b', 'RUN_LOCKED')),
    run(record('a', 'INTERRUPTED')),
    run(record('a', 'RUN_LOCKED'), record('b', 'TIMEOUT')),
  );
  expect(busy).toMatch(/ busy +1 ok, 1 busy /);
  expect(stopped).toMatch(/ interrupted +1 interrupted /);
  expect(both).toMatch(/ failed +1 failed, 1 busy /);
});

test('other failed tables are named with their code, and the first failure not again', () => {
  expect(linesOf(run(record('a'), record('b', 'TIMEOUT'))).slice(1, -1)).toEqual([
    '    TIMEOUT b: no reason',
  ]);
  const several = run(
    record('a', 'TIMEOUT'),
    record('b', 'TIMEOUT'),
    record('c', 'NO_KEY'),
    record('d', 'NO_KEY'),
  );
  expect(linesOf(several)[2]).toBe('    also failed: b; c, d (NO_KEY)');
  const whole = run(record(null, 'CONNECTION_FAILED'), record('a', 'TIMEOUT'), record('b'));
  expect(linesOf(whole).slice(1, 3)).toEqual(['    CONNECTION_FAILED no reason', '    failed: a (TIMEOUT)']);
});

test('a table that a signal interrupted is not called failed, also below the line of the run', () => {
  const stopped = run(
    record(null, 'INTERRUPTED', 'stopped'),
    record('a', 'INTERRUPTED'),
    record('b', 'TIMEOUT'),
  );
  expect(linesOf(stopped).slice(1, -1)).toEqual([
    '    INTERRUPTED stopped',
    '    interrupted: a',
    '    failed: b (TIMEOUT)',
  ]);
});

test('the last of equal errors is printed whole, and the others take one line', () => {
  const failed = run(
    record('a', 'TIMEOUT', 'a long reason that does not fit into one line of a terminal with 80 columns'),
  );
  expect(linesOf(failed, failed)).toEqual([
    expect.stringMatching(/ failed /),
    '    TIMEOUT a: the same error as below',
    expect.stringMatching(/ failed /),
    '    TIMEOUT a: a long reason that does not fit into one line of a terminal with',
    '    80 columns',
    expect.stringMatching(/^2 runs: 2 failed/),
  ]);
});

test('the end says that there are older runs, and a table that was not planned has no action', () => {
  const list = { runs: [run(record('a', 'TIMEOUT'))], isMore: true };
  const lines = formatTableRuns(list, [], style, (name) => name).split('\n');
  expect(lines[1]).toMatch(/ failed +- /);
  expect(lines.at(-2)).toMatch(/^The last 1 run: 1 failed \(times in .*\); older runs: --limit$/);
  const narrow = formatTableRuns(list, [], { ...style, width: 40 }, (name) => name).split('\n');
  expect(narrow.at(-2)).toBe('  older runs: --limit');
});

test('the tables that a run did not start are counted, below its line if the line has no room', () => {
  const stopped = { ...record(null, 'INTERRUPTED', 'stopped by SIGINT'), tables: ['c', 'd'] };
  const done = ['a', 'b'].map((name) => ({ ...record(name), rows_inserted: 1_234_567, bytes: 12_345_678 }));
  const killed = { ...record('e', 'INTERRUPTED', 'killed'), was_killed: true, tables: ['f'] };
  const [line = '', ...others] = linesOf(run(...done, stopped), run(killed));
  expect(line).toMatch(/ interrupted +2 ok, 2 not started +2,469,134 +24\.7 MB$/);
  expect(others.join('\n')).toMatch(/ killed +1 killed, 1 .*\n {4}tables: 1 killed, 1 not started\n/);
  const narrow = formatRuns(
    { runs: [run(...done, stopped)], isMore: false },
    { ...style, width: 70 },
    String,
  );
  expect(narrow).toContain('\n    tables: 2 ok, 2 not started\n');
});

test('a run that could not start any table says so in the words of its mail', () => {
  const failed = { ...record(null, 'CONNECTION_FAILED', 'refused'), tables: ['a', 'b'] };
  expect(linesOf(run(failed))[0]).toMatch(/ failed +none synced +0 /);
});

test('the chart marks failed runs, and not those that were busy or stopped', () => {
  const marked = (code: string) => {
    const runs = [run(record('a')), run(record('a', code))];
    return formatTableRuns({ runs, isMore: false }, runs, style, String).includes('F: the run failed');
  };
  expect(['TIMEOUT', 'RUN_LOCKED', 'INTERRUPTED'].map(marked)).toEqual([true, false, false]);
});

test('a run that has not ended is running', () => {
  expect(linesOf(run(record('a')), { ...run(record('a')), isRunning: true })).toEqual([
    expect.stringMatching(/ ok +1 ok /),
    expect.stringMatching(/ running +1 ok so far /),
    expect.stringMatching(/^2 runs: 1 running, 1 ok \(/),
  ]);
});

test('a run with warnings does not look like one without, and the last of equal lists names the tables', () => {
  const warned = { ...record('b'), warnings: ['rows were left out'] };
  const runs = [run(record('a'), warned), run(record('a'), warned), run(record('a'))];
  expect(linesOf(...runs)).toEqual([
    expect.stringMatching(/ ok +2 ok \(1 with warnings\) /),
    expect.stringMatching(/2 ok \(1 with warnings\)/),
    '    with warnings: b',
    expect.not.stringContaining('warnings'),
    expect.stringMatching(/^3 runs: 3 ok, of which 2 with warnings \(/),
  ]);
});

test('the list of one table has its warnings, the last of equal ones whole', () => {
  const long = `rows were left out${' because of a reason'.repeat(4)}`;
  const warned = run({ ...record('b'), warnings: [long] });
  const list = { runs: [warned, warned], isMore: false };
  const lines = formatTableRuns(list, [], style, (name) => name).split('\n');
  expect(lines[2]).toBe('    warning: the same as below');
  expect(lines.slice(4, 6).join(' ').replaceAll(/ +/g, ' ')).toBe(` warning: ${long}`);
});
