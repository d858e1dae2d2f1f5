/** Staging table into table: what is written, what is left alone, and what identifies a row. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { columnsOf, expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, TableConfig } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const items = (columns: string, unique: readonly string[] = ['id'], more: object = {}) => ({
  tables: [{ name: 'items', replication_key: 'at', unique_cols: unique, ...more }] as TableConfig[],
  sourceSql: `CREATE TABLE items (${columns}, at timestamptz DEFAULT now())`,
});

/** Writes to a destination table since it was made, as its statistics count them. */
async function writesTo(pair: Pair, table: string) {
  const client = await pair.destination.connect();
  try {
    await client.query('SELECT pg_stat_force_next_flush()').catch(() => undefined);
    const { rows } = await client.query<{ updated: string; dead: string; deleted: string; inserted: string }>(
      `SELECT n_tup_upd AS updated, n_tup_del AS deleted, n_tup_ins AS inserted, n_dead_tup AS dead
       FROM pg_stat_all_tables WHERE relid = '${table}'::regclass`,
    );
    return rows[0];
  } finally {
    client.release();
  }
}

test('a row changed several times between runs arrives once, in its latest form', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  for (const total of [20, 30, 40]) {
    await pair.source.query(`UPDATE orders SET total = ${total}, updated_at = now() WHERE id = 1`);
  }
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 1, rows_inserted: 0 });
  await expectSameRows(pair, 'orders');
});

