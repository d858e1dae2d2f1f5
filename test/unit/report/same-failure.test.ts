/** Failures that differ only in the name of the table. */
import { expect, test } from 'vitest';
import { failureKey, isRecorded, sameFailures, sharedHint } from '../../../src/report/same-failure.ts';

const keyOf = (name: string, message: string) => failureKey({ name, code: 'X', message, hint: '' });

test.each([
  ['t1', 'table t1 is gone', 't2', 'table t2 is gone'],
  ['a.b*', 'a.b* has 1,200 rows', 'c', 'c has 1 row'],
  ['ä', 'ä, ä.x', 'c', 'c, c.x'],
  ['tt', 'tt tt', 'c', 'c c'],
  ['t', 'GRANT ON "s"."t"; sync t', 'O c', `GRANT ON "s"."O c"; sync 'O c'`],
  ['a', 'a of 2026-01-02T03:04:05.678Z is gone', 'b', 'b of 2026-11-30T00:00:00Z is gone'],
  [
    't1',
    'check constraint "t1_n_check" (Failing row contains (9, (a). b).)',
    't2',
    'check constraint "t2_n_check" (Failing row contains (8, c).)',
  ],
])('%s and %s in %s and %s are the same', (name, message, other, otherMessage) => {
  expect(keyOf(name, message)).toBe(keyOf(other, otherMessage));
});

test.each([
  ['t1', 'table t12 is gone', 't2', 'table t22 is gone'],
  ['t', 'ät and t', 'c', 'äc and c'],
  ['t', '\u{1d41a}t', 'c', '\u{1d41a}c'],
  ['t', 't\u{1d41a}', 'c', 'c\u{1d41a}'],
  ['t', 't_ $t', 'c', 'c_ $c'],
])('the name of a table inside another word counts: %s', (name, message, other, otherMessage) => {
  expect(keyOf(name, message)).not.toBe(keyOf(other, otherMessage));
});

test('failures of several ages are alike', () => {
  const failure = (name: string, age: string) => ({
    ...{ name, code: 'LAST_SYNC_FAILED', hint: '', message: `the last sync failed ${age} ago: no space` },
  });
  expect(sameFailures([failure('a', '59 s'), failure('b', '60 s'), failure('c', '2 min')])).toHaveLength(1);
});

test('a recorded error may have the number of attempts', () => {
  const error = { code: 'CONNECTION_FAILED', message: 'refused' };
  expect(isRecorded(error, { ...error, message: 'refused; tried 4 times' })).toBe(true);
  expect(isRecorded(error, error)).toBe(true);
  expect(isRecorded(error, { ...error, message: 'refused by another host' })).toBe(false);
  expect(isRecorded(error, { ...error, code: 'TLS_FAILED' })).toBe(false);
  expect(isRecorded(error, { code: null, message: null })).toBe(false);
});

test('the name of a sequence that belongs to the table does not count', () => {
  const keyFor = (name: string, otherName: string) =>
    failureKey({
      name,
      otherName,
      code: 'X',
      message: `no right to public.${otherName} of ${name}`,
      hint: '',
    });
  expect(keyFor('a', 'a_id_seq')).toBe(keyFor('b', 'b_no_seq'));
  expect(keyFor('a', 'b')).not.toBe(keyOf('a', 'no right to public.b of a'));
});

test('grants on several tables are one statement, and other steps stay apart', () => {
  const shared = (...hints: readonly string[]) => sharedHint(hints.map((hint) => ({ hint, name: '' })));
  const grant = (table: string, role = '"r"') => `At the source, run: GRANT SELECT ON ${table} TO ${role}`;
  expect(shared(grant('"s"."a"'), grant('"b ""x"""'))).toBe(grant('"s"."a", "b ""x"""'));
  expect(shared(grant('"a"'), grant('"b"', '"other"'))).toBeUndefined();
  expect(shared(grant('"a"'), 'Drop a.')).toBeUndefined();
  expect(shared('Wait.', 'Wait.')).toBe('Wait.');
  expect(shared('Drop a.', 'Drop b.')).toBeUndefined();
});

test('steps that differ in the names of their tables alone are one command', () => {
  const shared = (step: (name: string) => string, ...names: readonly string[]) =>
    sharedHint(names.map((name) => ({ name, hint: step(name) })));
  const forced = (name: string) =>
    `If increp may remove these rows, run "increp sync ${name} --deletes --force". To keep them, set "deletes": "keep" for "${name}".`;
  expect(shared(forced, 't1', 't2')).toBe(
    'If increp may remove these rows, run "increp sync t1 t2 --deletes --force". To keep them, set "deletes": "keep" for "t1", "t2".',
  );
  // The same table at two destinations.
  expect(shared(forced, 't1', 't1')).toBe(forced('t1'));
  const statement = (name: string) => `Run: DROP TABLE "${name}". Then run "increp reset ${name}".`;
  expect(shared(statement, 't1', 't2')).toBeUndefined();
});
