import { describe, expect, test } from 'vitest';
import {
  calledIn,
  clockWordsIn,
  faultIn,
  hasChangingWord,
  queryWordsIn,
  withNames,
  withoutEnd,
} from '../../../src/sql/user-sql.ts';

describe('SQL stays between brackets', () => {
  test.each([
    "note = ')'",
    "note = 'it''s (' AND true",
    "note = E'it\\'s (' AND (true)",
    `"odd ( name" = 1`,
    `"a""(" = 1`,
    'note = $$ ( ; $$',
    'note = $tag$ ( $$ ; $tag$',
    'true -- ( ;',
    '/* ( /* ; */ ( */ true',
    'a[1] = 1',
    'größe(x) > a$1',
    "U&'\\0041' = x",
  ])('%s', (text) => {
    expect(faultIn(text)).toBeUndefined();
  });

  test.each([
    ['(true', 0],
    ['true)', 4],
    ['a = (1)) OR ((2)', 7],
    ['a = "b', 4],
    ["a = E'\\'", 4],
    ['a /* /* */', 2],
    ['a = $x$ $$', 4],
    ['a; b', 1],
    ['a > $1', 4],
    ['  \n-- nothing', 0],
    ['a\0', 1],
  ])('%j does not', (text, at) => {
    expect(faultIn(text)?.at).toBe(at);
  });
});

test('semicolons at the end go, with the comments behind them', () => {
  expect(withoutEnd("SELECT ';' ; ; -- done\n")).toBe("SELECT ';' ");
  expect(withoutEnd('SELECT 1 -- one')).toBe('SELECT 1 -- one');
});

test('calls are found, and words that only look like them are not', () => {
  expect(calledIn(`lower (a) || "Odd"( 'f(x)' ) /* g() */ || app.mask(b) || c.d`)).toEqual([
    'lower',
    'Odd',
    'mask',
  ]);
});

test.each([
  ["status = 'active'", false],
  ['lower(a) = b', false],
  ['EXISTS (SELECT FROM other)', true],
  ['at > current_date', true],
  ["at > 'now'::timestamptz", true],
  [`"current_date" > 1`, false],
])('%s changes by itself: %s', (text, isChanging) => {
  expect(hasChangingWord(text)).toBe(isChanging);
});

test('words that tell the time', () => {
  expect(clockWordsIn("a > CURRENT_DATE OR b < 'today' OR c")).toEqual(['current_date', "'today'"]);
});

test.each([
  `at > E'today'`,
  `at > $$today$$`,
  `at > $x$yesterday$x$`,
  `at > 'today 10:00'`,
  `at > '10:30 tomorrow'`,
  `at > ' now '`,
  `at <@ '[yesterday,)'::daterange`,
  `at = ANY ('{today,"tomorrow"}')`,
  `at > 'to'\n  'day'`,
  `at > 'to' -- half of it\n'day'`,
  String.raw`at > E'tod\x61y'`,
  String.raw`at > U&'tod\0061y'`,
  `at > U&'tod!0061y' UESCAPE '!'`,
])('%s tells the time', (text) => {
  expect(hasChangingWord(text)).toBe(true);
});

test.each([`note = 'buy now'`, `note LIKE '%today%'`, `note = 'nowhere'`, String.raw`note = '\d'`])(
  '%s does not',
  (text) => {
    expect(hasChangingWord(text)).toBe(false);
  },
);

test('a string that goes on behind a line break keeps the escapes of its beginning', () => {
  const goesOn = String.raw`a = E'x'` + '\n' + String.raw`'\' OR b = ('`;
  expect(faultIn(goesOn)).toBeUndefined();
  // Without the E, the backslash is a character.
  expect(faultIn(goesOn.replace('E', ''))?.what).toBe("string is not terminated; missing '");
  expect(faultIn(`a = 'x' -- y\n'(;'`)).toBeUndefined();
  // On one line the second one is a string of its own.
  expect(faultIn(String.raw`a = E'x' '\' OR (b)`)).toBeUndefined();
});

test.each([
  ['(SELECT 1)', ['select']],
  ['ARRAY(TABLE other)', ['table']],
  ['x IN (values (1))', ['values']],
  [`'select' || "select" || source.select || source."values" -- select`, []],
  ["source.at AT TIME ZONE 'UTC'", []],
] as const)('%s begins a subquery with %j', (text, words) => {
  expect(queryWordsIn(text)).toEqual(words);
});

test.each([
  [`md5(email) || 'email' -- email`, 'mail', `md5(mail) || 'email' -- email`],
  ['email(c.EMAIL) || "email" || email_at', 'mail', 'email(c.mail) || "mail" || email_at'],
  ['lower (email)', 'E-Mail', 'lower ("E-Mail")'],
])('%s with another name of a column', (text, name, renamed) => {
  expect(withNames(text, new Map([['email', name]]))).toBe(renamed);
});
