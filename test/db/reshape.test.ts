/** A table takes another shape, and what people have built on it is there afterwards. */
import { expect, test } from 'vitest';
import { COLUMNS, EVERYTHING, FOREIGN_KEYS, ON_IT, VIEWS } from '../support/built-on-orders.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { asBoss, asWriter, MORE, query, TOTAL_AS_TEXT, WIDER } from '../support/reshape.ts';
import { schemaDump } from '../support/schema-dump.ts';
import { insertOrders } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest, slowKind } from '../support/tier.ts';

const theirs = (pair: Pair) =>
  query(pair, 'SELECT id, tags, turn, "Their note", words::text, parent FROM orders ORDER BY id');

slowKind(testWithPgDump)(
  'a column changes its type, and all that is built on the table is there as before',
  async () => {
    await using pair = await freshPair('orders');
    await sync(pair);
    await asWriter(pair, EVERYTHING);
    const before = { schema: await schemaDump(pair), theirs: await theirs(pair) };
    await pair.source.query(
      `${WIDER}; UPDATE orders SET total = total + 0.005, updated_at = now() WHERE id = 2`,
    );
    expect((await sync(pair)).table()).toMatchObject({ action: 'reset', rows_inserted: 10 });
    const after = before.schema.replaceAll('total numeric(12,2)', 'total numeric(14,3)');
    expect(after).not.toBe(before.schema);
    expect(await schemaDump(pair)).toBe(after);
    expect(await theirs(pair)).toEqual(before.theirs);
    await expectSameRows(pair, 'orders');
    expect(await query(pair, 'SELECT s::text FROM on_sums ORDER BY odd')).toEqual([
      { s: '37.505' },
      { s: '31.250' },
    ]);
    await expect(query(pair, 'SELECT FROM empty')).rejects.toThrow('has not been populated');
    await insertOrders(pair, 1);
    await asWriter(pair, `INSERT INTO kinds VALUES ('order 11')`);
    expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_inserted: 1 });
    expect(await query(pair, 'SELECT tags FROM orders WHERE id = 11')).toEqual([{ tags: ['new'] }]);
    expect((await sync(pair, '--full-refresh')).table()).toMatchObject({ rows_unchanged: 11 });
    expect(await schemaDump(pair)).toBe(after);
  },
);

slowTest('a column more: whatever is built on the table stays, whoever owns it', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await asWriter(pair, `${ON_IT} ${COLUMNS}`);
  await asBoss(
    pair,
    `${VIEWS} ${FOREIGN_KEYS}
    CREATE FUNCTION of_rows(orders) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION body() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM orders; END;
    ALTER TABLE orders REPLICA IDENTITY DEFAULT; CREATE PUBLICATION pub FOR TABLE orders;
    ALTER TABLE orders ADD COLUMN number serial, ADD COLUMN place int GENERATED ALWAYS AS IDENTITY;
    CREATE TABLE log (old orders);`,
  );
  const seen = `SELECT 'orders'::regclass::oid, 'sums'::regclass::oid, (SELECT json_agg(to_jsonb(s)) FROM sums s),
    (SELECT json_agg(json_build_array(id, number, place, tags) ORDER BY id) FROM orders)`;
  const before = await query(pair, seen);
  for (const change of [
    MORE,
    'ALTER TABLE orders ADD COLUMN late text NOT NULL DEFAULT now()',
    'ALTER TABLE orders DROP COLUMN more',
  ]) {
    await pair.source.query(change);
    expect((await sync(pair)).table(), change).toMatchObject({ action: 'reset', status: 'ok' });
    await expectSameRows(pair, 'orders');
    expect(await query(pair, seen), change).toEqual(before);
  }
});

slowTest('a table that inherits from the copy gets the new column too, and keeps its rows', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await asWriter(
    pair,
    `CREATE TABLE child () INHERITS (orders); INSERT INTO child VALUES (77, 1, 'ours', now())`,
  );
  await pair.source.query(`${MORE}; DELETE FROM orders WHERE id = 3`);
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', rows_deleted: 1 });
  await expectSameRows(pair, 'orders', { where: 'id <> 77' });
  expect(await query(pair, 'SELECT id, note, more FROM child')).toEqual([
    { id: '77', note: 'ours', more: null },
  ]);
});

