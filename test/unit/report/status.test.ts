/** How `status` prints a problem of many tables. */
import { expect, test } from 'vitest';
import { formatStatus } from '../../../src/report/status.ts';
import { runRecordSchema } from '../../../src/schema/run-record.ts';
import { STATE_FILE_IGNORED, STATE_FILE_RENAMED } from '../../../src/schema/state-record.ts';

const style = { color: false, width: 100, isUnicode: true };
const now = new Date('2026-03-01T12:00:00Z');

const failing = (name: string, error_message: string) => ({
  ...{ name, condition: 'failing', needsAttention: true, failures: 1, hasState: true, resetAt: undefined },
  ...{ cursor: null, completeUpTo: null, lastSuccessAt: undefined, lagSeconds: undefined, rowsLastDay: 0 },
  lastFailure: {
    ...{ started_at: '2026-03-01T11:00:00Z', error_code: 'STATE_MISMATCH', error_message },
    ...{ error_hint: `Run "increp reset ${name}".`, sqlstate: null },
  },
  ...{ lastRun: undefined, drift: undefined, refusal: undefined, pendingLoad: undefined },
});

const linesOf = (names: readonly string[], messageOf: (name: string, index: number) => string) =>
  formatStatus(
    names.map((name, index) => failing(name, messageOf(name, index))),
    { style, now, isVerbose: false },
  )
    .trimEnd()
    .split('\n')
    .slice(1);

test('an error that differs only in the name of the table and in rows is printed once', () => {
  const lines = linesOf(['a', 'b'], (name, index) => `public.${name} has ${500 + index} rows and no state`);
  expect(lines[1]).toBe('    error: public.a has 500 rows and no state (STATE_MISMATCH, 60 min ago)');
  expect(lines[4]).toBe('    error: STATE_MISMATCH, as for a, with the name of this table and 501 rows');
  expect(lines.at(-1)).toBe('2 tables: 2 failing');
});

test('the summary says that only the files of this machine were read', () => {
  const ok = { ...failing('a', ''), condition: 'ok', needsAttention: false, lastFailure: undefined };
  const text = formatStatus([ok], { style, now, isVerbose: false, isFromFiles: true });
  expect(text.trimEnd().split('\n').at(-1)).toBe(
    '1 table: 1 ok, as of the last run on this machine (from its files)',
  );
});

test('three tables that fail alike share the lines at the end', () => {
  const lines = linesOf(['a', 'b', 'c'], () => 'role "increp" may not connect');
  expect(lines.slice(3)).toEqual([
    '3 tables: 3 failing',
    '    FAILED 3 tables: a, b, c (STATE_MISMATCH)',
    '      error: role "increp" may not connect',
    '      next: Run "increp reset a b c".',
  ]);
});

test('after many different steps, the end has the counts and a command for each', () => {
  const names = Array.from({ length: 12 }, (_, index) => `t${10 + index}`);
  const lines = linesOf(names, (_, index) => `reason ${'abc'.charAt(index % 3)}`);
  expect(lines.slice(-4)).toEqual([
    '12 tables: 12 failing',
    ...['t10', 't11', 't12'].map(
      (name) => `    FAILED 4 tables, such as ${name} (STATE_MISMATCH): increp status ${name}`,
    ),
  ]);
  expect(lines.filter((line) => line.startsWith('    FAILED 4 tables: '))).toHaveLength(3);
});

test('of many tables, the end repeats each error with its tables', () => {
  const names = Array.from({ length: 12 }, (_, index) => `t${10 + index}`);
  const lines = linesOf(names, (name) =>
    name === 't21' ? 'port 1 is closed' : `${name} belongs to another`,
  );
  expect(lines.slice(lines.indexOf('12 tables: 12 failing'))).toEqual([
    '12 tables: 12 failing',
    '    FAILED 11 tables: t10, t11, t12, t13, t14, t15, t16, t17, t18, t19 and 1 more (STATE_MISMATCH)',
    '      error: t10 belongs to another',
    '      next: Run "increp reset t10 t11 t12 t13 t14 t15 t16 t17 t18 t19 t20".',
    '    FAILED t21 (STATE_MISMATCH)',
    '      error: port 1 is closed',
    '      next: Run "increp reset t21".',
  ]);
});

