import { expect, test } from 'vitest';
import { collect } from '../../../src/commands/terminal/options.ts';
import { listedNames } from '../../../src/format.ts';

test('a name that could be read as several words is in quotes in a list', () => {
  expect(listedNames(['orders', 'Odd Name', 'a,b', 'quo"te', 'last'], 4)).toBe(
    'orders, "Odd Name", "a,b", "quo""te" and 1 more',
  );
});

test('a comma in a name is written with a backslash', () => {
  expect(collect(String.raw`orders,a\,b,c`, [])).toEqual(['orders', 'a,b', 'c']);
});
