import { expect, test } from 'vitest';
import { isFoundByIndex, nullSafeMatch } from '../../../src/sql/null-safe-match.ts';
import { EQUALS } from '../../../src/sql/search-path.ts';

const key = (nullable: string, plain = '') => [
  ...Array.from(plain, (name) => ({ left: `t.${name}`, right: `s.${name}`, isNullable: false })),
  ...Array.from(nullable, (name) => ({ left: `t.${name}`, right: `s.${name}`, isNullable: true })),
];

const text = (match: string) =>
  match
    .replaceAll(EQUALS, '=')
    .replaceAll(/([\w.]+) IS NOT DISTINCT FROM NULL AND [\w.]+ IS NOT DISTINCT FROM NULL/g, 'no $1');

test('a key without NULLs joins by its columns alone', () => {
  expect(text(nullSafeMatch(key('', 'ab')))).toBe('t.a = s.a AND t.b = s.b');
});

test('a nullable column is compared in a form that can be hashed, and exactly in each alternative', () => {
  expect(text(nullSafeMatch(key('b', 'a')))).toBe(
    't.a = s.a AND ARRAY[t.b] = ARRAY[s.b] AND ((t.a = s.a AND t.b = s.b) OR (t.a = s.a AND no t.b))',
  );
  expect(text(nullSafeMatch(key('ab'), 'with NULL'))).toBe(
    'ARRAY[t.a] = ARRAY[s.a] AND ARRAY[t.b] = ARRAY[s.b]' +
      ' AND ((t.a = s.a AND no t.b) OR (no t.a AND t.b = s.b) OR (no t.a AND no t.b))',
  );
});

test('beyond three nullable columns, the others are no alternatives, so their number stays small', () => {
  expect([0, 3, 4].map(isFoundByIndex)).toEqual([true, true, false]);
  const match = text(nullSafeMatch(key('abcdefgh'), 'with NULL'));
  expect(match.match(/ARRAY\[t/g)).toHaveLength(8);
  expect(match.match(/no t\.b/g)).toHaveLength(4);
  // A row may have its only NULL in one of the other columns.
  expect(match).toContain('((t.a = s.a AND t.b = s.b AND t.c = s.c) OR');
  expect(match).toContain('AND (t.h = s.h OR no t.h)');
});
