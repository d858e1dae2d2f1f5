/** A hot standby as the source: its copy, the conflicts of its recovery, and its promotion. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitForCopy } from '../support/activity.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { startReplicated } from '../support/standby.ts';
import type { ReplicatedServers } from '../support/standby.ts';
import { sync, trySync } from '../support/sync.ts';
import { LOADERS_TRIED, slowTest, slowKind } from '../support/tier.ts';

let servers: ReplicatedServers;

beforeAll(async () => {
  // Whoever is in the way of recovery is cancelled at once.
  servers = await startReplicated({ max_standby_streaming_delay: '0', hot_standby_feedback: 'off' });
});

afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

/** Written at the primary, read from the standby. */
async function standbyPair(loader: string): Promise<Pair> {
  const pair = await freshPair(
    { tables: [{ ...ORDERS_CONFIG, initial_load: loader, deletes: 'hard' }], sourceSql: ORDERS_SQL },
    { sourceServerUrl: servers.primary.url('postgres') },
  );
  await pair.setEnv({ SOURCE_PORT: String(servers.standby.port) });
  return pair;
}

function poolOfStandby(pair: Pair): pg.Pool {
  const pool = new pg.Pool({
    ...pair.login('source'),
    port: servers.standby.port,
    max: 2,
    allowExitOnIdle: true,
  });
  // Dropping the database ends what is left of it.
  pool.on('error', () => undefined);
  return pool;
}

test('a standby whose replay is paused is named by each command that reads it, also if nothing has changed', async () => {
  await using pair = await standbyPair('copy');
  await servers.standby.caughtUp();
  expect((await sync(pair)).summary.warnings).toEqual([]);
  const standby = poolOfStandby(pair);
  await standby.query('SELECT pg_wal_replay_pause()');
  await insertOrders(pair, 5);
  const { summary } = await sync(pair);
  const { stdout } = await increp('check --json', pair);
  for (const command of ['status', 'plan', 'status --json'])
    expect((await increp(command, pair)).stderr).toMatch(/^warning: .*replay is paused/s);
  expect((await increp('status --no-source', pair)).stderr).toBe('');
  await standby.query('SELECT pg_wal_replay_resume()');
  expect(stdout).toContain('"STANDBY_REPLAY"');
  expect(summary.warnings.join()).toMatch(
    /standby whose replay is paused.* was committed at .*pg_wal_replay_resume/,
  );
  await servers.standby.caughtUp();
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 5 });
  expect((await increp('check --json', pair)).stdout).not.toContain('STANDBY_REPLAY');
  expect((await increp('status', pair)).stderr).toBe('');
  await standby.end();
});

for (const loader of LOADERS_TRIED) {
  testWithPgDump(
    `loaded by ${loader}, followed, with deletes, and verified; each run says what a standby hides`,
    async () => {
      await using pair = await standbyPair(loader);
      await insertOrders(pair, 500);
      await servers.standby.caughtUp();
      const loaded = (await sync(pair)).table();
      expect(loaded).toMatchObject({ loader, rows_inserted: 500 });
      expect(loaded.warnings.join()).toContain('the source is a standby');
      await expectSameRows(pair, 'orders');
      await insertOrders(pair, 5);
      await pair.source.query(
        `DELETE FROM orders WHERE id <= 3; UPDATE orders SET note = 'x', updated_at = now() WHERE id = 9`,
      );
      await servers.standby.caughtUp();
      expect((await sync(pair, '--deletes')).table()).toMatchObject({
        rows_inserted: 5,
        rows_updated: 1,
        rows_deleted: 3,
      });
      await expectSameRows(pair, 'orders');
      expect((await increp('verify', pair)).exitCode).toBe(0);
      expect((await increp('check --json', pair)).stdout).toContain('"STANDBY"');
    },
  );

  slowKind(testWithPgDump)(`a report that reads the standby is not waited for (${loader})`, async () => {
    await using pair = await standbyPair(loader);
    await insertOrders(pair, 5);
    await servers.standby.caughtUp();
    const standby = poolOfStandby(pair);
    const report = await standby.connect();
    await report.query('BEGIN; SELECT now(), count(*) FROM orders');
    // A run that waits for it would not end before the test does.
    for (const inserted of [5, 1]) {
      const { warnings, rows_inserted } = (await sync(pair, '--wait-transactions 1h')).table();
      expect(rows_inserted).toBe(inserted);
      expect(warnings.join()).not.toContain('open at the source');
      await insertOrders(pair, 1);
      await servers.standby.caughtUp();
    }
    await report.query('ROLLBACK');
    report.release();
    await standby.end();
  });

  slowKind(testWithPgDump)(
    `a recovery conflict in the middle of a load by ${loader} is tried again`,
    async () => {
      await using pair = await standbyPair(loader);
      await insertOrders(pair, 150_000);
      await servers.standby.caughtUp();
      await using proxy = await faultProxy({ host: '127.0.0.1', port: servers.standby.port });
      await pair.setEnv({ SOURCE_PORT: String(proxy.port) });
      proxy.throttle(2_000_000);
      const standby = poolOfStandby(pair);
      await using running = startIncrep('sync --json', pair);
      await waitForCopy(standby, 'orders');
      await pair.source.query('DELETE FROM orders WHERE id <= 1000');
      await pair.source.query('VACUUM orders');
      await running.waitForStderr('conflict with recovery');
      await proxy.resume();
      const result = await running.wait();
      expect(result.exitCode, result.stderr).toBe(0);
      expect(result.stderr).toMatch(/trying again/);
      await expectSameRows(pair, 'orders');
      await standby.end();
    },
  );
}

