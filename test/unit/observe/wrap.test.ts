import { expect, test } from 'vitest';
import { wrap } from '../../../src/observe/wrap.ts';

test('lines are broken between words, and what follows hangs below', () => {
  expect(wrap('  one two three four', 12)).toBe('  one two\n    three\n    four');
  expect(wrap('short\nlonger than ten', 10)).toBe('short\nlonger\n  than ten');
});

test('a long word stays whole, as do columns of a table that fit', () => {
  expect(wrap('a verylongwordindeed b', 8)).toBe('a\n  verylongwordindeed\n  b');
  expect(wrap('a    b    c', 20)).toBe('a    b    c');
});

test('without a width nothing is broken', () => {
  expect(wrap('word '.repeat(100), Infinity)).toBe('word '.repeat(100));
});
