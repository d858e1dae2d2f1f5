/** Rows that are gone from the source: found by comparing keys and removed, and how often increp looks for them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { digestGroups } from '../../src/sql/compare.ts';
import { textOf } from '../../src/sql/search-path.ts';
import { HARD, idsAtDestination, orders } from '../support/deletes.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const manyOrders = (rows: number, more: object = HARD): PairOptions => ({
  tables: [{ ...ORDERS_CONFIG, ...more }],
  sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, total, note)
    SELECT i, i, repeat('note ', 20) || i FROM generate_series(1, ${rows}) i;
    UPDATE orders SET updated_at = now() - (${rows} - id) * interval '1 min'; ANALYZE orders`,
});

/** Between increp and its source. */
async function throughProxy(pair: Pair) {
  const proxy = await faultProxy(pair.login('source'));
  await pair.setEnv({ SOURCE_HOST: proxy.host, SOURCE_PORT: String(proxy.port) });
  return proxy;
}

test('"hard" removes what is gone, counts it, and leaves the rest alone', async () => {
  await using pair = await freshPair(orders(HARD));
  expect((await sync(pair)).table()).toMatchObject({ action: 'initial', rows_deleted: 0 });
  await pair.source.query('DELETE FROM orders WHERE id IN (2, 5)');
  await insertOrders(pair, 1);
  expect((await sync(pair)).table()).toMatchObject({
    action: 'incremental',
    rows_inserted: 1,
    rows_updated: 0,
    rows_deleted: 2,
    warnings: [],
  });
  await expectSameRows(pair, 'orders');
  expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 0, rows_inserted: 0, rows_updated: 0 });
});

test('"ignore" keeps what is gone', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id = 2');
  expect((await sync(pair, '--deletes')).table().rows_deleted).toBe(0);
  expect(await idsAtDestination(pair)).toHaveLength(10);
});

slowTest('deletes_every says how often, --deletes forces it, and the plan says when it is due', async () => {
  await using pair = await freshPair(orders({ deletes: 'hard' }));
  const planned = async (args = '') =>
    (await increp(`plan ${args} --json`, pair)).json<{ tables: [{ looks_for_deletes: boolean }] }>().tables[0]
      .looks_for_deletes;
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id = 2');
  // The load itself was a comparison.
  expect(await planned()).toBe(false);
  expect((await increp('plan', pair)).stdout).toMatch(
    /deletes: not due \(last load or comparison \d+ s ago, every 1d\)/,
  );
  expect((await increp('status orders', pair)).stdout).toMatch(
    /^ {4}deleted rows: last load or comparison \d+ s ago, next comparison in 24 h$/m,
  );
  expect((await sync(pair)).table().rows_deleted).toBe(0);
  expect(await planned('--deletes')).toBe(true);
  expect((await sync(pair, '--deletes')).table().rows_deleted).toBe(1);
  await expectSameRows(pair, 'orders');

  await pair.source.query('DELETE FROM orders WHERE id = 3');
  await pair.destination.query(`UPDATE _increp_state SET record = record ||
    jsonb_build_object('deletesCheckedAt', to_json(now() - interval '25 hours'))`);
  expect(await planned()).toBe(true);
  expect((await increp('plan', pair)).stdout).toMatch(
    /deletes: due now .*; to count the rows to remove:\n +increp verify orders$/m,
  );
  expect((await increp('plan --exit-code', pair)).exitCode).toBe(2);
  expect((await sync(pair)).table().rows_deleted).toBe(1);
  expect(await planned()).toBe(false);
});

slowTest('rows that appear at the source during the comparison are never touched', async () => {
  await using pair = await freshPair(manyOrders(20_000));
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id % 4000 = 0');
  await using proxy = await throughProxy(pair);
  proxy.delay(60);
  await using running = startIncrep('sync --json -v', pair);
  await running.waitForPhase('deletes');
  await insertOrders(pair, 50);
  await pair.source.query('UPDATE orders SET id = -id, updated_at = now() WHERE id <= 50');
  const { exitCode, ...result } = await running.wait();
  expect(exitCode, result.stderr).toBe(0);
  // Not even the old keys of those rows: in the snapshot they were still there.
  const { rows } = await pair.destination.query('SELECT count(*)::int AS rows FROM orders WHERE id <= 50');
  expect(rows).toEqual([{ rows: 50 }]);
  await proxy.resume();
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 100, rows_deleted: 50 });
  await expectSameRows(pair, 'orders');
});

/** An index-only scan needs pages that all can see, and autovacuum's own snapshot may keep VACUUM from saying so. */
async function vacuum(source: Pair['source'], table: string): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    await source.query(`VACUUM ANALYZE ${table}`);
    const { rows } = await source.query(
      'SELECT relallvisible >= relpages AS done FROM pg_class WHERE relname = $1',
      [table],
    );
    if (rows[0]?.done === true) return;
    await sleep(100);
  }
  throw new Error(`some snapshot keeps the pages of ${table} from being visible to all`);
}

slowTest('little moves where little differs, and only keys are read', async () => {
  await using pair = await freshPair(manyOrders(20_000));
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id IN (77, 7777, 17777)');
  await vacuum(pair.source, 'orders');
  await using proxy = await throughProxy(pair);
  // The keys alone would be more than a megabyte.
  proxy.when({ from: 'server', afterBytes: 250_000, fault: 'cut' });
  expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 3, rows_read: 0 });
  expect(proxy.fired).toBe(0);
  await expectSameRows(pair, 'orders');
  const digests = digestGroups({
    from: { schema: 'public', table: 'orders' },
    mergeKey: ['id'],
    columns: null,
    where: 'true',
    isPending: 'false',
    version: null,
    groups: 40,
  });
  const plan = await pair.source.query(`EXPLAIN ${textOf(digests)}`);
  expect(JSON.stringify(plan.rows)).toContain('Index Only Scan');
});

test('--deletes says that it has no effect on tables that keep deleted rows', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const warning = '--deletes has no effect: "deletes" is "ignore" for every table of this run';
  expect((await sync(pair, '--deletes')).summary.warnings).toEqual([warning]);
  await pair.writeTables([{ ...ORDERS_CONFIG, deletes: 'hard' }]);
  expect((await sync(pair, '--deletes')).summary.warnings).toEqual([]);
});
