/** What people build on the copy outlives a load, or the load is refused before anything changes. */
import { expect, test } from 'vitest';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { insertOrders } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const query = async (pair: Pair, sql: string) =>
  (await pair.destination.query<Record<string, unknown>>(sql)).rows;

/** Everything on the table that pg_dump would print. */
const dependents = async (pair: Pair) => ({
  table: await query(
    pair,
    `SELECT pg_get_userbyid(relowner) AS owner, obj_description(oid, 'pg_class') AS comment,
       (SELECT array_agg(x::text ORDER BY x::text) FROM unnest(relacl) x) AS acl FROM pg_class WHERE oid = 'orders'::regclass`,
  ),
  columns: await query(
    pair,
    `SELECT attname, attacl::text, col_description(attrelid, attnum) FROM pg_attribute
     WHERE attrelid = 'orders'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'more' ORDER BY 1`,
  ),
  indexes: await query(
    pair,
    `SELECT indexname, indexdef, obj_description(format('%I', indexname)::regclass, 'pg_class') FROM pg_indexes
     WHERE tablename = 'orders' ORDER BY 1`,
  ),
  triggers: await query(pair, `SELECT tgname FROM pg_trigger WHERE tgrelid = 'orders'::regclass ORDER BY 1`),
});

const DECORATION = `
  COMMENT ON TABLE orders IS 'the orders, it''s theirs';
  COMMENT ON COLUMN orders.total IS 'in "euros"';
  CREATE INDEX "by Total" ON orders (total DESC NULLS LAST, lower(note)) WHERE total > 1;
  CREATE INDEX by_hash ON orders USING hash (note);
  CREATE UNIQUE INDEX with_include ON orders (id, updated_at) INCLUDE (note) WITH (fillfactor = 70);
  COMMENT ON INDEX by_hash IS 'fast';
  GRANT SELECT ON orders TO PUBLIC;
  GRANT SELECT, UPDATE ON orders TO pg_monitor WITH GRANT OPTION;
  GRANT UPDATE (note), SELECT (id) ON orders TO pg_read_all_stats;`;

test('a full refresh keeps what people have built on the table, and rewrites nothing that is equal', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query(`${DECORATION}
    CREATE VIEW totals AS SELECT sum(total) FROM orders;
    CREATE VIEW of_totals AS SELECT * FROM totals;
    CREATE MATERIALIZED VIEW kept AS SELECT * FROM orders;
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER theirs AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION f();
    CREATE TABLE lines (order_id bigint REFERENCES orders);
    INSERT INTO lines SELECT id FROM orders`);
  const before = await dependents(pair);
  const places = await query(pair, 'SELECT id, ctid, xmin::text FROM orders WHERE id > 1 ORDER BY id');
  await pair.source.query(`UPDATE orders SET note = 'new' WHERE id = 1`);
  const { table } = await sync(pair, '--full-refresh');
  expect(table()).toMatchObject({
    action: 'full-refresh',
    rows_read: 10,
    rows_updated: 1,
    rows_unchanged: 9,
  });
  expect(await dependents(pair)).toEqual(before);
  expect(await query(pair, 'SELECT id, ctid, xmin::text FROM orders WHERE id > 1 ORDER BY id')).toEqual(
    places,
  );
  expect(await query(pair, 'SELECT count(*)::int FROM of_totals')).toEqual([{ count: 1 }]);
  await expectSameRows(pair, 'orders');
});

slowTest(
  'a full refresh takes out what is gone at the source, and brings back what is gone here',
  async () => {
    await using pair = await freshPair('orders');
    await sync(pair);
    await pair.source.query('DELETE FROM orders WHERE id < 3');
    await pair.destination
      .query(`DELETE FROM orders WHERE id = 5; UPDATE orders SET note = 'wrong' WHERE id = 6;
    INSERT INTO orders VALUES (99, 1, 'theirs', now())`);
    const { table } = await sync(pair, 'orders --full-refresh');
    expect(table()).toMatchObject({ rows_deleted: 3, rows_inserted: 1, rows_updated: 1, rows_unchanged: 6 });
    await expectSameRows(pair, 'orders');
    await insertOrders(pair, 1);
    expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_inserted: 1 });
  },
);

slowTest('a column more at the source: owner, grants, comments and indexes are carried over', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query(DECORATION);
  const before = await dependents(pair);
  for (const more of ['ADD COLUMN more int DEFAULT 7', 'ALTER COLUMN more TYPE text']) {
    await pair.source.query(`ALTER TABLE orders ${more}`);
    expect((await sync(pair)).table()).toMatchObject({ action: 'reset', rows_inserted: 10 });
    await expectSameRows(pair, 'orders');
    expect(await dependents(pair)).toEqual(before);
  }
  expect((await sync(pair)).table().action).toBe('incremental');
});

slowTest('a table that another role owns stays its, when ours is a member', async () => {
  await using pair = await freshPair('orders');
  const { user } = pair.login('destination', 'increp');
  await sync(pair);
  await pair.destination.query(`CREATE ROLE boss_${user}; GRANT boss_${user} TO ${user};
    GRANT CREATE, USAGE ON SCHEMA public TO boss_${user}; ALTER TABLE orders OWNER TO boss_${user}`);
  const before = await dependents(pair);
  try {
    await pair.source.query('ALTER TABLE orders ADD COLUMN more int');
    await sync(pair);
    expect(await dependents(pair)).toEqual(before);
    await expectSameRows(pair, 'orders');
    await insertOrders(pair, 1);
    await sync(pair);
    await expectSameRows(pair, 'orders');
  } finally {
    await pair.destination.query(`DROP OWNED BY boss_${user} CASCADE; DROP ROLE boss_${user}`);
  }
});

slowTest('an index on a column that is gone goes with it, the others stay', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination
    .query(`CREATE INDEX of_note ON orders (note); CREATE INDEX of_total ON orders (total);
    GRANT UPDATE (note) ON orders TO pg_monitor; COMMENT ON COLUMN orders.note IS 'gone soon'`);
  await pair.source.query('ALTER TABLE orders DROP COLUMN note');
  await sync(pair);
  expect((await dependents(pair)).indexes.map(({ indexname }) => indexname)).toEqual([
    'of_total',
    'orders_pkey',
  ]);
  await expectSameRows(pair, 'orders');
});
