/** A pooler that gives every transaction another session, with what other clients have left in it. */
import pg from 'pg';
import { expect, test } from 'vitest';
import { expectCommandsWork, LATER_COMMANDS } from '../support/commands.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, Side } from '../support/pair.ts';
import { goThrough, startPgbouncer, testWithPgbouncer } from '../support/pgbouncer.ts';
import type { Pgbouncer } from '../support/pgbouncer.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { waitForCopy } from '../support/activity.ts';
import { oneIn, slowKind } from '../support/tier.ts';

const POOL_SIZE = 4;

/** What careless clients of the same role leave in their sessions. */
const LITTER = /* sql */ `
  SET search_path = nowhere; SET datestyle = 'German'; SET intervalstyle = 'sql_standard'; SET bytea_output = 'escape';
  SET extra_float_digits = -10; SET timezone = 'Asia/Kathmandu'; SET array_nulls = off; SET row_security = on;
  SET default_transaction_isolation = 'serializable'; SET standard_conforming_strings = off; SET statement_timeout = '20ms'`;
/** Temporary tables of the names that we use, and of one of Postgres' own. */
const TEMPORARY = ['orders', 'orders_stg', '_increp_state', 'pg_class', 'pg_locks']
  .map((name) => `CREATE TEMP TABLE ${name} (id int)`)
  .join(';');

