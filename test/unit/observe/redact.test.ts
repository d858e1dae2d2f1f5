import { expect, test } from 'vitest';
import { mapStrings, redactor } from '../../../src/redact.ts';

test('every occurrence, and the longer of two secrets first', () => {
  const redact = redactor(['hunter2', 'hunter2-more']);
  expect(redact('hunter2-more hunter2 hunter2')).toBe('*** *** ***');
});

test('characters that mean something in a pattern or a replacement are taken as they are', () => {
  expect(redactor(['a.*(b$&'])('x a.*(b$& y axxb')).toBe('x *** y axxb');
});

test('a very short secret is hidden where credentials stand and nowhere else', () => {
  const redact = redactor(['a1']);
  expect(redact('postgres://u:a1@h/db SOURCE_PASSWORD=a1 Password: "a1" password=a12, table a1')).toBe(
    'postgres://u:***@h/db SOURCE_PASSWORD=*** Password: "***" password=a12, table a1',
  );
  expect(redactor(['', 'x'])('xxx')).toBe('xxx');
});

test('half a surrogate pair does not break it', () => {
  expect(redactor(['abc\ud800d'])('say abc\ud800d')).toBe('say ***');
});

test('strings are changed wherever they are, keys and other values are not', () => {
  const value = { a: ['x', { b: 'x' }], x: 1, n: null, t: true };
  expect(mapStrings(value, () => 'y')).toEqual({ a: ['y', { b: 'y' }], x: 1, n: null, t: true });
});