test('a staging table keeps no space after a large sync', async () => {
  await using pair = await freshPair(items('id int PRIMARY KEY, note text'));
  await sync(pair);
  const size = async () =>
    (await pair.destination.query<{ size: string }>(`SELECT pg_relation_size('items_stg') AS size`)).rows[0];
  const insertFrom = (first: number) =>
    pair.source.query(
      `INSERT INTO items SELECT i, repeat('x', 500) FROM generate_series(${first}, ${first + 2999}) i`,
    );
  await insertFrom(1);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 3000 });
  expect(await size()).toEqual({ size: '0' });

  await pair.destination.query('DELETE FROM items');
  await pair.destination.query(`INSERT INTO items SELECT 1, 'x', now()`);
  await increp('verify --repair --force', pair);
  expect(await size()).toEqual({ size: '0' });

  await pair.destination.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END$$;
    CREATE TRIGGER refuse BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION refuse()`);
  await insertFrom(10_000);
  // The session of the failed sync may hold its locks for a moment after the error.
  const held = await pair.destination.connect();
  await held.query('BEGIN; LOCK TABLE items_stg IN ACCESS SHARE MODE');
  const failing = trySync(pair);
  await expect
    .poll(() =>
      pair.destination.query(`SELECT FROM pg_locks WHERE NOT granted AND relation = 'items_stg'::regclass`),
    )
    .toMatchObject({ rowCount: 1 });
  await held.query('COMMIT');
  held.release();
  expect((await failing).table().error).toMatchObject({
    code: 'DISK_FULL',
    hint: expect.stringMatching(
      / increp has emptied public\.items_stg, so no rows take space there/,
    ) as string,
  });
  expect(await size()).toEqual({ size: '0' });
});

test('a key that the source keeps unique no more is a warning of each sync, until a load is requested', async () => {
  await using pair = await freshPair(items('id int PRIMARY KEY, note text'));
  await pair.source.query(`INSERT INTO items VALUES (1, 'x')`);
  expect((await sync(pair)).table()).toMatchObject({ warnings: [] });
  await pair.source.query(`ALTER TABLE items DROP CONSTRAINT items_pkey, ADD pk2 bigserial PRIMARY KEY`);
  const warned = {
    warnings: [
      expect.stringMatching(
        /^the source no longer keeps \(id\) unique and NOT NULL \(one keeps \(pk2\)\).* set "unique_cols": \["pk2"\].* --full-refresh"\.$/,
      ) as string,
    ],
  };
  // The load that the new column needs has not been requested.
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', ...warned });
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 0, ...warned });
  await pair.source.query(`INSERT INTO items VALUES (2, 'y')`);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, ...warned });
  expect((await increp('plan', pair)).stdout).toContain('note: the source no longer keeps (id) unique');
  await sync(pair, '--full-refresh');
  await pair.source.query(`INSERT INTO items VALUES (3, 'z')`);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, warnings: [] });
});

slowTest('rows that are written again as they were may be read twenty times without a write', async () => {
  await using pair = await freshPair({
    ...items('id int PRIMARY KEY, n numeric, j json'),
    tables: [{ ...ORDERS_CONFIG, name: 'items', replication_key: 'at', lookback: '1h' }],
  });
  await pair.source.query(
    `INSERT INTO items SELECT i, i / 7.0, '{"a": 1,  "a": 2}' FROM generate_series(1, 500) i`,
  );
  await sync(pair);
  const before = await writesTo(pair, 'items');
  for (let run = 1; run <= 20; run += 1) {
    await pair.source.query('UPDATE items SET n = n');
    const table = (await sync(pair)).table();
    expect(table).toMatchObject({ rows_read: 500, rows_unchanged: 500, rows_updated: 0, rows_inserted: 0 });
  }
  await expect
    .poll(() => writesTo(pair, 'items'))
    .toEqual({ ...before, updated: '0', deleted: '0', dead: '0' });
  await expectSameRows(pair, 'items');
});

slowTest('a NULL in a composite merge key is a value like any other, over five runs', async () => {
  await using pair = await freshPair(items('a int, b int, note text', ['a', 'b'], { lookback: '1h' }));
  await pair.source.query(
    `INSERT INTO items VALUES (1, NULL, 'x'), (NULL, 1, 'x'), (NULL, NULL, 'x'), (1, 1, 'x')`,
  );
  await sync(pair);
  for (let run = 1; run <= 5; run += 1) {
    await pair.source.query(`UPDATE items SET note = 'run ${run}', at = now() WHERE b IS NULL`);
    await pair.source.query(`INSERT INTO items VALUES (${run + 1}, NULL, 'new')`);
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, warnings: [] });
    await expectSameRows(pair, 'items');
  }
});

test('unique_cols that identify no row at the source are told of, and the newest row wins each time', async () => {
  await using pair = await freshPair(items('a int, note text', ['a'], { lookback: '1h' }));
  await pair.source.query(
    `INSERT INTO items VALUES (1, 'old', now() - interval '2 min'), (1, 'new', now() - interval '1 min')`,
  );
  await pair.source.query(`INSERT INTO items VALUES (2, 'b', '2026-01-01'), (2, 'a', '2026-01-01')`);
  const said =
    /^unique_cols \(a\) do not identify rows at the source: 2 rows .* left out; to see the keys, run "increp verify items"$/;
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 4, rows_inserted: 2, warnings: [said] });
  const newest = { sourceWhere: `note IN ('new', 'b')` };
  await expectSameRows(pair, 'items', newest);
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 0, rows_inserted: 0 });
  expect((await sync(pair, '--full-refresh')).table()).toMatchObject({ rows_updated: 0, warnings: [said] });
  await expectSameRows(pair, 'items', newest);
  expect((await increp('verify', pair)).exitCode).toBe(2);
  expect((await increp('sync', pair)).stdout).toContain(
    'differences in items (2 duplicated) before this run, at ',
  );
});

test('changes that "=" does not see are seen', async () => {
  await using pair = await freshPair(
    items('id int PRIMARY KEY, n numeric, j json, p point, f float8, x xml, t text', ['id'], {
      lookback: '1h',
    }),
  );
  const nfd = `t = U&'e\\0301'`;
  const changes = [`n = 1.00`, `j = '{"a": 1}'`, `p = '(1,1.0000001)'`, `f = '-0'`, `x = '<a></a>'`, nfd];
  await pair.source.query(`INSERT INTO items
      SELECT i, 1.0, '{"a":1}', '(1,1)', 0, '<a/>', 'é' FROM generate_series(1, ${changes.length}) i;
    INSERT INTO items (id) VALUES (0)`);
  await sync(pair);
  // The key stays, so that only the change itself can be the reason for an update.
  for (const [place, change] of changes.entries())
    await pair.source.query(`UPDATE items SET ${change} WHERE id = ${place + 1}`);
  const { rows_read: read, rows_updated: updated } = (await sync(pair)).table();
  expect([read, updated]).toEqual([changes.length, changes.length]);
  await expectSameRows(pair, 'items');
});

test('two keys that change places, and a key that is used again', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.source.query(`UPDATE orders SET id = 100, updated_at = now() WHERE id = 1`);
  await pair.source.query(`UPDATE orders SET id = 1, updated_at = now() WHERE id = 2`);
  await pair.source.query(`UPDATE orders SET id = 2, updated_at = now() WHERE id = 100`);
  await pair.source.query(
    `DELETE FROM orders WHERE id = 3; INSERT INTO orders (id, note) VALUES (3, 'again')`,
  );
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 3, rows_inserted: 0 });
  await expectSameRows(pair, 'orders');
});

slowTest(
  'the columns may stand in another order, with one of the user between them, and others dropped',
  async () => {
    await using pair = await freshPair('orders');
    await pair.source.query(
      `ALTER TABLE orders ADD gone int; ALTER TABLE orders DROP gone; ALTER TABLE orders ADD s t_s`.replace(
        't_s',
        'text',
      ),
    );
    await sync(pair);
    await pair.destination.query(`
    ALTER TABLE orders RENAME TO former;
    CREATE TABLE orders (updated_at timestamptz, gone int, mine text DEFAULT 'kept', s text, total numeric(12,2), note text, id bigint);
    ALTER TABLE orders DROP gone;
    INSERT INTO orders (id, total, note, updated_at, s) SELECT id, total, note, updated_at, s FROM former;
    DROP TABLE former; ALTER TABLE orders OWNER TO ${pair.login('destination', 'increp').user}`);
    await pair.source.query(`UPDATE orders SET total = 2.50, s = 'x', updated_at = now() WHERE id IN (1, 2)`);
    await insertOrders(pair, 1);
    expect((await sync(pair)).table()).toMatchObject({
      action: 'incremental',
      rows_updated: 2,
      rows_inserted: 1,
    });
    await expectSameRows(pair, 'orders');
    const { rows } = await pair.destination.query('SELECT DISTINCT mine FROM orders');
    expect(rows).toEqual([{ mine: 'kept' }]);
    expect((await sync(pair)).table()).toMatchObject({ rows_updated: 0 });
  },
);

slowTest('a missing unique index on the merge key is made again', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const isIndexed = async () =>
    (await pair.destination.query(`SELECT FROM pg_index WHERE indrelid = 'orders'::regclass AND indisunique`))
      .rowCount;
  await pair.destination.query('ALTER TABLE orders DROP CONSTRAINT orders_pkey');
  expect(await isIndexed()).toBe(0);
  await insertOrders(pair, 1);
  await sync(pair);
  expect(await isIndexed()).toBe(1);
  await insertOrders(pair, 1);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_inserted: 1 });
  await expectSameRows(pair, 'orders');
});

slowTest('columns named like aliases, system columns and keywords are merged as any other', async () => {
  const names = ['s', 't', 'image', 'rank', 'place', 'ranked', 'select', 'row', 'n', 'record', 'excluded'];
  await using pair = await freshPair(
    items(`id int PRIMARY KEY, ${names.map((name) => `"${name}" text`).join(', ')}`),
  );
  await pair.source.query(
    `INSERT INTO items (id, s, t, image) VALUES (1, 'a', 'b', 'c'), (2, 'a', 'b', 'c')`,
  );
  await sync(pair);
  await pair.destination.query('ALTER TABLE items ADD mine int');
  for (const name of names) {
    await pair.source.query(`UPDATE items SET "${name}" = 'changed', at = now() WHERE id = 1`);
    expect((await sync(pair)).table().rows_updated, name).toBeGreaterThan(0);
  }
  await expectSameRows(pair, 'items');
  expect(await columnsOf(pair, 'destination', 'public', 'items')).toContain('mine');
});
