/** Windows in which nobody has written anything since the last sync, which need not be read again, and those that do. */
import { expect, test } from 'vitest';
import { isWrittenSince } from '../../src/sql/compare.ts';
import { textOf } from '../../src/sql/search-path.ts';
import { hasRowsIn } from '../../src/sql/window.ts';
import { lossySource } from '../support/lossy-source.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const rowsRead = async (pair: Pair, args = ''): Promise<number> => (await sync(pair, args)).table().rows_read;

slowTest(
  'what nobody has written since the last sync is not read again, however far lookback reaches',
  async () => {
    await using pair = await freshPair('orders');
    await pair.writeTables([{ ...ORDERS_CONFIG, lookback: '1h' }]);
    await sync(pair);
    expect(await rowsRead(pair)).toBe(0);
    await insertOrders(pair, 1);
    expect(await rowsRead(pair)).toBe(1);
    expect(await rowsRead(pair)).toBe(0);
    // --verify compares what is copied, so it copies.
    expect(await rowsRead(pair, '--verify')).toBe(11);
    await expectSameRows(pair, 'orders');
  },
);

test('after a bulk update that gave all rows one key, only the next change is read', async () => {
  await using pair = await freshPair('orders');
  await insertOrders(pair, 5000);
  await pair.source.query(`UPDATE orders SET updated_at = now()`);
  await sync(pair);
  await insertOrders(pair, 1);
  await pair.source.query(`UPDATE orders SET note = 'x', updated_at = now() WHERE id = 7`);
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 2, rows_inserted: 1, rows_updated: 1 });
  await expectSameRows(pair, 'orders');
});

test('the search for new rows begins with the newest one, so the old rows of a bulk update do not slow it down', async () => {
  await using pair = await freshPair('orders');
  await insertOrders(pair, 5000);
  await pair.source.query(`UPDATE orders SET updated_at = now(); ANALYZE orders`);
  const { rows } = await pair.source.query<{ next: string }>(
    `SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS next`,
  );
  const condition = isWrittenSince(rows[0]?.next ?? '');
  await insertOrders(pair, 1);
  const window = {
    replicationKey: 'updated_at',
    keyType: 'timestamptz',
    from: '2026-01-01',
    lookbackSeconds: 10,
    nullKeys: 'warn',
  } as const;
  const removed = async (isInIndex: boolean) => {
    const probe = hasRowsIn({ schema: 'public', table: 'orders' }, window, { condition, isInIndex });
    const plan = await pair.source.query(
      `SET enable_seqscan = off; EXPLAIN (ANALYZE, TIMING OFF) ${textOf(probe)}`,
    );
    return JSON.stringify(plan).includes('Rows Removed by Filter');
  };
  expect(await removed(true)).toBe(false);
  expect(await removed(false)).toBe(true);
});

test('what an open transaction wrote is read once it has ended, and of the rows before it none', async () => {
  await using pair = await freshPair('orders');
  await pair.writeTables([{ ...ORDERS_CONFIG, lookback: '1h' }]);
  await sync(pair);
  const late = await pair.source.connect();
  await late.query(
    `BEGIN; INSERT INTO orders (id) VALUES (700); SAVEPOINT a; INSERT INTO orders (id) VALUES (701)`,
  );
  await insertOrders(pair, 1);
  expect((await sync(pair, '--wait-transactions 50ms')).table()).toMatchObject({ rows_read: 1 });
  await late.query('COMMIT');
  late.release();
  // The row that was written meanwhile has a later transaction ID, so it is read again.
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 3, rows_inserted: 2 });
  expect(await rowsRead(pair)).toBe(0);
  await expectSameRows(pair, 'orders');
});

test('where several rows can share a unique key, all are read, so an older row does not win', async () => {
  await using pair = await freshPair({
    tables: [{ ...ORDERS_CONFIG, lookback: '1h' }],
    sourceSql: `${ORDERS_SQL}; ALTER TABLE orders DROP CONSTRAINT orders_pkey`,
  });
  await pair.source.query(`INSERT INTO orders (id, note) VALUES (1, 'newest')`);
  await sync(pair);
  await pair.source.query(`INSERT INTO orders VALUES (1, 1, 'backdated', now() - interval '30 min')`);
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 2, rows_updated: 0 });
  await expectSameRows(pair, 'orders', { sourceWhere: `note = 'newest'` });
});

test('a new column gets its values in the whole window, although most rows were read before', async () => {
  await using pair = await freshPair('orders');
  await pair.writeTables([{ ...ORDERS_CONFIG, lookback: '1h', on_schema_change: 'evolve' }]);
  await pair.source.query(`UPDATE orders SET updated_at = now() + interval '1 day' WHERE id <= 5`);
  await sync(pair);
  await pair.source.query(`ALTER TABLE orders ADD label text DEFAULT 'old'`);
  await insertOrders(pair, 1);
  await sync(pair);
  await expectSameRows(pair, 'orders');
});

test('a row that is backdated to below the cursor arrives, as far as lookback reaches', async () => {
  await using pair = await freshPair('orders');
  await pair.writeTables([{ ...ORDERS_CONFIG, lookback: '1h' }]);
  await sync(pair);
  await pair.source.query(`INSERT INTO orders VALUES (50, 1, '', now() - interval '30 min')`);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
  await expectSameRows(pair, 'orders');
});