test('status of a table says when deleted rows were compared, and when they are next', () => {
  const textOf = (checkedAt: string | null, refusedAt: string | null = null) => {
    const table = fine('a', { deletes: { checkedAt, refusedAt, everySeconds: 86_400 } });
    return formatStatus([table], { style, now, isVerbose: false, hasDeletes: true }).split('\n')[2];
  };
  const minutes = '2026-03-01T11:56:00Z';
  expect(textOf(minutes)).toBe(
    '    deleted rows: last load or comparison 4 min ago, next comparison in 24 h',
  );
  expect(textOf('2026-02-28T10:00:00Z')).toMatch(/ 26 h ago, the next sync compares$/);
  expect(textOf(minutes, minutes)).toMatch(/: the last comparison failed 4 min ago, the next sync compares$/);
  expect(textOf(null)).toBe('    deleted rows: no comparison has finished yet, the next sync compares');
  const deletes = { checkedAt: minutes, refusedAt: null, everySeconds: 86_400, isChanged: true };
  expect(
    formatStatus([fine('a', { deletes })], { style, now, isVerbose: false, hasDeletes: true }),
  ).toContain('    deleted rows: "deletes" was changed, the next sync compares\n');
});

const fine = (name: string, change: object = {}) => ({
  ...failing(name, ''),
  ...{ condition: 'ok', needsAttention: false, failures: 0, lastFailure: undefined },
  ...change,
});
const run = (change: object) =>
  runRecordSchema.parse({
    ...{ run_id: 'r', pipeline: 'p', table_name: 'a', started_at: '2026-03-01T11:58:00Z' },
    ...change,
  });
const printed = (...tables: Parameters<typeof formatStatus>[0][number][]) =>
  formatStatus(tables, { style, now, isVerbose: false }).trimEnd().split('\n').slice(1);

test('a damaged state file that the last run has renamed is no warning any more', () => {
  const warnings = [
    `${STATE_FILE_IGNORED} in sync-state, because it is empty`,
    `${STATE_FILE_RENAMED} a.json.unreadable-1`,
    'another',
  ];
  const lines = printed(fine('a', { lastRun: run({ warnings }) }));
  expect(lines.filter((line) => line.includes('warning'))).toEqual(['    warning (a, 2 min ago): another']);
});

test('the warnings of the last runs follow once, with their tables; those of a shared record without', () => {
  const warnings = ['3 rows have no updated_at (NULL)'];
  const alone = printed(
    fine('a', { lastRun: run({ warnings }) }),
    fine('b', { lastRun: run({ table_name: 'b', warnings }) }),
  );
  expect(alone.at(-1)).toBe('    warning (a, b, 2 min ago): 3 rows have no updated_at (NULL)');
  const shared = run({ table_name: null, tables: ['a', 'b'], warnings });
  expect(printed(fine('a', { lastRun: shared }), fine('b', { lastRun: shared })).at(-1)).toBe(
    '    warning (2 min ago): 3 rows have no updated_at (NULL)',
  );
});

test('a run that a signal ended, and why the next sync fails, are below the table', () => {
  const stopped = run({
    status: 'failed',
    action: 'full-refresh',
    error_code: 'INTERRUPTED',
    error_hint: 'Again.',
  });
  const refusal = {
    code: 'TABLE_NOT_FOUND',
    message: 'the source has no table public.b',
    next: 'Correct it.',
  };
  const lines = printed(fine('a', { lastRun: stopped }), fine('b', { refusal }));
  expect(lines).toContain('    last run: interrupted (full-refresh, 2 min ago)');
  expect(lines).toContain('    the next sync fails: the source has no table public.b (TABLE_NOT_FOUND)');
});

