/** What a shell waits for at every press of TAB. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { answer } from '../../../src/commands/program/completion-answer.ts';
import { continueBashLine, readBashLine } from '../../../src/commands/completion/bash-words.ts';

const SRC = resolve(import.meta.dirname, '../../../src');

/** Packages that the file loads, and what it imports in turn, but for what is only loaded when a command is called. */
function packagesOf(file: string, seen = new Set<string>()): Set<string> {
  const packages = new Set<string>();
  if (seen.has(file)) return packages;
  seen.add(file);
  const text = readFileSync(file, 'utf8');
  for (const [, names = '', target = ''] of text.matchAll(/^(?:import|export) ([^;]*?) from '([^']+)';/gms)) {
    if (names.startsWith('type ')) continue;
    if (target.startsWith('.'))
      for (const found of packagesOf(resolve(dirname(file), target), seen)) packages.add(found);
    else if (!target.startsWith('node:')) packages.add(target);
  }
  return packages;
}

test('completion loads the flags and nothing that takes time', () => {
  expect([...packagesOf(resolve(SRC, 'commands/program/completion-answer.ts'))]).toEqual(['commander']);
});

test.each([
  ['increp ', ['increp', '']],
  ['increp sync or', ['increp', 'sync', 'or']],
  ['increp  -C "my shop" sync \'a', ['increp', '-C', 'my shop', 'sync', 'a']],
  [String.raw`increp a\ b "c\"d\e" `, ['increp', 'a b', String.raw`c"d\e`, '']],
  ['increp "" x', ['increp', '', 'x']],
  ['increp a\\', ['increp', 'a']],
])('bash means the words of %j', (line, words) => {
  expect(readBashLine(line).words).toEqual(words);
});

test.each([
  ['increp ta', 'ta ble', String.raw`ta\ ble`],
  ['increp "ta', 'ta "ble', String.raw`ta \"ble`],
  ["increp 'ta", "ta'ble", String.raw`ta'\''ble`],
  ['increp a:b', 'a:b c', String.raw`b\ c`],
  [String.raw`increp a\:b`, 'a:b c', String.raw`a:b\ c`],
  ['increp --exclude=o', '--exclude=orders', 'orders'],
  ['increp --exclude="o', '--exclude=orders', 'orders'],
  ['increp ta', 'other', undefined],
])('bash goes on from %j to %j with %j', (line, candidate, text) => {
  expect(continueBashLine(readBashLine(line), candidate)).toBe(text);
});

test('bash gets what goes on from its line, the other shells all that fits there, with what it is', () => {
  const told = (...asked: string[]) => {
    let text = '';
    answer(asked, {}, (more) => (text += more));
    return text;
  };
  expect(told('bash', 'increp sync --full')).toBe('--full-refresh\n');
  expect(told('bash', 'increp -C ')).toBe('\tdirectories\n');
  expect(told('fish', 'sync', '--full')).toMatch(/^--full-refresh\tload the tables again/m);
  expect(told('zsh', '-C', '/no/such/place', 'sync', '')).toBe('');
  expect(told()).toMatch(/^sync\t/m);
});
