/** Each command once as a process of its own; everywhere else most calls run in the process of the test. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { commands } from '../../src/commands/program/registry.ts';
import { increp } from '../support/increp.ts';
import { environmentFor } from '../support/increp-process.ts';
import { freshPair } from '../support/pair.ts';
import { PROJECT } from '../support/project.ts';

const CALLS: Readonly<Record<string, readonly string[]>> = {
  check: ['check'],
  plan: ['plan'],
  sync: ['sync'],
  status: ['status'],
  history: ['history'],
  verify: ['verify'],
  config: ['config'],
  reset: ['reset', 'orders'],
  'deletes-sql': ['deletes-sql', 'orders'],
  sequences: ['sequences', '--dry-run'],
  completion: ['completion', 'bash'],
  help: ['help', 'sync'],
  serve: ['serve', '--print-sql'],
};
const BIN = join(PROJECT, 'bin', 'increp.js');

/** With servers or a control database of its own, or in an empty directory. */
const ELSEWHERE = ['demo', 'init', 'token', 'work'];

test('every command is among them, demo in a test of its own', () => {
  const names = commands().map(({ description }) => description.name);
  expect([...Object.keys(CALLS), ...ELSEWHERE].toSorted()).toEqual(names.toSorted());
});

test('each command works as a child process and writes to its own stdout', async () => {
  await using pair = await freshPair('orders');
  for (const [name, args] of Object.entries(CALLS)) {
    const { exitCode, signal, stdout, stderr } = await increp(args, pair, { process: 'child' });
    expect({ name, exitCode, signal, stderr: exitCode === 0 ? '' : stderr }).toEqual({
      name,
      exitCode: 0,
      signal: undefined,
      stderr: '',
    });
    expect(stdout, name).not.toBe('');
  }
});

test('init writes a pipeline as a child process', async () => {
  await using pair = await freshPair('orders');
  const directory = join(pair.directory, 'new');
  await mkdir(directory);
  const urls = { SOURCE_URL: pair.sourceUrl('increp'), DEST_URL: pair.destinationUrl('increp') };
  const { exitCode, stdout, stderr } = await increp(
    ['-C', directory, 'init', '--yes', '--all-tables'],
    pair,
    { process: 'child', env: { ...urls, SOURCE_SSLMODE: 'disable', DEST_SSLMODE: 'disable' } },
  );
  expect(exitCode, stderr).toBe(0);
  expect(stdout).toContain('tables-config.json');
});

test('the exit code, stdout and stderr of a failure are those of the process', async () => {
  await using pair = await freshPair('orders');
  const { exitCode, stdout, stderr } = await increp('sync ordres --json', pair, { process: 'child' });
  expect(exitCode).toBe(64);
  expect(stdout).toContain('"code":"USAGE"');
  expect(stderr).toContain('did you mean "orders"?');
});

test.runIf(process.platform === 'linux')(
  'a full disk below stdout does not stop the sync, is said once, and is an exit code',
  async () => {
    await using pair = await freshPair('orders');
    const toFullDisk = (...args: string[]) =>
      execa('sh', ['-c', 'exec "$@" > /dev/full', 'sh', process.execPath, BIN, ...args], {
        cwd: pair.directory,
        env: environmentFor(pair, {}),
        extendEnv: false,
        reject: false,
      });
    const { exitCode, stderr } = await toFullDisk('sync');
    expect(stderr).toBe(
      `error: the output cannot be written: no space is left on the disk
  next: The command continues without its output. To see what a run did:
          increp history`,
    );
    expect(exitCode).toBe(74);
    expect((await pair.destination.query('SELECT FROM orders')).rowCount).toBe(10);
    expect((await toFullDisk('--help')).exitCode).toBe(74);
    expect((await toFullDisk('sync', 'nothing')).exitCode).toBe(64);
  },
);

test('an old Node names the command with the Node of the installation', async () => {
  const old = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.1.0' } })`;
  const { exitCode, stderr } = await execa(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(old)}`, BIN, '--version'],
    { reject: false },
  );
  expect(exitCode).toBe(78);
  expect(stderr).toContain(
    `next: use the Node of this installation: ${join(PROJECT, 'node_modules/.bin/node')} ${BIN}`,
  );
});
