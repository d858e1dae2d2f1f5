/**
 * What the service of deploy/systemd gives increp, without systemd: no passwords but in $CREDENTIALS_DIRECTORY, a state
 * directory elsewhere, no home, and nothing else that may be written. That the system calls suffice cannot be seen here.
 */
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { insertOrders } from '../support/shop.ts';

const PASSWORDS = ['SOURCE_PASSWORD', 'DEST_PASSWORD'];

/** Moves the passwords out of .env, and returns the environment of the service. */
async function asService(pair: Pair) {
  const place = (name: string) => join(pair.directory, name);
  const env = parse(await readFile(place('.env'), 'utf8'));
  await pair.setEnv(Object.fromEntries(PASSWORDS.map((name) => [name, undefined])));
  for (const name of ['credentials', 'state', 'tmp']) await mkdir(place(name), { mode: 0o700 });
  for (const name of PASSWORDS)
    await writeFile(join(place('credentials'), name), env[name] ?? '', { mode: 0o400 });
  return {
    CREDENTIALS_DIRECTORY: place('credentials'),
    STATE_DIR: place('state'),
    TMPDIR: place('tmp'),
    HOME: '/nonexistent',
    LANG: undefined,
  };
}

/** Each file with what would change if it was written. */
async function written(pair: Pair): Promise<string[]> {
  const names = (await readdir(pair.directory, { recursive: true })).filter(
    (name) => !name.startsWith('state'),
  );
  return Promise.all(
    names.toSorted().map(async (name) => `${name} ${(await stat(join(pair.directory, name))).mtimeMs}`),
  );
}

test('a service loads and syncs with its credentials, and writes to its state directory alone', async () => {
  await using pair = await freshPair('orders');
  const env = await asService(pair);
  // Files for pg_dump are made in there and removed, so its own time is the only one that may change.
  const before = (await written(pair)).filter((file) => !file.startsWith('tmp '));
  const load = await increp('sync', pair, { env });
  expect(load.exitCode, load.stderr).toBe(0);
  await insertOrders(pair, 3);
  const next = await increp('sync', pair, { env });
  expect(next.exitCode, next.stderr).toBe(0);
  await expectSameRows(pair, 'orders');
  expect((await written(pair)).filter((file) => !file.startsWith('tmp '))).toEqual(before);
  expect(await readdir(join(pair.directory, 'state'))).toEqual(['history.jsonl', 'orders.json']);
  expect((await increp('status', pair, { env })).stdout).toMatch(/ok +orders/);
});
