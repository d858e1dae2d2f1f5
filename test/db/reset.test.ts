/** A reset is a fact at the destination: every machine sees it, and no run undoes it. */
import { chown, cp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { tryLock } from '../../src/sql/state.ts';
import { heldRun } from '../support/held-run.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { insertOrders } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

/** A machine that has a state directory of its own. */
const other = (pair: Pair) => ({ env: { STATE_DIR: join(pair.directory, 'other-state') } });
const spoil = (pair: Pair) => pair.destination.query(`UPDATE orders SET note = 'spoilt' WHERE id = 3`);

/** As two machines have it that take turns. */
async function onTwoMachines(): Promise<Pair> {
  const pair = await freshPair('orders');
  await sync(pair);
  await cp(join(pair.directory, 'sync-state'), join(pair.directory, 'other-state'), { recursive: true });
  await insertOrders(pair, 1);
  await sync(pair, '', other(pair));
  return pair;
}

test('a reset on one machine is followed by the other one, whose state file is still there', async () => {
  await using pair = await onTwoMachines();
  await spoil(pair);
  await increp('reset orders', pair);
  const table = (await sync(pair, '', other(pair))).table();
  expect(table).toMatchObject({ action: 'reset', rows_updated: 1, warnings: [] });
  expect(table.reason).toMatch(/^it was reset at 20/);
  await expectSameRows(pair, 'orders');
  await insertOrders(pair, 1);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_inserted: 1, warnings: [] });
  expect((await sync(pair, '', other(pair))).table().action).toBe('incremental');
});

slowTest('the state of another pipeline is discarded with --force only', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const another = { env: { PIPELINE_NAME: 'other', STATE_DIR: join(pair.directory, 'other-state') } };
  const refused = await increp('reset orders', pair, another);
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toMatch(/the state of "orders" belongs to pipeline "\S+", and this is "other"/);
  expect(refused.stderr).toMatch(/set PIPELINE_NAME=\S+\. .*^ +increp (-C \S+ )?reset orders --force$/ms);
  expect((await sync(pair)).table().action).toBe('incremental');
  expect((await increp('reset orders --force', pair, another)).exitCode).toBe(0);
  expect((await sync(pair, '', another)).table()).toMatchObject({ action: 'reset' });
});

slowTest(
  'a pipeline of the same name with another source does not discard the state without --force',
  async () => {
    await using pair = await freshPair('orders');
    await using far = await freshPair('orders');
    await sync(pair);
    const { user, password, database } = far.login('source', 'increp');
    const otherSource = { SOURCE_USERNAME: user, SOURCE_PASSWORD: password, SOURCE_DB: database };
    const there = { env: { ...otherSource, STATE_DIR: join(pair.directory, 'other-state') } };
    const refused = await increp('reset orders', pair, there);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain(
      `the state of "orders" belongs to source database "${pair.login('source').database}"`,
    );
    expect(refused.stderr).toContain('increp reset orders --force');
    expect((await sync(pair)).table().action).toBe('incremental');
    const forced = await increp('reset orders --force', pair, there);
    expect(forced.stdout.replaceAll(/\s+/g, ' ')).toContain(
      'If that pipeline still uses this directory or this destination table',
    );
  },
);

test('files of a run as root belong to the owner of the directory', async () => {
  await using pair = await freshPair('orders');
  const nobody = 65_534;
  if (process.getuid?.() === 0) await chown(pair.directory, nobody, nobody);
  const { uid } = await stat(pair.directory);
  await sync(pair);
  await sync(pair);
  const directory = join(pair.directory, 'sync-state');
  const names = await readdir(directory);
  expect(names).toEqual(expect.arrayContaining(['history.jsonl', 'orders.json']));
  for (const path of [directory, ...names.map((name) => join(directory, name))])
    expect((await stat(path)).uid, path).toBe(uid);
});

slowTest(
  'the same where the destination had lost its row before the reset, or its table of states',
  async () => {
    for (const lost of ['DELETE FROM _increp_state', 'DROP TABLE _increp_state']) {
      await using pair = await onTwoMachines();
      await pair.destination.query(lost);
      await spoil(pair);
      await increp('reset orders', pair);
      expect((await sync(pair, '', other(pair))).table()).toMatchObject({
        action: 'reset',
        rows_updated: 1,
      });
      await expectSameRows(pair, 'orders');
    }
  },
);