slowTest('a longer lookback brings what the shorter one has missed', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.source.query(`INSERT INTO orders VALUES (50, 1, '', now() - interval '30 min')`);
  // Seen by a sync, and below its window.
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0 });
  await pair.writeTables([{ ...ORDERS_CONFIG, lookback: '1h' }]);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
  await expectSameRows(pair, 'orders');
});

slowTest('rows without a key are read from the run on that includes them', async () => {
  await using pair = await freshPair({
    tables: [ORDERS_CONFIG],
    sourceSql: `${ORDERS_SQL}; ALTER TABLE orders ALTER updated_at DROP NOT NULL`,
  });
  await insertOrders(pair, 3);
  await sync(pair);
  await pair.source.query('UPDATE orders SET updated_at = NULL, total = 7 WHERE id = 1');
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 0 });
  await pair.writeTables([{ ...ORDERS_CONFIG, null_keys: 'include' }]);
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 1 });
  expect(await rowsRead(pair)).toBe(0);
  await expectSameRows(pair, 'orders');
});

slowTest('a partition that was filled long ago and is attached now is read', async () => {
  await using pair = await freshPair({
    tables: [{ ...ORDERS_CONFIG, unique_cols: ['id', 'updated_at'], lookback: '1h' }],
    sourceSql: `CREATE TABLE orders (id int, updated_at timestamptz NOT NULL DEFAULT now()) PARTITION BY RANGE (id);
      CREATE TABLE first PARTITION OF orders FOR VALUES FROM (0) TO (100); INSERT INTO orders VALUES (1);
      CREATE TABLE second (LIKE orders INCLUDING DEFAULTS); INSERT INTO second VALUES (101)`,
  });
  await sync(pair);
  await pair.source.query('ALTER TABLE orders ATTACH PARTITION second FOR VALUES FROM (100) TO (200)');
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
  await expectSameRows(pair, 'orders');
});

test('where only columns are granted, and so no numbers of transactions, the window is read', async () => {
  await using pair = await freshPair('orders');
  const role = `"${pair.login('source', 'increp').user}"`;
  await pair.source.query(
    `REVOKE ALL ON orders FROM ${role}; GRANT SELECT (id, total, note, updated_at) ON orders TO ${role}`,
  );
  await sync(pair);
  expect(await rowsRead(pair)).toBe(10);
});

const INSERT_ORDER = (id: number) => `INSERT INTO orders (id, total) VALUES (${id}, 1)`;

slowTest(
  'a source that crashed and gave the number of a lost transaction to another one is read',
  async () => {
    const table = { ...ORDERS_CONFIG, lookback: '1h' };
    await using lossy = await lossySource({ table, sql: ORDERS_SQL, insert: INSERT_ORDER });
    const { pair, written, crash } = lossy;
    const lost = await written(1);
    await sync(pair);
    expect(await rowsRead(pair)).toBe(0);
    await crash(0);
    expect(await written(2)).toBe(lost);
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
  },
);

slowTest('so is a row with a low key, which only its transaction shows, in a large table', async () => {
  await using lossy = await lossySource({
    table: { name: 'orders', replication_key: 'id', unique_cols: ['id'] },
    sql: `${ORDERS_SQL}; CREATE SEQUENCE orders_id_seq INCREMENT 50 OWNED BY orders.id;
      INSERT INTO orders (id, note) SELECT 1000 + i, repeat('x', 100) FROM generate_series(1, 90000) i;
      ANALYZE orders`,
    insert: INSERT_ORDER,
  });
  const { pair, source, written, crash } = lossy;
  const lost = await written(100_000);
  await sync(pair);
  await crash(90_000);
  expect(await written(50)).toBe(lost);
  // The next ID is above that of the last sync again, so the loss does not show in it.
  for (let time = 0; time < 5; time += 1) await source.query('SELECT pg_current_xact_id()');
  await sync(pair);
  const { rows } = await pair.destination.query('SELECT id::int FROM orders WHERE id = 50');
  expect(rows).toEqual([{ id: 50 }]);
});

slowTest('two hundred quiet tables take a few messages for each hundred on either side', async () => {
  const names = Array.from({ length: 200 }, (_, index) => `t${index}`);
  await using pair = await freshPair({
    tables: names.map((name) => ({ ...ORDERS_CONFIG, name, initial_load: 'copy' })),
    sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id) SELECT generate_series(1, 20);
      ${names.map((name) => `CREATE TABLE ${name} (LIKE orders INCLUDING ALL); INSERT INTO ${name} TABLE orders`).join(';')}`,
  });
  await sync(pair);
  await using source = await faultProxy(pair.login('source'));
  await using destination = await faultProxy(pair.login('destination'));
  await pair.setEnv({ SOURCE_PORT: String(source.port), DEST_PORT: String(destination.port) });
  const trips = async (tables: readonly string[]) => {
    const before = [source.roundTrips, destination.roundTrips];
    const { summary } = await sync(pair, tables.join(' '), { timing: { factsMaxAge: 5 } });
    expect(summary.tables).toHaveLength(tables.length);
    expect(summary.tables.every(({ rows_read }) => rows_read === 0)).toBe(true);
    return [source.roundTrips, destination.roundTrips].map((now, side) => now - (before[side] ?? 0));
  };
  const [hundred, all] = [await trips(names.slice(0, 100)), await trips(names)];
  const more = all.map((count, side) => count - (hundred[side] ?? 0));
  expect(more[0], more.join()).toBeLessThanOrEqual(6);
  expect(more[1], more.join()).toBeLessThanOrEqual(8);
});
