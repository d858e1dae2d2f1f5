import { expect, test } from 'vitest';
import { formatSequences } from '../../../src/report/sequences.ts';

const wide = { color: false, width: 200, isUnicode: true };

const column = (table: string, kind: 'set' | 'failed') => ({
  ...{ table, column: 'id', sequence: { schema: 'public', table: `${table}_id_seq` } },
  ...{
    isCreated: false,
    kind,
    from: null,
    to: kind === 'set' ? '7' : null,
    unread: undefined,
    statements: [],
  },
  error: undefined,
});

const failed = (table: string) => ({
  ...column(table, 'failed'),
  error: {
    ...{ code: 'PRIVILEGE_MISSING', sqlstate: '42501', message: `no right to public.${table}_id_seq` },
    next: `Run: GRANT UPDATE ON SEQUENCE "public"."${table}_id_seq" TO "x"`,
  },
});

const locked = (table: string) => ({
  ...{ ...column(table, 'failed'), column: null, sequence: null },
  error: { code: 'LOCK_TIMEOUT', sqlstate: '55P03', message: 'the lock is held', next: 'Wait.' },
});

const names = (count: number) => Array.from({ length: count }, (_, place) => `t${place + 1}`);

test('one reason of several tables is printed once', () => {
  const text = formatSequences(['a', 'b', 'c'].map(failed), wide, false);
  expect(text.match(/no right/g)).toHaveLength(1);
  expect(text.match(/, as for a, with the name of this table/g)).toHaveLength(2);
});

test('the failures of many tables are grouped at the end, and the last line has the totals', () => {
  const results = [...names(60).map(failed), column('good', 'set'), locked('held')];
  const lines = formatSequences(results, wide, false).split('\n');
  expect(lines.slice(60, 63)).toEqual([
    'FAILED  t60.id   public.t60_id_seq   -',
    'set     good.id  public.good_id_seq  none -> 7',
    'FAILED  held     -                   -',
  ]);
  expect(lines.slice(63)).toEqual([
    '    FAILED 60 tables: t1, t2, t3, t4, t5, t6, t7, t8, t9, t10 and 50 more (PRIVILEGE_MISSING, SQLSTATE 42501)',
    '      error: no right to public.t1_id_seq',
    '      next: Run: GRANT UPDATE ON SEQUENCE "public"."t1_id_seq" TO "x"',
    '      The other tables need the same, with their own names.',
    '    FAILED held (LOCK_TIMEOUT, SQLSTATE 55P03)',
    '      error: the lock is held',
    '      next: Wait.',
    '61 columns: 60 failed, 1 set; 1 table not read',
    '',
  ]);
});

test.each([
  [[column('a', 'set')], true, '1 column: 1 would set'],
  [[locked('a'), locked('b')], false, '2 tables not read'],
])('the totals of %j', (results, isDryRun, expected) => {
  expect(formatSequences(results, wide, isDryRun).split('\n').at(-2)).toBe(expected);
});

test('a missing sequence comes with its statements, and an unread one with its GRANT', () => {
  const name = (table: string) => ({ schema: 'public', table });
  const missing = (table: string) => ({
    ...{ ...column(table, 'set'), kind: 'missing' as const, to: null },
    unread: { name: name(`${table}_id_seq`), role: 'reader' },
    statements: ['CREATE SEQUENCE shared', `ALTER TABLE ${table}`],
  });
  const text = formatSequences(['a', 'b'].map(missing), wide, false);
  expect(text).toContain(
    'At the source, run: GRANT SELECT ON SEQUENCE "public"."a_id_seq", "public"."b_id_seq" TO "reader"\n',
  );
  expect(text).not.toContain('the values are those of the rows');
  expect(text.match(/CREATE SEQUENCE shared;/g)).toHaveLength(1);
  expect(formatSequences(names(11).map(missing), wide, false)).toContain(
    'GRANT SELECT ON ALL SEQUENCES IN SCHEMA "public" TO "reader"\n',
  );
});
