import { describe, expect, test } from 'vitest';
import {
  isMatch,
  likeOf,
  patternOf,
  readPattern,
  starsOf,
  translated,
} from '../../../src/schema/patterns.ts';

const matches = (pattern: string, name: string) => isMatch(readPattern(pattern), name);

describe('a pattern', () => {
  test.each([
    ['events', 'events', true],
    ['events', 'events_1', false],
    ['events_*', 'events_', true],
    ['events_*', 'events_2024', true],
    ['events_*', 'Events_2024', false],
    ['events_*', 'my_events_1', false],
    ['*_log', '_log', true],
    ['*_log', 'a_log_', false],
    ['*', '', true],
    ['*', 'new\nline 😀', true],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*b*c', 'abbc', true],
    ['a*bb*c', 'abc', false],
    ['*a*a*', 'a', false],
    ['*a*a*', 'xaxax', true],
    ['**', 'x', true],
    ['a.c', 'abc', false],
    ['%_', 'ab', false],
    [String.raw`a\*`, 'a*', true],
    [String.raw`a\*`, 'ab', false],
    [String.raw`a\b`, String.raw`a\b`, true],
    [String.raw`\**`, '*x', true],
    [String.raw`\**`, 'x', false],
  ])('%j is %j: %j', (pattern, name, isIt) => {
    expect(matches(pattern, name)).toBe(isIt);
  });

  test('of many stars does not take forever', () => {
    expect(matches(`${'*a'.repeat(30)}b`, 'a'.repeat(63))).toBe(false);
  });

  test.each(['plain', '*', 'a*b', String.raw`a\*`, String.raw`\\`, String.raw`\\*`, '**'])(
    'means %j alone when it is written so',
    (name) => {
      const pattern = readPattern(patternOf(name));
      expect(starsOf(pattern)).toBe(0);
      expect(pattern.parts).toEqual([name]);
    },
  );

  test.each([
    ['events_*', 'raw_*', 'events_2024', 'raw_2024'],
    ['*_log', '*', 'app_log', 'app'],
    ['a*', 'x*y', 'a', 'xy'],
    ['*', String.raw`\**`, '$&', '*$&'],
  ])('%j becomes %j: %j, %j', (from, to, name, copy) => {
    expect(translated(readPattern(from), readPattern(to), name)).toBe(copy);
  });

  test('is the same for LIKE', () => {
    expect(likeOf(readPattern(String.raw`100%_\*\x*`))).toBe(String.raw`100\%\_*\\x%`);
  });
});
