/** A destination whose synchronous standby is away: commits there wait, and what waits for them says so. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer } from '../../src/demo/embedded-server.ts';
import type { EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { waitUntil } from '../support/activity.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, TableConfig } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

let server: EmbeddedServer;

beforeAll(async () => {
  const settings = { wal_level: 'replica', max_wal_senders: 2, synchronous_commit: 'on' };
  server = await startServer({ name: 'test-no-standby', settings });
}, 60_000);

afterAll(() => server.stop());

const destination = () => ({ destinationServerUrl: server.url('postgres') });

/** What the server waits for at each commit. An empty text stands for no standby. */
async function awaitStandby(pair: Pair, names: string): Promise<void> {
  await pair.destination.query(`ALTER SYSTEM SET synchronous_standby_names = '${names}'`);
  await pair.destination.query('SELECT pg_reload_conf()');
  await waitUntil('the setting counts', async () => {
    const { rows } = await pair.destination.query<{ names: string }>(
      `SELECT current_setting('synchronous_standby_names') AS names`,
    );
    return rows[0]?.names === names;
  });
}

async function withoutStandby(pair: Pair): Promise<AsyncDisposable> {
  await awaitStandby(pair, 'nobody');
  return { [Symbol.asyncDispose]: () => awaitStandby(pair, '') };
}

async function waitingCommits(pair: Pair): Promise<number | null> {
  const { rowCount } = await pair.destination.query(
    `SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`,
  );
  return rowCount;
}

const commitWaits = (pair: Pair) =>
  waitUntil('a commit waits', async () => (await waitingCommits(pair)) === 1);

/** Each version of a row arrives once. A window that is merged twice would show. */
const APPENDED = { ...ORDERS_CONFIG, mode: 'incremental-append', lookback: '0s' };

async function syncedPair(table: TableConfig = ORDERS_CONFIG): Promise<Pair> {
  const pair = await freshPair({ tables: [table], sourceSql: ORDERS_SQL }, destination());
  await sync(pair);
  await insertOrders(pair, 1);
  return pair;
}

slowTest('a table whose commit waits for a standby is not called locked without a reason', async () => {
  await using pair = await syncedPair();
  await using _ = await withoutStandby(pair);
  await using first = startIncrep('sync', pair);
  await commitWaits(pair);
  const { exitCode, table } = await trySync(pair, '', { timing: { tableLockGrace: 0 } });
  expect(exitCode).toBe(75);
  expect(table().error?.message).toMatch(
    /^the last sync of public\.orders cannot end: its commit waits for a synchronous standby of the destination: process \d+ on host /,
  );
  expect(table().error?.hint).toContain('synchronous_standby_names');
  const reset = await increp('reset orders', pair, { timing: { tableLockGrace: 0 } });
  expect(reset.stderr).toContain('its commit waits for a synchronous standby');
  await awaitStandby(pair, '');
  expect((await first.wait()).exitCode).toBe(0);
  await expectSameRows(pair, 'orders');
});

test('a commit that no standby confirms ends after STALL_TIMEOUT, and the next run continues from it', async () => {
  await using pair = await syncedPair(APPENDED);
  await pair.setEnv({ STALL_TIMEOUT: '1s' });
  {
    await using _ = await withoutStandby(pair);
    const { exitCode, table } = await trySync(pair);
    expect(exitCode).toBe(69);
    expect(table().error).toMatchObject({ code: 'COMMIT_UNCONFIRMED' });
    expect(table().error?.message).toContain('no synchronous standby confirmed the commit within');
    expect(await waitingCommits(pair)).toBe(0);
    const { rows } = await pair.destination.query(
      `SELECT status, error_code FROM _increp_runs ORDER BY started_at DESC LIMIT 1`,
    );
    expect(rows).toEqual([{ status: 'failed', error_code: 'COMMIT_UNCONFIRMED' }]);
  }
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0 });
  await expectSameRows(pair, 'orders');
});

slowTest('after a commit that no standby confirms, the run does not wait again for each table', async () => {
  const keyed = { replication_key: 'updated_at', unique_cols: ['id'] };
  const column = 'id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now()';
  const tables = ['one', 'two'].map((name) => ({ name, ...keyed }));
  const sourceSql = `CREATE TABLE one (${column}); CREATE TABLE two (${column})`;
  await using pair = await freshPair({ tables, sourceSql }, destination());
  await sync(pair);
  await pair.setEnv({ STALL_TIMEOUT: '1s' });
  await pair.source.query('INSERT INTO one VALUES (2); INSERT INTO two VALUES (2)');
  {
    await using _ = await withoutStandby(pair);
    const result = await trySync(pair);
    expect(result.exitCode).toBe(69);
    expect(result.summary.tables.map(({ name }) => name)).toEqual(['one']);
  }
  await sync(pair);
  for (const { name } of tables) await expectSameRows(pair, name);
});

slowTest('--max-duration ends the wait of a commit for a standby', async () => {
  await using pair = await syncedPair(APPENDED);
  {
    await using _ = await withoutStandby(pair);
    const { exitCode, table } = await trySync(pair, '--max-duration 2s', { timing: { standbyGrace: 0.5 } });
    expect(exitCode).toBe(69);
    expect(table().error).toMatchObject({ code: 'COMMIT_UNCONFIRMED' });
    expect(await waitingCommits(pair)).toBe(0);
  }
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0 });
  await expectSameRows(pair, 'orders');
});

slowTest(
  'a signal ends the wait of a commit for a standby, and the run does not call the commit rolled back',
  async () => {
    await using pair = await syncedPair(APPENDED);
    {
      await using _ = await withoutStandby(pair);
      await using running = startIncrep('sync --json', pair);
      await commitWaits(pair);
      const startedAt = performance.now();
      running.kill('SIGTERM');
      const result = await running.wait();
      expect(performance.now() - startedAt).toBeLessThan(5000);
      expect(result.exitCode).toBe(143);
      expect(result.lines().at(-1)).toMatchObject({
        tables: [{ name: 'orders', status: 'failed', error: { code: 'COMMIT_UNCONFIRMED' } }],
      });
      expect(JSON.stringify(result.lines())).not.toContain('nfinished work was rolled back');
      expect(await waitingCommits(pair)).toBe(0);
    }
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0 });
    await expectSameRows(pair, 'orders');
  },
);
