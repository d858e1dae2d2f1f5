/** Others read, lock and change a table and its views while a new table replaces it. */
import { expect, test } from 'vitest';
import { lockAlone } from '../../src/sync/lock/exclusive-lock.ts';
import { VIEWS } from '../support/built-on-orders.ts';
import { startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { asWriter, query, WIDER } from '../support/reshape.ts';
import { sync } from '../support/sync.ts';
import { timingWith } from '../support/timing.ts';
import { slowTest } from '../support/tier.ts';

/** Asks again and again, each time for no longer than a second, until `isOver`; returns the different answers. */
async function watch(pair: Pair, isOver: () => boolean): Promise<string[]> {
  const client = await pair.destination.connect();
  const seen = new Set<string>();
  try {
    await client.query(`SET statement_timeout = '1s'`);
    while (!isOver()) for (const sql of WATCHED) seen.add(JSON.stringify((await client.query(sql)).rows));
  } finally {
    client.release();
  }
  return [...seen];
}

/** Each of ten rows, also the two sums. */
const WATCHED = ['orders', 'every', 'sums CROSS JOIN generate_series(1, 5)'].map(
  (from) => `SELECT count(*)::int AS rows FROM ${from}`,
);

const ALL = [JSON.stringify([{ rows: 10 }])];

test('who reads the table and its views while they are exchanged finds all of it, at any moment, without waiting long', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await asWriter(pair, VIEWS);
  let isOver = false;
  const seen = watch(pair, () => isOver);
  for (const type of ['numeric(14,3)', 'numeric(15,3)', 'numeric(16,3)']) {
    await pair.source.query(`ALTER TABLE orders ALTER COLUMN total TYPE ${type}`);
    expect((await sync(pair)).table()).toMatchObject({ action: 'reset', status: 'ok' });
  }
  isOver = true;
  expect(await seen).toEqual(ALL);
});

slowTest('a long reader keeps the exchange waiting, and nobody else', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await asWriter(pair, VIEWS);
  await pair.source.query(WIDER);
  const reader = await pair.destination.connect();
  await reader.query('BEGIN; SELECT count(*) FROM of_amounts');
  await using run = startIncrep('sync', pair, { env: { LOG_LEVEL: 'debug' } });
  await run.waitForPhase('swap');
  let looks = 0;
  expect(await watch(pair, () => (looks += 1) > 200)).toEqual(ALL);
  expect(
    await query(
      pair,
      'SELECT numeric_precision AS p FROM information_schema.columns WHERE table_name = $$orders$$ AND column_name = $$total$$',
    ),
  ).toEqual([{ p: 12 }]);
  await reader.query('ROLLBACK');
  reader.release();
  expect((await run.wait()).exitCode).toBe(0);
  await expectSameRows(pair, 'orders');
});

slowTest(
  'who waits for too long gives up with nothing held, and with his transaction as it was',
  async () => {
    await using pair = await freshPair('orders');
    await sync(pair);
    const [reader, writer] = [await pair.destination.connect(), await pair.destination.connect()];
    await reader.query('BEGIN; SELECT FROM orders');
    await writer.query('BEGIN; CREATE TABLE mine ()');
    const table = { schema: 'public', table: 'orders' };
    const locks = ['LOCK TABLE mine', 'LOCK TABLE orders'];
    const timing = timingWith({ exclusiveLock: { total: 0.5 } });
    await expect(lockAlone(writer, { table, locks, timing }, undefined)).rejects.toMatchObject({
      code: 'LOCK_TIMEOUT',
      isTransient: false,
    });
    expect(
      await query(
        pair,
        `SELECT FROM pg_locks WHERE relation = 'orders'::regclass AND mode <> 'AccessShareLock'`,
      ),
    ).toEqual([]);
    await writer.query('SELECT FROM mine; COMMIT');
    await reader.query('COMMIT');
    for (const client of [reader, writer]) client.release();
  },
);

/** Runs a sync over a slow line, and `meanwhile` while its rows are on the way. */
async function syncSlowly(pair: Pair, meanwhile: string) {
  await using proxy = await faultProxy(pair.login('source'));
  await pair.setEnv({ SOURCE_PORT: String(proxy.port) });
  proxy.throttle(2_000_000);
  await using run = startIncrep('sync', pair, { env: { LOG_LEVEL: 'debug' } });
  await run.waitForPhase('copy');
  await asWriter(pair, meanwhile);
  await proxy.resume();
  const result = await run.wait();
  expect(result.exitCode, result.stderr).toBe(0);
  await pair.setEnv({ SOURCE_PORT: String(pair.login('source').port) });
  return result;
}

slowTest('what people build, change and write while a load runs counts', async () => {
  await using pair = await freshPair('orders');
  await pair.source.query(`INSERT INTO orders (id, total, note)
    SELECT i, 1, repeat('note ', 40) || i FROM generate_series(11, 20000) i`);
  await sync(pair);
  await asWriter(
    pair,
    `CREATE VIEW v AS SELECT id FROM orders; ALTER TABLE orders ADD COLUMN tags text;
    UPDATE orders SET tags = 'early' WHERE id = 1`,
  );
  await pair.source.query(WIDER);
  const first = await syncSlowly(
    pair,
    `CREATE OR REPLACE VIEW v AS SELECT id FROM orders WHERE id < 6;
    COMMENT ON TABLE orders IS 'meanwhile'; UPDATE orders SET tags = 'late' WHERE id = 2`,
  );
  expect(first.stderr).not.toContain('was changed while');
  expect(await query(pair, 'SELECT count(*)::int AS rows FROM v')).toEqual([{ rows: 5 }]);
  expect(await query(pair, `SELECT obj_description('orders'::regclass) AS comment`)).toEqual([
    { comment: 'meanwhile' },
  ]);
  expect(await query(pair, 'SELECT id::int, tags FROM orders WHERE tags IS NOT NULL ORDER BY id')).toEqual([
    { id: 1, tags: 'early' },
    { id: 2, tags: 'late' },
  ]);
  await pair.source.query('ALTER TABLE orders ALTER COLUMN total TYPE numeric(15,3)');
  const second = await syncSlowly(
    pair,
    'CREATE INDEX meanwhile ON orders (note); ALTER TABLE orders ADD COLUMN more int',
  );
  expect(second.stderr).toContain('columns or dependent objects of public.orders changed during its load');
  expect(
    await query(pair, `SELECT more, to_regclass('meanwhile')::text AS index FROM orders WHERE id = 1`),
  ).toEqual([{ more: null, index: 'meanwhile' }]);
  await expectSameRows(pair, 'orders');
});