slowTest(
  'the same where the file is that of the older script; without any state, a reset does nothing',
  async () => {
    await using pair = await onTwoMachines();
    await pair.destination.query('DROP TABLE _increp_state');
    await spoil(pair);
    await increp('reset orders', pair, { env: { STATE_DIR: join(pair.directory, 'third-state') } });
    const { rows } = await pair.destination.query(`SELECT to_regclass('_increp_state') AS there`);
    expect(rows).toEqual([{ there: null }]);
    await increp('reset orders', pair);
    await writeFile(join(pair.directory, 'sync-state', 'orders.txt'), '2020-01-01T00:00:00.000Z');
    expect((await sync(pair)).table()).toMatchObject({ action: 'reset', rows_updated: 1 });
  },
);

slowTest('status and verify on the other machine do not take its state file for the state', async () => {
  await using pair = await onTwoMachines();
  await increp('reset orders', pair);
  expect((await increp('status', pair, other(pair))).stdout).toMatch(/reset .* ago: the next sync loads/);
  const verified = await increp('verify', pair, other(pair));
  expect(verified.exitCode).toBe(1);
  expect(verified.stderr + verified.stdout).toMatch(/cannot be compared: it was reset at 20/);
  const check = await increp('check', pair, other(pair));
  expect(check.exitCode, check.stdout).toBe(0);
  expect(check.stdout).not.toContain('nothing is known of it');
  expect((await increp('plan', pair, other(pair))).stdout).toMatch(/reset +it was reset \d+ s ago/);
});

test('a reset waits for no run: while one is at work it is refused', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 1);
  const { running, letGo } = await heldRun(pair);
  await using _ = running;
  const reset = await increp('reset orders', pair, { timing: { tableLockGrace: 0 } });
  expect(reset.exitCode).toBe(75);
  expect(reset.stderr).toContain('is being synced by another run');
  await letGo();
  expect((await running.wait()).exitCode).toBe(0);
  expect((await sync(pair)).table().action).toBe('incremental');
});

slowTest('a run that has looked before a reset and gets the lock after it loads the table', async () => {
  for (const lost of ['SELECT 1', 'DELETE FROM _increp_state']) {
    await using pair = await onTwoMachines();
    await pair.destination.query(lost);
    await spoil(pair);
    const holder = await pair.destination.connect();
    await holder.query(`BEGIN; ${tryLock({ schema: 'public', table: 'orders' })}`);
    await using running = startIncrep('sync -v --wait-lock 30s', pair);
    await running.waitForStderr('waiting for another run');
    // What "increp reset" leaves, by the session that has the lock already.
    await holder.query(`INSERT INTO _increp_state AS s (table_name, pipeline, source_table, replication_key, generation, record)
      VALUES ('orders', 'nobody', 'public.orders', '', 1, '{}') ON CONFLICT (table_name) DO UPDATE SET generation = s.generation + 1`);
    const file = join(pair.directory, 'sync-state', 'orders.json');
    const { pipeline, source } = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    const reset = { format: 1, pipeline, source, reset: { at: '2026-01-01T00:00:00Z', wasKnown: true } };
    await holder.query(
      `UPDATE _increp_state SET record = $1::jsonb || jsonb_build_object('generation', generation)`,
      [JSON.stringify({ ...reset, writtenAs: null })],
    );
    await holder.query('COMMIT');
    holder.release();
    const result = await running.wait();
    expect(result.exitCode, result.stderr).toBe(0);
    expect(result.stdout + result.stderr).toContain('it was reset at 2026');
    await expectSameRows(pair, 'orders');
  }
});

slowTest('a table that is dropped after a reset, or a second reset, changes nothing about that', async () => {
  await using pair = await onTwoMachines();
  await increp('reset orders', pair);
  await increp('reset orders', pair, other(pair));
  await spoil(pair);
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', rows_updated: 1 });
  await increp('reset orders', pair);
  await pair.destination.query('DROP TABLE orders');
  expect((await sync(pair)).table()).toMatchObject({
    action: 'initial',
    reason: 'there is no destination table yet',
  });
  await expectSameRows(pair, 'orders');
});

test('a reset of what is not there says so', async () => {
  await using pair = await freshPair('orders');
  const { stdout, exitCode } = await increp('reset orders', pair);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('orders: there was no saved state and no destination table');
  expect((await pair.destination.query(`SELECT to_regclass('_increp_state') AS t`)).rows).toEqual([
    { t: null },
  ]);
});
