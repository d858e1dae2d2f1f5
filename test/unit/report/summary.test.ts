import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import type { TableOutcome } from '../../../src/events.ts';
import { summaryByTable } from '../../../src/report/summary.ts';
import { displayWidth, truncate } from '../../../src/report/text.ts';
import { failure, outcome, STARTED, summary, printed, plain, mixed } from './outcomes.ts';

test('rows that were only read again are not counted twice', () => {
  const tables = [outcome({ rowsRead: 5000, rowsUnchanged: 5000 })];
  expect(printed(summary({ tables }), plain)).toContain('  5,000 read again, none changed\n');
});

test('an aligned table with what to do next', () => {
  expect(printed(mixed, plain)).toBe(
    [
      '✓ ok       orders     incremental   0.4 s   12.3 kB  1,200 read, 1,000 inserted, 4 updated, 196 unchanged',
      '✓ ok       customers  initial       0.4 s      80 B  9 read, 9 inserted',
      '    warning: 2 rows have no key',
      '✗ FAILED   items      incremental   0.4 s',
      '    error: denied',
      '           DETAIL: no (PRIVILEGE_MISSING, SQLSTATE 42501)',
      '      next: GRANT SELECT ON items TO reader;',
      '- skipped  old',
      '    because it is disabled in tables-config.json',
      'warning: the source is a standby',
      '2 tables ok, 1 failed, 1 skipped, 1 with warnings in 4.2 s',
      '',
    ].join('\n'),
  );
});

test('what has happened to a copy besides its rows is said, and that it went on from its cursor is not', () => {
  const reason =
    'column "extra" (text) was added at the source: the destination table was altered in place, 3 rows filled';
  const reasons: TableOutcome['reasons'] = [
    {
      code: 'drift',
      differences: [{ code: 'column-added', column: 'extra', type: 'text' }],
      answer: { kind: 'alter', filledRows: 3 },
    },
  ];
  const linesOf = (changes: Parameters<typeof outcome>[0]) =>
    printed(summary({ tables: [outcome({ rowsRead: 1, ...changes })] }), plain).split('\n');
  expect(linesOf({ reasons })[1]).toBe(`    because ${reason}`);
  expect(linesOf({ reasons, action: 'append' })[1]).toBe(`    because ${reason}`);
  expect(linesOf({})[1]).toMatch(/^1 table ok/);
});

test('colour follows the flag alone and carries no meaning of its own', () => {
  const colored = printed(mixed, { ...plain, color: true });
  expect(colored).toContain('\u001b[31m✗ FAILED');
  expect(stripVTControlCharacters(colored)).toBe(printed(mixed, plain));
});

test('no tables at all', () => {
  expect(printed(summary(), plain)).toBe('no tables in 4.2 s\n');
});

test('a run that failed before its tables says why', () => {
  const failed = summary({ status: 'failed', error: failure({ sqlstate: undefined }) });
  expect(printed(failed, plain).split('\n').slice(0, 3)).toEqual([
    'error: permission denied for table items (PRIVILEGE_MISSING)',
    '  next: GRANT SELECT ON items TO reader;',
    'Run failed after 4.2 s. No table was synced.',
  ]);
});

test('long names give way on a narrow terminal, but not that of a failed table', () => {
  const long = 'a_table_with_quite_a_long_name';
  const tables = [
    outcome({ name: long }),
    outcome({ name: long, status: 'failed', error: failure() }),
    outcome({ name: '短い名前の表です長い長い名前' }),
  ];
  const lines = printed(summary({ tables }), { color: false, width: 62, isUnicode: true })
    .split('\n')
    .filter((line) => line.includes('incremental'));
  expect(lines[0]).toContain('…');
  expect(lines[1]).toContain(long);
  expect(displayWidth(lines[0] ?? '')).toBeLessThanOrEqual(62);
  expect(displayWidth(lines[2] ?? '')).toBe(displayWidth(lines[0] ?? ''));
});

test('what does not fit is broken where words end, and hangs', () => {
  const text = printed(mixed, { ...plain, width: 60 });
  expect(text.split('\n').slice(0, 3)).toEqual([
    '✓ ok       orders     incremental   0.4 s   12.3 kB',
    '    1,200 read, 1,000 inserted, 4 updated, 196 unchanged',
    '✓ ok       customers  initial       0.4 s      80 B',
  ]);
  for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(60);
});

test('names of every script are aligned', () => {
  const tables = ['orders', '注文', 'cafe\u0301', 'été', '한국어'].map((name) => outcome({ name }));
  const lines = printed(summary({ tables }), plain).split('\n').slice(0, 5);
  const starts = lines.map((line) => displayWidth(line.slice(0, line.indexOf('incremental'))));
  expect(new Set(starts).size).toBe(1);
});

test('an escape sequence in a name or a message does not reach the terminal', () => {
  const tables = [
    outcome({ name: 'a\u001b[2Jb\nc', status: 'failed', error: failure({ message: '\u001b]0;x\u0007' }) }),
  ];
  const text = printed(summary({ tables }), plain);
  expect(text).not.toContain('\u001b');
  expect(text.split('\n')[0]).toContain('a�[2Jb c');
});

test('text is cut by cells, not by characters', () => {
  expect(truncate('orders', 6, '…')).toBe('orders');
  expect(truncate('orders', 4, '…')).toBe('ord…');
  expect(truncate('注文注文', 4, '…')).toBe('注…');
  expect(truncate('orders', 0, '…')).toBe('');
});

test('an empty selection names the option that chooses rows, and a table that was loaded again has no rows', () => {
  const line = (changes: Partial<TableOutcome>) =>
    printed(summary({ tables: [outcome(changes)] }), plain).split('\n')[0];
  const loaded = { action: 'initial', reasons: [{ code: 'no-destination-table' }] } as const;
  expect(line({ ...loaded, rowsFrom: 'where' })).toMatch(/ no rows match where$/);
  expect(line({ ...loaded, rowsFrom: 'query' })).toMatch(/ the query returns no rows$/);
  expect(line({ rowsFrom: 'where', cursor: null })).toMatch(/ no rows match where$/);
  expect(line({ rowsFrom: 'where' })).toMatch(/ no new rows$/);
  expect(line({ rowsRead: 1, rowsCompared: 10_000, rowsUnchanged: 1 })).toMatch(
    / 1 read, 10,000 compared, 1 unchanged$/,
  );
  expect(line({ action: 'full-refresh', cursor: null })).toMatch(/ no rows$/);
});

test('the columns are as wide as the longest action of the run', () => {
  const tell = summaryByTable(() => plain);
  tell({
    ...{ type: 'run-started', runId: 'r', pipeline: 'p', startedAt: STARTED },
    ...{ tables: ['a', 'b'], hasFullRefresh: true },
  });
  const [a = '', b = ''] = (['incremental', 'full-refresh'] as const).map((action) =>
    tell({ type: 'table-finished', outcome: outcome({ name: action.slice(0, 1), action, bytes: 5 }) }),
  );
  expect(a.indexOf('0.4 s')).toBe(b.indexOf('0.4 s'));
});
