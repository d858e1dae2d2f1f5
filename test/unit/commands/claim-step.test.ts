/** The command that `sync --adopt` prints if no table is named. */
import { expect, test } from 'vitest';
import { claimStep } from '../../../src/commands/adopt-replace.ts';

const names = (count: number) => Array.from({ length: count }, (_, index) => `t${index}`);

test('every table that needs the flag is named, a limited number at a time', () => {
  expect(claimStep('adopt', ['a', 'b c', '-d'])).toBe(
    "Check the names, then run: increp sync --adopt -- a 'b c' -d",
  );
  expect(claimStep('replace', names(51))).toMatch(
    /increp sync t0 .* t49 --replace\nThen run this command again: 1 more table needs --replace\.$/,
  );
  expect(claimStep('adopt', [])).toBe('Run the command without it.');
  expect(claimStep('adopt', undefined)).toBe('Name each table: increp sync TABLE --adopt');
});
