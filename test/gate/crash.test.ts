/** Runs that end in the middle: by a kill, a signal, a lost connection, a lost reply. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { waitForCopy } from '../support/activity.ts';
import { startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, Side } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { isWhole, LOADERS_TRIED, slowTest } from '../support/tier.ts';

const KILLS = isWhole ? 20 : 6;

const orders = (rows: number, more: object = {}) => ({
  tables: [{ ...ORDERS_CONFIG, ...more }],
  sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, total, note)
    SELECT i, i, repeat('note ', 20) || i FROM generate_series(1, ${rows}) i`,
});

/** Numbers that the same seed gives again: mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const change = (pair: Pair, round: number) =>
  pair.source.query(`UPDATE orders SET total = ${round}, updated_at = now() WHERE id % 12 = ${round};
    INSERT INTO orders (id, note) SELECT ${round} * 100000 + i, 'new' FROM generate_series(1, 3000) i`);

test(
  `killed at ${KILLS} random moments, a plain rerun ends with equal tables`,
  { timeout: 180_000 },
  async () => {
    const seed = Number(process.env['INCREP_TEST_SEED'] ?? Date.now() % 100_000);
    console.log(`crash seed: INCREP_TEST_SEED=${seed}`);
    const random = randomFrom(seed);
    await using pair = await freshPair(orders(30_000));
    for (let kill = 1; kill <= KILLS; kill += 1) {
      if (kill > 4) await change(pair, kill);
      // The first four hit the load, and one run in between lets the rest hit incremental syncs.
      if (kill === 5) await sync(pair, '--wait-lock 10s');
      await using running = startIncrep(kill % 4 === 0 ? 'sync --full-refresh' : 'sync', pair);
      await sleep(50 + random() * 1000);
      running.kill('SIGKILL');
      await running.wait();
      // Where there is a table, it is whole.
      expect(await rowsServed(pair)).toBeGreaterThanOrEqual(30_000);
    }
    await sync(pair);
    await expectSameRows(pair, 'orders');
  },
);

/** Infinity while there is no table yet. */
async function rowsServed(pair: Pair): Promise<number> {
  const { rows } = await pair.destination.query<{ there: boolean }>(
    `SELECT to_regclass('public.orders') IS NOT NULL AS there`,
  );
  if (rows[0]?.there !== true) return Infinity;
  return (await pair.destination.query('SELECT FROM orders')).rowCount ?? 0;
}

/** The pipeline goes through a proxy to that side. */
async function throughProxy(pair: Pair, side: Side) {
  const proxy = await faultProxy(pair.login(side));
  const prefix = side === 'source' ? 'SOURCE' : 'DEST';
  await pair.setEnv({ [`${prefix}_HOST`]: proxy.host, [`${prefix}_PORT`]: String(proxy.port) });
  return proxy;
}

test('a commit whose reply is lost counts once', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await using proxy = await throughProxy(pair, 'destination');
  await insertOrders(pair, 3);
  // The state goes with the commit that counts.
  proxy.dropReplyTo('_increp_state" AS state');
  const result = await trySync(pair);
  expect(proxy.fired).toBe(1);
  expect(result.exitCode, result.stderr).toBe(0);
  expect(result.lines().at(-1)).toMatchObject({ tables: [{ rows_inserted: 3 }] });
  await expectSameRows(pair, 'orders');
  const { rows } = await pair.destination.query('SELECT generation FROM _increp_state');
  expect(rows).toEqual([{ generation: '2' }]);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0, rows_updated: 0, warnings: [] });
});

for (const side of ['source', 'destination'] as const) {
  for (const loader of LOADERS_TRIED) {
    test(`a connection to the ${side} that breaks in the middle of a ${loader} load is tried again`, async () => {
      await using pair = await freshPair(orders(60_000, { initial_load: loader }));
      await using proxy = await throughProxy(pair, side);
      proxy.when({ from: side === 'source' ? 'server' : 'client', afterBytes: 2_000_000, fault: 'reset' });
      const result = await sync(pair);
      expect(proxy.fired).toBe(1);
      expect(result.stderr).toMatch(/trying again/);
      await expectSameRows(pair, 'orders');
    });
  }

  (side === 'source' ? test : slowTest)(
    `a connection to the ${side} that breaks in the middle of a window is tried again`,
    async () => {
      await using pair = await freshPair(orders(100));
      await sync(pair);
      await using proxy = await throughProxy(pair, side);
      await pair.source.query(
        `INSERT INTO orders (id, note) SELECT i, repeat('x', 100) FROM generate_series(1000, 40000) i`,
      );
      proxy.when({ from: side === 'source' ? 'server' : 'client', afterBytes: 1_000_000, fault: 'reset' });
      expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 39_001 });
      expect(proxy.fired).toBe(1);
      await expectSameRows(pair, 'orders');
    },
  );

  slowTest(`a backend of ours that is terminated at the ${side} is replaced`, async () => {
    await using pair = await freshPair(orders(100));
    await sync(pair);
    await using proxy = await throughProxy(pair, 'source');
    await pair.source.query(
      `INSERT INTO orders (id, note) SELECT i, repeat('x', 100) FROM generate_series(1000, 150000) i`,
    );
    proxy.throttle(1_000_000);
    await using running = startIncrep('sync --json', pair);
    await waitForCopy(pair[side], 'orders');
    const { rowCount } = await pair[side].query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%'`,
    );
    expect(rowCount).toBe(1);
    await proxy.resume();
    const result = await running.wait();
    expect(result.exitCode, result.stderr).toBe(0);
    expect(result.stderr).toMatch(/trying again/);
    await expectSameRows(pair, 'orders');
  });
}