slowTest(
  'conflicts that do not end fail the table with what to set, and leave nothing half done',
  async () => {
    await using pair = await standbyPair('copy');
    await insertOrders(pair, 150_000);
    await servers.standby.caughtUp();
    await using proxy = await faultProxy({ host: '127.0.0.1', port: servers.standby.port });
    await pair.setEnv({ SOURCE_PORT: String(proxy.port) });
    proxy.throttle(2_000_000);
    let isOver = false;
    const vacuuming = (async () => {
      for (let id = 1; !isOver; id += 10) {
        await pair.source.query(`DELETE FROM orders WHERE id BETWEEN ${id} AND ${id + 9}`);
        await pair.source.query('VACUUM orders');
        await sleep(50);
      }
    })();
    const failed = await trySync(pair);
    isOver = true;
    await vacuuming;
    expect(failed.exitCode).toBe(1);
    expect(failed.table().error).toMatchObject({
      code: 'CONFLICT',
      hint: expect.stringContaining('hot_standby_feedback') as string,
    });
    expect((await pair.destination.query(`SELECT to_regclass('orders') AS there`)).rows).toEqual([
      { there: null },
    ]);
    await proxy.resume();
    await servers.standby.caughtUp();
    await sync(pair);
    await expectSameRows(pair, 'orders');
  },
);

test('a standby as the destination is refused with where to point to', async () => {
  await using pair = await freshPair('orders', { destinationServerUrl: servers.primary.url('postgres') });
  await servers.standby.caughtUp();
  await pair.setEnv({ DEST_PORT: String(servers.standby.port) });
  const refused = await trySync(pair);
  expect(refused.exitCode).toBe(1);
  expect(refused.summary.error ?? refused.table().error).toMatchObject({
    code: 'READ_ONLY',
    hint: expect.stringContaining('primary') as string,
  });
  expect((await increp('check', pair)).stdout).toContain(
    'is in recovery (a standby, or a restore), so it accepts no writes',
  );
});

/** The last: from here on there is no standby any more. */
test('after its promotion between two runs the source goes on where it was', async () => {
  await using pair = await standbyPair('copy');
  await insertOrders(pair, 100);
  await servers.standby.caughtUp();
  await sync(pair);
  await insertOrders(pair, 10);
  await servers.standby.caughtUp();
  await servers.standby.promote();
  const source = poolOfStandby(pair);
  const promoted = { ...pair, source };
  await insertOrders(promoted, 20);
  await source.query(`UPDATE orders SET note = 'after', updated_at = now() WHERE id <= 2`);
  // The control file names the new timeline with its next checkpoint.
  await source.query('CHECKPOINT');
  const first = (await sync(pair)).table();
  expect(first).toMatchObject({ action: 'incremental', rows_inserted: 30, rows_updated: 2 });
  expect(first.warnings.join()).toContain('timeline');
  expect(first.warnings.join()).not.toContain('standby, which hides');
  await expectSameRows(promoted, 'orders');
  expect((await sync(pair)).table().warnings).toEqual([]);
  expect((await increp('verify', pair)).exitCode).toBe(0);
  await source.end();
});