test('after a refused --adopt, status does not recommend it again', () => {
  const lastFailure = run({
    status: 'failed',
    error_code: 'DELETE_LIMIT_EXCEEDED',
    error_hint: 'If increp may remove these rows: "increp sync a --adopt --force".',
  });
  const refusal = { code: 'DESTINATION_NOT_OURS', message: 'public.a has 5 rows', next: 'Run --adopt.' };
  const lines = printed(fine('a', { condition: 'failing', failures: 1, lastFailure, refusal }));
  expect(lines).toContain('    a sync without --adopt is refused (DESTINATION_NOT_OURS)');
  expect(lines.join('')).not.toContain('Run --adopt.');
});

test('a run that met another one is not mentioned after the other one has finished', () => {
  const lastRun = run({ status: 'failed', error_code: 'RUN_LOCKED' });
  const busy = (syncedAt: string) =>
    printed(fine('a', { condition: 'late', lastRun, syncedAt: new Date(syncedAt) })).join(' ');
  expect(busy('2026-03-01T11:57:00Z')).toContain('another run had the table (busy, 2 min ago)');
  expect(busy('2026-03-01T11:59:00Z')).not.toContain('busy');
});

test('the step after a comparison fits the differences', () => {
  const found = { message: '2 duplicated', since: '2026-03-01T11:58:00Z' };
  const nextOf = (only: 'extra' | 'duplicated-at-source') =>
    printed(fine('a', { condition: 'different', difference: { ...found, only } })).join(' ');
  expect(nextOf('extra')).toContain('add --repair');
  expect(nextOf('duplicated-at-source')).toMatch(
    /next: Correct the rows of the source with the same unique key, or set other unique_cols\.\s+Then\s+run "increp verify a"\./,
  );
  expect(nextOf('duplicated-at-source')).not.toContain('--repair');
});

test('the step after a comparison has --force if the removal is over delete_limit', () => {
  const difference = {
    ...{ message: '291 extra', since: '2026-03-01T11:58:00Z', only: 'extra' as const },
    overLimit: { gone: 291, of: 300, isMarked: false },
  };
  const text = printed(fine('a', { condition: 'different', difference }))
    .join(' ')
    .replaceAll(/\s+/g, ' ');
  expect(text).toContain(
    'A repair removes 291 of 300 rows, which is over delete_limit. If increp may remove these rows: "increp verify a --repair --force".',
  );
  expect(text).not.toContain('add --repair');
});

test('a drift of many tables is printed once, at the end', () => {
  const drift = { what: 'the destination table was dropped', next: 'The next "increp sync" loads it.' };
  const names = Array.from({ length: 12 }, (_, index) => `t${10 + index}`);
  const lines = printed(...names.map((name) => fine(name, { condition: 'drift', drift })));
  expect(lines.slice(12)).toEqual([
    '12 tables: 12 drift',
    '    DRIFT 12 tables: t10, t11, t12, t13, t14, t15, t16, t17, t18, t19 and 2 more',
    '      the destination table was dropped',
    '      next: The next "increp sync" loads it.',
  ]);
});

test('tables without a run share one step, and a table that fails comes last', () => {
  const stale = (name: string) => fine(name, { condition: 'stale', needsAttention: true });
  expect(printed(stale('a')).at(1)).toContain('next: No run has failed since then. Check the scheduler');
  const lines = printed(failing('broken', 'no'), stale('a'), fine('b'), stale('c'));
  const heads = lines.filter((line) => /^[a-z]+(?:\(1\))? {2}/.test(line));
  expect(heads.map((line) => line.split(/ {2,}/)[1])).toEqual(['b', 'a', 'c', 'broken']);
  expect(lines[3]).toBe('    STALE 2 tables: a, c');
  expect(lines.join('\n')).not.toContain('No run has failed');
  expect(lines.join('\n').match(/Check the scheduler/g)).toHaveLength(1);
});
