/** `mode: "full-refresh"`: tables that nothing identifies and nothing orders, read as a whole each time. */
import { expect, test } from 'vitest';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { LOADERS_TRIED, slowTest } from '../support/tier.ts';

/** Without a key, with rows that are there twice, with types that know no order. */
const RATES = { name: 'rates', mode: 'full-refresh' };
const RATES_SQL = `CREATE TABLE rates (currency text, rate numeric, note json, place point);
  INSERT INTO rates VALUES ('EUR', 1.0, '{"a": 1}', '(1,2)'), ('EUR', 1.0, '{"a": 1}', '(1,2)'), ('USD', 1.10, NULL, NULL),
    (NULL, NULL, NULL, NULL), (NULL, NULL, NULL, NULL), ('JPY', 160, '{}', '(0,0)')`;

const ratesPair = (more: object = {}): Promise<Pair> =>
  freshPair({ tables: [{ ...RATES, ...more }], sourceSql: RATES_SQL });

test('keys of "defaults" count only where the table has such columns', async () => {
  await using pair = await freshPair({
    tables: [ORDERS_CONFIG],
    sourceSql: `${ordersPreset.sourceSql};${RATES_SQL}`,
  });
  const { replication_key, unique_cols } = ORDERS_CONFIG;
  const defaults = { replication_key, unique_cols };
  await pair.writeTables({ defaults, tables: [{ name: 'orders', mode: 'full-refresh' }, RATES] });
  const { table } = await sync(pair);
  expect(table('rates')).toMatchObject({ action: 'initial', rows_inserted: 6 });
  const indexes = await pair.destination.query(
    `SELECT indexdef FROM pg_indexes WHERE tablename IN ('orders', 'rates') AND schemaname = 'public'`,
  );
  // The key of the defaults identifies rows of orders, and none of rates.
  expect(indexes.rows).toHaveLength(1);
  await pair.writeTables({ tables: [{ ...RATES, unique_cols: ['id'] }] });
  expect((await trySync(pair)).table().error?.message).toContain('"id"');
});

const oidOf = async (pair: Pair, name: string): Promise<unknown> =>
  (await pair.destination.query<{ oid: unknown }>('SELECT to_regclass($1)::oid AS oid', [name])).rows[0]?.oid;

test.each(LOADERS_TRIED)(
  'a table without any key is a copy after each sync, loaded by %s',
  async (loader) => {
    await using pair = await ratesPair({ initial_load: loader });
    expect((await sync(pair)).table()).toMatchObject({
      action: 'initial',
      rows_read: 6,
      rows_inserted: 6,
      cursor: null,
    });
    await expectSameRows(pair, 'rates');
    expect((await sync(pair)).table()).toMatchObject({
      action: 'full-refresh',
      reason: 'mode is full-refresh, so each sync loads the table again',
      ...{ rows_read: 6, rows_inserted: 0, rows_updated: 0, rows_unchanged: 6, rows_deleted: 0 },
    });
    await pair.source
      .query(`UPDATE rates SET rate = 1.00 WHERE ctid = '(0,1)'; DELETE FROM rates WHERE ctid = '(0,4)';
    INSERT INTO rates VALUES ('USD', 1.10, NULL, NULL)`);
    expect((await sync(pair)).table()).toMatchObject({
      ...{ rows_read: 6, rows_inserted: 2, rows_updated: 0, rows_unchanged: 4, rows_deleted: 2 },
    });
    await expectSameRows(pair, 'rates');
  },
);

slowTest('an empty table, and one that becomes empty', async () => {
  await using pair = await ratesPair();
  await pair.source.query('TRUNCATE rates');
  await sync(pair);
  await sync(pair);
  await pair.source.query(`INSERT INTO rates (currency) VALUES ('CHF')`);
  await sync(pair);
  await expectSameRows(pair, 'rates');
  await pair.source.query('DELETE FROM rates');
  // An emptied source is more often a mistake than a wish.
  const { error } = (await trySync(pair)).table();
  expect(error).toMatchObject({ code: 'DELETE_LIMIT_EXCEEDED' });
  expect(error?.hint).toContain('run "increp sync rates --force"');
  expect((await pair.destination.query('SELECT FROM rates')).rowCount).toBe(1);
  expect((await sync(pair, '--force')).table()).toMatchObject({ rows_deleted: 1, rows_unchanged: 0 });
  await expectSameRows(pair, 'rates');
});

