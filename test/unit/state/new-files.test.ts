import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeFiles } from '../../../src/state/new-files.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'increp-new-files-'));
});
afterEach(() => rm(root, { recursive: true }));

const file = (name: string, mayReplace = false) => ({ name, text: `new ${name}`, mode: 0o600, mayReplace });
const nothing = () => Promise.resolve();
const fail = () => Promise.reject(new Error('not good'));

async function contents(directory: string): Promise<Record<string, string>> {
  const names = await readdir(directory);
  const texts = names.map(async (name) => [name, await readFile(join(directory, name), 'utf8')] as const);
  return Object.fromEntries(await Promise.all(texts));
}

test('all files are there, and nothing else', async () => {
  await writeFile(join(root, 'b'), 'old');
  await writeFiles(root, [file('a'), file('b', true)], nothing);
  expect(await contents(root)).toEqual({ a: 'new a', b: 'new b' });
});

test('what is refused afterwards was never there, and what it replaced is back', async () => {
  await writeFile(join(root, 'b'), 'old');
  await expect(writeFiles(root, [file('a'), file('b', true)], fail)).rejects.toThrow('not good');
  expect(await contents(root)).toEqual({ b: 'old' });
  await expect(writeFiles(join(root, 'x', 'y'), [file('a')], fail)).rejects.toThrow('not good');
  expect(await readdir(root)).toEqual(['b']);
});

test('a file that has come in the meantime is not overwritten, and those before it go again', async () => {
  await writeFile(join(root, 'b'), 'somebody else');
  await expect(writeFiles(root, [file('a'), file('b'), file('c')], nothing)).rejects.toThrow('EEXIST');
  expect(await contents(root)).toEqual({ b: 'somebody else' });
});