/** Fills the pool with sessions, all of them littered. */
async function litter(pooler: Pgbouncer, side: Side): Promise<void> {
  const clients = Array.from(
    { length: POOL_SIZE },
    () => new pg.Client({ connectionString: pooler.url(side), application_name: 'careless' }),
  );
  await Promise.all(clients.map((client) => client.connect()));
  const pids = new Set<number>();
  for (const client of clients) {
    // All of them hold a transaction, so that each has a session of its own.
    await client.query(`BEGIN`);
    pids.add((await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid ?? 0);
  }
  expect(pids.size).toBe(POOL_SIZE);
  for (const client of clients) {
    if (side === 'destination') await client.query(TEMPORARY);
    await client.query(LITTER);
    await client.query('COMMIT');
  }
  await Promise.all(clients.map((client) => client.end()));
}

/** How many sessions of that server have served the pool lately. */
const sessionsUsed = async (pair: Pair, side: Side): Promise<number> =>
  (
    await pair[side].query(
      `SELECT FROM pg_stat_activity WHERE usename = $1 AND application_name LIKE 'increp %' AND backend_type = 'client backend'`,
      [pair.login(side, 'increp').user],
    )
  ).rowCount ?? 0;

const withLoader = (loader: string) => ({
  ...ordersPreset,
  tables: [{ ...ORDERS_CONFIG, initial_load: loader, deletes: 'hard' }],
});

for (const sides of oneIn(3, [['source', 'destination'], ['source'], ['destination']] as const)) {
  testWithPgbouncer(
    `in front of the ${sides.join(' and the ')}, every transaction meets another session`,
    async () => {
      await using pair = await freshPair(withLoader('copy'));
      await using pooler = await startPgbouncer(pair, { mode: 'transaction', poolSize: POOL_SIZE });
      await goThrough(pair, pooler, sides);
      for (const side of sides) await litter(pooler, side);
      expect((await sync(pair)).table()).toMatchObject({
        action: 'initial',
        rows_inserted: 10,
        warnings: [],
      });
      await expectSameRows(pair, 'orders');
      await expectAllCommandsWork(pair);
      for (const side of sides) expect(await sessionsUsed(pair, side)).toBeGreaterThan(1);
    },
  );
}

/** After a load: changes and deleted rows arrive, and every other command ends with 0. */
async function expectAllCommandsWork(pair: Pair): Promise<void> {
  await insertOrders(pair, 20);
  await pair.source.query(
    `UPDATE orders SET note = 'now', updated_at = now() WHERE id < 4; DELETE FROM orders WHERE id = 9`,
  );
  expect((await sync(pair, '--deletes')).table()).toMatchObject({
    action: 'incremental',
    rows_inserted: 20,
    rows_updated: 3,
    rows_deleted: 1,
  });
  await expectSameRows(pair, 'orders');
  await expectCommandsWork(pair, ['verify', ...LATER_COMMANDS, 'reset orders', 'sync']);
  await expectSameRows(pair, 'orders');
}

/** A client keeps its session until it disconnects, so each connection of increp needs one of its own. */
testWithPgbouncer('a pooler in session mode in front of both sides', async () => {
  await using pair = await freshPair(withLoader('pg_dump'));
  await using pooler = await startPgbouncer(pair, { mode: 'session', poolSize: POOL_SIZE });
  await goThrough(pair, pooler, ['source', 'destination']);
  const loaded = (await sync(pair)).table();
  expect(loaded).toMatchObject({ action: 'initial', loader: 'copy', rows_inserted: 10 });
  expect(loaded.reason).toContain('the source is behind a connection pooler');
  await expectAllCommandsWork(pair);
});

testWithPgbouncer('an open transaction holds the fence behind a pooler, and its rows arrive', async () => {
  await using pair = await freshPair(withLoader('copy'));
  await using pooler = await startPgbouncer(pair, { mode: 'transaction', poolSize: POOL_SIZE });
  await goThrough(pair, pooler, ['source', 'destination']);
  await sync(pair);
  const late = await pair.source.connect();
  await late.query('BEGIN');
  await late.query(`INSERT INTO orders (id, total, updated_at) VALUES (900, 1, now())`);
  await insertOrders(pair, 1);
  expect((await sync(pair, '--wait-transactions 0s')).table().rows_inserted).toBe(1);
  await late.query('COMMIT');
  late.release();
  expect((await sync(pair)).table().rows_inserted).toBe(1);
  await expectSameRows(pair, 'orders');
});

testWithPgbouncer(
  'pg_dump gives way to COPY, because its settings would stay behind in the sessions of others',
  async () => {
    await using pair = await freshPair(withLoader('pg_dump'));
    await using pooler = await startPgbouncer(pair, { mode: 'transaction', poolSize: POOL_SIZE });
    await goThrough(pair, pooler, ['source']);
    const loaded = (await sync(pair)).table();
    expect(loaded).toMatchObject({ loader: 'copy', rows_inserted: 10 });
    expect(loaded.reason).toContain('the source is behind a connection pooler');
    await expectSameRows(pair, 'orders');
  },
);

testWithPgbouncer(
  'one session for each side is enough, and a lock is held by a transaction that has it',
  async () => {
    await using pair = await freshPair(withLoader('copy'));
    await using pooler = await startPgbouncer(pair, { mode: 'transaction', poolSize: 1 });
    await goThrough(pair, pooler, ['source', 'destination']);
    await sync(pair);
    await insertOrders(pair, 3);
    // Two runs at once on one session: the second waits for it in the pooler, and then finds nothing new.
    const [first, second] = await Promise.all([sync(pair), sync(pair)]);
    const inserted = [first, second].map((run) => run.table().rows_inserted);
    expect(Math.max(...inserted) + Math.min(...inserted)).toBe(3);
    expect((await increp('verify', pair)).exitCode).toBe(0);
    await expectSameRows(pair, 'orders');
  },
);

slowKind(testWithPgbouncer)(
  'a pooler that is stopped in the middle of a load has changed nothing, and the rerun is whole',
  async () => {
    await using pair = await freshPair(withLoader('copy'));
    await insertOrders(pair, 200_000);
    const pooler = await startPgbouncer(pair, { mode: 'transaction', poolSize: POOL_SIZE });
    await goThrough(pair, pooler, ['source', 'destination']);
    await using running = startIncrep('sync --json', pair);
    await waitForCopy(pair.source, 'orders');
    await pooler[Symbol.asyncDispose]();
    const broken = await running.wait();
    expect(broken.exitCode, broken.stderr).toBe(69);
    expect((await pair.destination.query(`SELECT to_regclass('public.orders') AS there`)).rows).toEqual([
      { there: null },
    ]);
    await using again = await startPgbouncer(pair, { mode: 'transaction', poolSize: POOL_SIZE });
    await goThrough(pair, again, ['source', 'destination']);
    await sync(pair);
    await expectSameRows(pair, 'orders');
  },
);

for (const side of ['source', 'destination'] as const) {
  testWithPgbouncer(
    `statement pooling in front of the ${side} is refused with what to set instead`,
    async () => {
      await using pair = await freshPair('orders');
      await using pooler = await startPgbouncer(pair, { mode: 'statement', poolSize: POOL_SIZE });
      await goThrough(pair, pooler, [side]);
      const started = performance.now();
      const { exitCode, summary } = await trySync(pair);
      expect(exitCode).toBe(78);
      expect(summary.error).toMatchObject({ code: 'NOT_SUPPORTED' });
      expect(summary.error?.hint).toContain('pool_mode');
      expect(performance.now() - started).toBeLessThan(5000);
      expect((await increp('check', pair)).stdout).toContain('pool_mode');
    },
  );
}

testWithPgbouncer('a role or a database that the pooler does not know is an answer, not a wait', async () => {
  await using pair = await freshPair('orders');
  await using pooler = await startPgbouncer(pair, { mode: 'transaction', poolSize: 1 });
  await goThrough(pair, pooler, ['source']);
  await pair.setEnv({ SOURCE_USERNAME: 'nobody_here' });
  expect((await trySync(pair)).summary.error).toMatchObject({ code: 'AUTHENTICATION_FAILED' });
  await pair.setEnv({ SOURCE_USERNAME: pair.login('source', 'increp').user, SOURCE_DB: 'nowhere' });
  expect((await trySync(pair)).summary.error).toMatchObject({ code: 'CONNECTION_FAILED' });
});

test('without a pooler, pg_dump is not told to give way', async () => {
  await using pair = await freshPair(withLoader('pg_dump'));
  expect((await sync(pair)).table().warnings.join()).not.toContain('pooler');
});
