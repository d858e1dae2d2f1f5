/** The compiled code in `dist/compiled`, in a copy of the program that no other test uses. */
import { cp, mkdtemp, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { beforeEach, expect, inject, test } from 'vitest';
import { PROJECT } from '../support/project.ts';

let copy: string;
beforeEach(async () => {
  copy = await mkdtemp(join(inject('workspace'), 'compiled-'));
  for (const name of ['bin', 'dist', 'package.json'])
    await cp(join(PROJECT, name), join(copy, name), {
      recursive: true,
      filter: (path) => !path.endsWith('compiled'),
    });
  await writeFile(join(copy, 'report.cjs'), REPORT);
});

/** Prints for each bundle whether V8 used the compiled code. */
const REPORT = `const vm = require('vm');
  vm.Script = class extends vm.Script {
    constructor(code, options) {
      super(code, options);
      const use = options.cachedData === undefined ? 'none' : this.cachedDataRejected ? 'rejected' : 'used';
      process.stderr.write(options.filename.replace(/.*[/]/, '') + ' ' + use + '\\n');
    }
  };`;

async function run(...args: readonly string[]): Promise<{ stdout: string; uses: string[] }> {
  const preload = ['--require', join(copy, 'report.cjs')];
  const program = join(copy, 'bin', 'increp.js');
  const { stdout, stderr } = await execa(process.execPath, [...preload, program, ...args], { reject: false });
  return { stdout, uses: stderr.split('\n').filter((line) => /^[\w-]+\.cjs /.test(line)) };
}

const files = async () => {
  const entries = await readdir(join(copy, 'dist', 'compiled'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
};

const compiledFile = async (name: string): Promise<string> => {
  const found = (await files()).find((file) => file.endsWith(`/completion/${name}`));
  if (found === undefined) throw new Error(`no compiled code of ${name}`);
  return found;
};

test('a run uses the code that an earlier run of the command compiled', async () => {
  const first = await run('completion', 'bash');
  expect(first.uses).toContain('completion.cjs none');
  const second = await run('completion', 'bash');
  expect(second.stdout).toBe(first.stdout);
  expect(second.uses).toContain('completion.cjs used');
  expect(second.uses).toContain('shared.cjs used');
  expect(second.uses.filter((use) => !use.endsWith(' used'))).toEqual([]);
  // Another command calls other functions, and so does help.
  for (const args of [['config'], ['completion', '--help']])
    expect((await run(...args)).uses).toContain('shared.cjs none');
});

test('the code has the functions that were compiled when they were called', async () => {
  await run('completion', 'bash');
  const afterOne = (await stat(await compiledFile('bin-process'))).size;
  await run('--help');
  const help = (await files()).find((file) => file.endsWith('/bin-process/bin-process'));
  // The help calls the functions that write it, and a completion script does not.
  expect((await stat(help ?? '')).size).toBeGreaterThan(afterOne * 1.02);
});

test('a bundle imports nothing, which Node supports only as an experiment', async () => {
  const bundles = (await readdir(join(copy, 'dist'))).filter((name) => name.endsWith('.cjs'));
  for (const name of bundles)
    expect(await readFile(join(copy, 'dist', name), 'utf8')).not.toMatch(/(?<![\w.$])import\s*\(/);
});

test('a usage error keeps no code for the command', async () => {
  await run('completion', '--unknown');
  await expect(files()).resolves.toEqual([]);
});

test('compiled code of another source is not used', async () => {
  await run('completion', 'bash');
  const bundle = join(copy, 'dist', 'completion.cjs');
  const source = await readFile(bundle, 'utf8');
  // The length stays the same, and V8 compares nothing else.
  await writeFile(bundle, source.replace('complete -F', 'complete -G'));
  const { stdout, uses } = await run('completion', 'bash');
  expect(uses).toContain('completion.cjs none');
  expect(uses).toContain('shared.cjs used');
  expect(stdout).toContain('complete -G');
});

test('damaged code is not used, and is replaced', async () => {
  const { stdout } = await run('completion', 'bash');
  const file = await compiledFile('shared');
  const code = await readFile(file);
  await writeFile(file, code.fill(0, code.length / 2));
  await utimes(file, new Date(0), new Date(0));
  const damaged = await run('completion', 'bash');
  expect(damaged.uses).toContain('shared.cjs none');
  expect(damaged.stdout).toBe(stdout);
  expect((await run('completion', 'bash')).uses).toContain('shared.cjs used');
});

test('code is written again after an hour, and not before', async () => {
  await run('completion', 'bash');
  const file = await compiledFile('completion');
  const minutesAgo = async (minutes: number) => {
    const time = new Date(Date.now() - minutes * 60_000);
    await utimes(file, time, time);
    await run('completion', 'bash');
    return (await stat(file)).mtimeMs - time.getTime();
  };
  await expect(minutesAgo(50)).resolves.toBeLessThan(1000);
  await expect(minutesAgo(70)).resolves.toBeGreaterThan(60_000);
});

test('a run works if the code cannot be written', async () => {
  await writeFile(join(copy, 'dist', 'compiled'), 'a file');
  const { stdout } = await run('completion', 'bash');
  expect(stdout).toContain('complete -F');
});