test('a sequence stays with its column, and plan names the statements for an identity column', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const LAST = `SELECT pg_get_serial_sequence('orders', 'id') AS name, nextval('numbers') AS next`;
  await asWriter(
    pair,
    `CREATE SEQUENCE numbers START 11 OWNED BY orders.id; ALTER TABLE orders ALTER id SET DEFAULT nextval('numbers')`,
  );
  await pair.source.query(TOTAL_AS_TEXT);
  expect((await increp('plan', pair)).stdout).not.toContain('would be refused');
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset' });
  expect(await query(pair, LAST)).toEqual([{ name: 'public.numbers', next: '11' }]);
  await asWriter(
    pair,
    'ALTER TABLE orders ALTER id DROP DEFAULT; ALTER TABLE orders ALTER id ADD GENERATED ALWAYS AS IDENTITY',
  );
  await pair.source.query('ALTER TABLE orders ALTER COLUMN note TYPE varchar(90)');
  const steps = /ALTER TABLE "public"."orders" ALTER COLUMN id DROP IDENTITY/;
  expect((await increp('plan', pair)).stdout).toMatch(steps);
  expect((await trySync(pair)).table().error?.hint).toMatch(steps);
  await asWriter(pair, 'ALTER TABLE orders ALTER COLUMN id DROP IDENTITY');
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset' });
});

slowTest(
  'a view of another owner is made anew as his, with his rights, where our role is a member',
  async () => {
    await using pair = await freshPair('orders');
    const { user } = pair.login('destination', 'increp');
    await sync(pair);
    await asBoss(
      pair,
      `CREATE ROLE boss_${user}; GRANT boss_${user} TO ${user}; GRANT SELECT ON orders TO boss_${user};
    CREATE TABLE hidden AS SELECT 1 AS secret; GRANT SELECT ON hidden TO boss_${user};
    CREATE VIEW v AS SELECT total, secret FROM orders, hidden; ALTER VIEW v OWNER TO boss_${user};
    CREATE MATERIALIZED VIEW mv AS SELECT count(*) AS n, current_user AS who FROM v; GRANT CREATE ON SCHEMA public TO boss_${user};
    ALTER MATERIALIZED VIEW mv OWNER TO boss_${user}; REFRESH MATERIALIZED VIEW mv;
    SET ROLE boss_${user}; GRANT SELECT ON v TO ${user}, pg_monitor; GRANT SELECT ON mv TO ${user} WITH GRANT OPTION;
    GRANT UPDATE (total) ON v TO ${user}; RESET ROLE`,
    );
    const grants = () =>
      query(
        pair,
        `SELECT c.relname, c.relacl::text[], (SELECT array_agg(attacl::text) FROM pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL) AS columns
         FROM pg_class c WHERE c.relname IN ('v', 'mv') ORDER BY 1`,
      );
    const granted = await grants();
    try {
      await pair.source.query(WIDER);
      await sync(pair);
      expect(
        await query(
          pair,
          `SELECT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE relname IN ('v', 'mv')`,
        ),
      ).toEqual([{ owner: `boss_${user}` }, { owner: `boss_${user}` }]);
      // Also those of our role, which owned the new ones for a moment.
      expect(sortedAcl(await grants())).toEqual(sortedAcl(granted));
      // Computed with his rights: ours would have been refused, and would have been for his functions to use.
      expect(await query(pair, 'SELECT n::int, who FROM mv')).toEqual([{ n: 10, who: `boss_${user}` }]);
    } finally {
      await pair.destination.query(`DROP OWNED BY boss_${user} CASCADE; DROP ROLE boss_${user}`);
    }
  },
);

test('a new table has the grants of the old one, not those of default privileges', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await asWriter(
    pair,
    `CREATE VIEW v AS SELECT total FROM orders;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC, pg_monitor`,
  );
  await pair.source.query(WIDER);
  await sync(pair);
  expect(
    await query(
      pair,
      `SELECT relname, relacl FROM pg_class WHERE relname IN ('orders', 'v') AND cardinality(relacl) > 1`,
    ),
  ).toEqual([]);
});

/** A list of grants has no order. */
const sortedAcl = (rows: readonly object[]) =>
  JSON.parse(
    JSON.stringify(rows, (_key, value: unknown) =>
      Array.isArray(value) && value.every((each) => typeof each === 'string') ? value.toSorted() : value,
    ),
  ) as unknown;