slowTest('what people have built on the copy lives through ten refreshes', async () => {
  await using pair = await ratesPair();
  await sync(pair);
  await pair.destination.query(`CREATE VIEW strong AS SELECT currency FROM rates WHERE rate > 1;
    CREATE VIEW strongest AS SELECT * FROM strong; CREATE INDEX by_currency ON rates (currency);
    GRANT SELECT ON rates TO PUBLIC; COMMENT ON TABLE rates IS 'kept';
    ALTER TABLE rates ADD COLUMN remark text; UPDATE rates SET remark = 'mine' WHERE currency = 'USD'`);
  const oids = () =>
    Promise.all(['rates', 'strong', 'strongest', 'by_currency'].map((name) => oidOf(pair, name)));
  const before = await oids();
  for (let refresh = 1; refresh <= 10; refresh += 1) {
    await pair.source.query(`UPDATE rates SET rate = rate + 1 WHERE currency = 'JPY'`);
    expect((await sync(pair)).table()).toMatchObject({
      rows_inserted: 1,
      rows_deleted: 1,
      rows_unchanged: 5,
    });
  }
  expect(await oids()).toEqual(before);
  // Between two runs nothing takes room twice.
  expect(await oidOf(pair, 'rates_stg')).toBeNull();
  await expectSameRows(pair, 'rates');
  const { rows } = await pair.destination
    .query(`SELECT obj_description('rates'::regclass) AS comment, relacl::text LIKE '%=r/%' AS granted,
    (SELECT remark FROM rates WHERE currency = 'USD') AS remark FROM pg_class WHERE oid = 'rates'::regclass`);
  expect(rows).toEqual([{ comment: 'kept', granted: true, remark: 'mine' }]);
});

test('a new shape is taken over, and views on what stays survive', async () => {
  await using pair = await ratesPair();
  await sync(pair);
  const owner = `"${pair.login('destination', 'increp').user}"`;
  await pair.destination.query(
    `CREATE VIEW currencies AS SELECT currency FROM rates; CREATE INDEX by_rate ON rates (rate); ALTER VIEW currencies OWNER TO ${owner}`,
  );
  const view = await oidOf(pair, 'currencies');
  await pair.source
    .query(`ALTER TABLE rates ADD COLUMN since date DEFAULT '2026-01-01'; ALTER TABLE rates DROP COLUMN note;
    ALTER TABLE rates ALTER rate TYPE double precision`);
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', rows_read: 6 });
  await expectSameRows(pair, 'rates');
  expect(await oidOf(pair, 'currencies')).toBe(view);
  expect(await oidOf(pair, 'by_rate')).not.toBeNull();
  expect((await sync(pair)).table()).toMatchObject({ action: 'full-refresh', rows_unchanged: 6 });
  await pair.writeTables([{ ...RATES, on_schema_change: 'fail' }]);
  await pair.source.query('ALTER TABLE rates ADD COLUMN more int');
  expect((await trySync(pair)).table()).toMatchObject({ error: { code: 'SCHEMA_CHANGE_REFUSED' } });
});

slowTest(
  'what people have written into a column of theirs is not lost where nothing tells which row it is',
  async () => {
    await using pair = await ratesPair();
    await sync(pair);
    await pair.destination.query(
      `ALTER TABLE rates ADD COLUMN remark text; UPDATE rates SET remark = 'mine'`,
    );
    // A column more can be added in place.
    await pair.source.query('ALTER TABLE rates ADD COLUMN since date');
    await sync(pair);
    await expectSameRows(pair, 'rates');
    const { rows } = await pair.destination.query(
      'SELECT count(*)::int AS kept FROM rates WHERE remark IS NOT NULL',
    );
    expect(rows).toEqual([{ kept: 6 }]);
    // Another type cannot.
    await pair.source.query('ALTER TABLE rates ALTER rate TYPE double precision');
    const { error } = (await trySync(pair)).table();
    expect(error).toMatchObject({ code: 'DEPENDENT_OBJECTS' });
    expect(error?.message).toContain('without unique_cols, increp cannot find the rows that they belong to');
  },
);

