import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { onlyAtDestination, shellWord, tableCommand } from '../../src/shell-word.ts';

const NAMES = [
  'orders',
  'a b',
  "it's",
  '$(touch x)',
  '`touch x`',
  '-x',
  'two\nlines',
  "tab\tand 'quote' \\ and \u0001 \u0085 9",
  '"double"',
  'a;b',
  'a=b',
  '=a',
  'a,b',
  '*',
  '~',
  '!!',
  'ключ',
];

test.each(NAMES)('a shell takes it for one word: %j', (name) => {
  const shown = execFileSync('bash', ['-c', `printf '%s' ${shellWord(name)}`], { encoding: 'utf8' });
  expect(shown).toBe(name);
});

test('a plain word stays plain', () => {
  expect(shellWord('log=id')).toBe('log=id');
  expect(shellWord('-x')).toBe('-x');
});

test('a table that is called like an option is not one', () => {
  expect(tableCommand('sync', '-x', '--deletes')).toBe('increp sync --deletes -- -x');
  expect(tableCommand('sync', 'a b', '--deletes')).toBe("increp sync 'a b' --deletes");
  expect(tableCommand('reset', 'orders')).toBe('increp reset orders');
});

test.each([
  [
    'Run "increp sync orders --deletes --force".',
    'Run "increp sync --destination two orders --deletes --force".',
  ],
  ['run "increp reset \'a b\' --force".', 'run "increp reset --destination two \'a b\' --force".'],
  [
    'run: increp sync a b --replace\nThen more.',
    'run: increp sync --destination two a b --replace\nThen more.',
  ],
  ['run "increp verify a --repair --force".', 'run "increp verify --destination two a --repair --force".'],
  ['run "increp sync orders" first, then "increp status --force"', undefined],
  ['run "increp sync --destination two orders --force"', undefined],
  ['the next "increp sync" continues; --force would not help', undefined],
])('what is permitted at one destination: %s', (text, wanted) => {
  expect(onlyAtDestination(text, 'two')).toBe(wanted ?? text);
});