test('with unique_cols only what differs is written, and rows that are gone go whatever deletes says', async () => {
  await using pair = await freshPair('orders');
  await pair.writeTables([{ name: 'orders', mode: 'full-refresh', unique_cols: ['id'] }]);
  expect((await sync(pair)).table()).toMatchObject({ action: 'initial', rows_inserted: 10 });
  await pair.source.query('UPDATE orders SET total = 1 WHERE id = 1; DELETE FROM orders WHERE id = 2');
  expect((await sync(pair)).table()).toMatchObject({
    ...{ action: 'full-refresh', rows_inserted: 0, rows_updated: 1, rows_unchanged: 8, rows_deleted: 1 },
  });
  await expectSameRows(pair, 'orders');
  await pair.writeTables([{ name: 'orders', mode: 'full-refresh', unique_cols: ['id'], deletes: 'soft' }]);
  await pair.source.query('DELETE FROM orders WHERE id = 3');
  expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 1 });
  const { rows } = await pair.destination.query('SELECT id FROM orders WHERE _deleted_at IS NOT NULL');
  expect(rows).toEqual([{ id: '3' }]);
  await expectSameRows(pair, 'orders', { where: 'id <> 3' });
});

test('rows that share their unique_cols: the newest by the replication key stays, where there is one', async () => {
  await using pair = await freshPair({
    sourceSql: `CREATE TABLE prices (item int, price int, at timestamptz);
      INSERT INTO prices VALUES (1, 10, '2026-01-02Z'), (1, 99, '2026-01-01Z'), (2, 5, NULL)`,
    tables: [{ name: 'prices', mode: 'full-refresh', unique_cols: ['item'], replication_key: 'at' }],
  });
  const { warnings } = (await sync(pair)).table();
  expect(warnings).toEqual([expect.stringContaining('1 row with the same key as a newer row was left out')]);
  const { rows } = await pair.destination.query('SELECT item, price FROM prices ORDER BY 1');
  expect(rows).toEqual([
    { item: 1, price: 10 },
    { item: 2, price: 5 },
  ]);
});

slowTest(
  'a table changes its mode, back and forth, and no row is lost nor kept for a former key',
  async () => {
    await using pair = await freshPair('orders');
    await sync(pair);
    // The index of the former key has to go: the source may now have such rows twice.
    await pair.writeTables([{ name: 'orders', mode: 'full-refresh' }]);
    await pair.source.query(`ALTER TABLE orders DROP CONSTRAINT orders_pkey;
    INSERT INTO orders SELECT * FROM orders WHERE id = 1`);
    await sync(pair);
    await expectSameRows(pair, 'orders');
    expect((await sync(pair)).table()).toMatchObject({ action: 'full-refresh', rows_unchanged: 11 });
    await pair.source.query(`DELETE FROM orders WHERE ctid = (SELECT max(ctid) FROM orders WHERE id = 1)`);
    await pair.writeTables([ORDERS_CONFIG]);
    expect((await sync(pair)).table()).toMatchObject({
      action: 'initial',
      reason: 'no cursor is known, because the mode was full-refresh',
    });
    await expectSameRows(pair, 'orders');
    expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
  },
);

slowTest('a copy that was dropped, emptied or is asked for comes again', async () => {
  await using pair = await ratesPair();
  await sync(pair);
  await pair.destination.query('TRUNCATE rates');
  expect((await sync(pair)).table()).toMatchObject({
    action: 'initial',
    reason: 'the destination table was emptied',
  });
  await pair.destination.query('DROP TABLE rates');
  expect((await sync(pair)).table()).toMatchObject({
    action: 'initial',
    reason: 'the destination table was dropped',
  });
  expect((await sync(pair, '--full-refresh')).table().reason).toBe('a full refresh was requested');
  await expectSameRows(pair, 'rates');
});
