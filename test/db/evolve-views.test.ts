/** A copy is altered in place, and what people have built on it is there afterwards, or nothing has changed at all. */
import { expect, test } from 'vitest';
import { COLUMNS, EVERYTHING, FOREIGN_KEYS, ON_IT, VIEWS } from '../support/built-on-orders.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { runSql } from '../support/pair-databases.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { schemaDump } from '../support/schema-dump.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const ORDERS = { ...ordersPreset, tables: [{ ...ORDERS_CONFIG, on_schema_change: 'evolve' }] };

const query = async (pair: Pair, sql: string) =>
  (await pair.destination.query<Record<string, unknown>>(sql)).rows;

const asWriter = (pair: Pair, sql: string) => runSql(pair.login('destination', 'increp'), sql, 'public');
const asBoss = (pair: Pair, sql: string) => runSql(pair.login('destination'), sql, 'public');

const WIDER = 'ALTER TABLE orders ALTER COLUMN total TYPE numeric(14,3)';
const MORE = 'ALTER TABLE orders ADD COLUMN more int DEFAULT 7';
const IN_PLACE = { action: 'incremental', status: 'ok' };

testWithPgDump('a column is widened, and all that is built on the table is there as before', async () => {
  await using pair = await freshPair(ORDERS);
  await sync(pair);
  await asWriter(pair, EVERYTHING);
  const theirs = () =>
    query(pair, 'SELECT id, tags, "Their note", words::text, parent FROM orders ORDER BY id');
  const before = { schema: await schemaDump(pair), theirs: await theirs() };
  await pair.source.query(
    `${WIDER}; UPDATE orders SET total = total + 0.005, updated_at = now() WHERE id = 2`,
  );
  expect((await sync(pair)).table()).toMatchObject({ ...IN_PLACE, rows_updated: 1 });
  const after = before.schema.replaceAll('total numeric(12,2)', 'total numeric(14,3)');
  expect(after).not.toBe(before.schema);
  expect(await schemaDump(pair)).toBe(after);
  expect(await theirs()).toEqual(before.theirs);
  await expectSameRows(pair, 'orders');
  expect(await query(pair, 'SELECT s::text FROM on_sums ORDER BY odd')).toEqual([
    { s: '37.505' },
    { s: '31.250' },
  ]);
  await expect(query(pair, 'SELECT FROM empty')).rejects.toThrow('has not been populated');
});

test('a column comes, changes what it allows, and goes: whatever is built on the table stays, whoever owns it', async () => {
  await using pair = await freshPair(ORDERS);
  await sync(pair);
  await asWriter(pair, `${ON_IT} ${COLUMNS}`);
  await asBoss(
    pair,
    `${VIEWS} ${FOREIGN_KEYS}
    CREATE FUNCTION of_rows(orders) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION body() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM orders; END;
    ALTER TABLE orders REPLICA IDENTITY DEFAULT; CREATE PUBLICATION pub FOR TABLE orders;
    ALTER TABLE orders ADD COLUMN number serial;
    CREATE TABLE log (old orders);`,
  );
  const seen = `SELECT 'orders'::regclass::oid, 'sums'::regclass::oid, 'of_amounts'::regclass::oid,
    (SELECT json_agg(to_jsonb(s)) FROM sums s), (SELECT json_agg(json_build_array(id, number, tags) ORDER BY id) FROM orders)`;
  const before = await query(pair, seen);
  for (const change of [
    MORE,
    'ALTER TABLE orders ALTER more SET NOT NULL',
    'ALTER TABLE orders ALTER more DROP NOT NULL',
    'ALTER TABLE orders ALTER note SET NOT NULL',
    'ALTER TABLE orders DROP COLUMN more',
  ]) {
    await pair.source.query(change);
    expect((await sync(pair)).table(), change).toMatchObject(IN_PLACE);
    await expectSameRows(pair, 'orders');
    expect(await query(pair, seen), change).toEqual(before);
  }
});

/** What a refusal must leave as it was. */
const STATE = `SELECT 'orders'::regclass::oid, (SELECT json_agg(o ORDER BY id) FROM orders o) AS rows,
  (SELECT json_agg(s) FROM _increp_state s) AS state, to_regclass('orders_increp_fill') AS fill,
  (SELECT json_agg(json_build_array(relname, oid, relowner) ORDER BY oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace)`;

const NO_TOTAL = 'ALTER TABLE orders DROP COLUMN total';

test.each(
  oneIn(12, [
    [
      'a view',
      'CREATE VIEW v AS SELECT total FROM orders',
      'view public.v uses column "total", which increp has to remove',
    ],
    [
      'a view on a view',
      'CREATE VIEW v AS SELECT * FROM orders; CREATE VIEW w AS SELECT total FROM v',
      'view public.v uses column "total", which increp has to remove',
    ],
    [
      'a materialized view',
      'CREATE MATERIALIZED VIEW mv AS SELECT id, total FROM orders',
      'materialized view public.mv uses column "total", which increp has to remove',
    ],
    [
      'a function body',
      'CREATE FUNCTION f() RETURNS numeric LANGUAGE sql BEGIN ATOMIC SELECT sum(total) FROM orders; END',
      'function public.f() uses column "total", which increp has to remove',
    ],
    ['a policy', 'CREATE POLICY p ON orders USING (total > 0)', 'policy p uses column'],
    [
      'a generated column',
      'ALTER TABLE orders ADD COLUMN twice numeric GENERATED ALWAYS AS (total * 2) STORED',
      /column "?twice"?/,
    ],
  ] as const),
)('%s on a column that is gone: it is named, and nothing has changed', async (what, sql, named) => {
  await using pair = await freshPair(ORDERS);
  await sync(pair);
  await asWriter(pair, sql);
  const before = await query(pair, STATE);
  await pair.source.query(`${NO_TOTAL}; UPDATE orders SET note = 'new', updated_at = now()`);
  const plan = (await increp('plan --json', pair)).json<{ tables: { obstruction: unknown }[] }>().tables[0];
  if (what !== 'a generated column') expect(plan?.obstruction, what).not.toBeNull();
  const check = await increp('check --json', pair);
  if (what !== 'a generated column') expect(check.stdout, what).toContain('"DEPENDENT_OBJECTS"');
  const result = await trySync(pair);
  expect(result.exitCode).toBe(1);
  expect(result.table().error?.message).toMatch(named);
  expect(result.table().error).toMatchObject({ code: 'DEPENDENT_OBJECTS' });
  expect(await query(pair, STATE)).toEqual(before);
});

test.each(
  oneIn(6, [
    [
      'a trigger on it',
      `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER t AFTER UPDATE OF total ON orders FOR EACH ROW EXECUTE FUNCTION f()`,
      /not in place: .*trigger t/,
    ],
    [
      'a generated column made of it',
      'ALTER TABLE orders ADD COLUMN twice numeric GENERATED ALWAYS AS (total * 2) STORED',
      /not in place: .*generated column/,
    ],
    ['a policy', 'CREATE POLICY p ON orders USING (total > 0)', /not in place: .*policy p/],
  ] as const),
)('where %s keeps the server from altering a type, the table is loaded again', async (_what, sql, why) => {
  await using pair = await freshPair(ORDERS);
  await sync(pair);
  await asWriter(pair, sql);
  await pair.source.query(WIDER);
  const { action, reason, status } = (await sync(pair)).table();
  expect({ action, status }).toEqual({ action: 'reset', status: 'ok' });
  expect(reason).toMatch(why);
  await expectSameRows(pair, 'orders');
});

slowTest(
  "somebody else's view on a widened column is refused with the way out, and survives where we may",
  async () => {
    await using pair = await freshPair(ORDERS);
    const { user } = pair.login('destination', 'increp');
    await sync(pair);
    await asBoss(
      pair,
      `CREATE ROLE boss_${user}; GRANT SELECT ON orders TO boss_${user}; GRANT CREATE ON SCHEMA public TO boss_${user};
    CREATE VIEW v AS SELECT total FROM orders; ALTER VIEW v OWNER TO boss_${user};
    CREATE MATERIALIZED VIEW mv AS SELECT sum(total) AS s, current_user AS who FROM v;
    CREATE UNIQUE INDEX mv_key ON mv (who); COMMENT ON INDEX mv_key IS 'one'; GRANT SELECT ON mv TO PUBLIC;
    ALTER MATERIALIZED VIEW mv OWNER TO boss_${user}; GRANT SELECT ON v TO boss_${user}; REFRESH MATERIALIZED VIEW mv`,
    );
    try {
      await pair.source.query(WIDER);
      const found = (await increp('check', pair)).stdout;
      expect(found).toContain('increp may not move view public.v');
      expect(found).not.toContain('loads the table again');
      const before = await query(pair, STATE);
      const refused = (await trySync(pair)).table();
      expect(refused.error?.hint).toContain(`GRANT "boss_${user}" TO "${user}"`);
      expect(await query(pair, STATE)).toEqual(before);
      await asBoss(pair, `GRANT boss_${user} TO ${user}`);
      expect((await sync(pair)).table()).toMatchObject(IN_PLACE);
      expect(
        await query(
          pair,
          `SELECT relname, pg_get_userbyid(relowner) AS owner FROM pg_class WHERE relname IN ('v', 'mv') ORDER BY 1`,
        ),
      ).toEqual([
        { relname: 'mv', owner: `boss_${user}` },
        { relname: 'v', owner: `boss_${user}` },
      ]);
      expect(
        await query(pair, `SELECT s::text, who, obj_description('mv_key'::regclass) AS said FROM mv`),
      ).toEqual([{ s: '68.750', who: `boss_${user}`, said: 'one' }]);
    } finally {
      await pair.destination.query(`DROP OWNED BY boss_${user} CASCADE; DROP ROLE boss_${user}`);
    }
  },
);

test('the printed statements drop a chain of views in the right order, and then the sync passes', async () => {
  await using pair = await freshPair(ORDERS);
  await sync(pair);
  await asBoss(
    pair,
    `CREATE VIEW z_notes AS SELECT note FROM orders;
    CREATE MATERIALIZED VIEW "Notes" AS SELECT count(note) AS n FROM z_notes;
    CREATE VIEW a_page AS SELECT n FROM "Notes", z_notes`,
  );
  await pair.source.query('ALTER TABLE orders DROP COLUMN note');
  const { error } = (await trySync(pair)).table();
  expect(error?.code).toBe('DEPENDENT_OBJECTS');
  const [, drops] = /^2\. At the destination, run(?: as [^:]+)?: (DROP .*)$/m.exec(error?.hint ?? '') ?? [];
  expect(drops).toBe(
    'DROP VIEW public.a_page; DROP MATERIALIZED VIEW public."Notes"; DROP VIEW public.z_notes',
  );
  expect(error?.hint).toContain(`-t public.a_page -t 'public."Notes"' -t public.z_notes -f views-orders.sql`);
  await asBoss(pair, drops ?? '');
  expect((await sync(pair)).table()).toMatchObject(IN_PLACE);
  await expectSameRows(pair, 'orders');
});

test('a view that does not fit a new type is refused with the statements that drop it', async () => {
  await using pair = await freshPair(ORDERS);
  await sync(pair);
  await asBoss(
    pair,
    'CREATE VIEW sums AS SELECT sum(total) FROM orders; CREATE VIEW page AS SELECT * FROM sums',
  );
  const writer = pair.login('destination', 'increp').user;
  await asBoss(pair, `ALTER VIEW sums OWNER TO ${writer}; ALTER VIEW page OWNER TO ${writer}`);
  await pair.source.query('ALTER TABLE orders ALTER COLUMN total TYPE text');
  const { error } = (await trySync(pair)).table();
  const [, drops = ''] =
    /^2\. At the destination, run(?: as [^:]+)?: (DROP .*)$/m.exec(error?.hint ?? '') ?? [];
  expect(drops).toBe('DROP VIEW public.page; DROP VIEW public.sums');
  await asBoss(pair, drops);
  await sync(pair);
  await expectSameRows(pair, 'orders');
});

slowTest('a reader who holds the copy delays the change, and no other reader waits behind it', async () => {
  await using pair = await freshPair(ORDERS);
  await sync(pair);
  await pair.source.query(`${MORE}; UPDATE orders SET note = 'new', updated_at = now() WHERE id = 1`);
  const long = await pair.destination.connect();
  try {
    await long.query('BEGIN; SELECT FROM orders');
    await using running = startIncrep('sync --json', pair);
    const waits: number[] = [];
    for (let look = 0; look < 20; look += 1) {
      const from = performance.now();
      await pair.destination.query('SELECT count(*) FROM orders');
      waits.push(performance.now() - from);
      await new Promise((done) => setTimeout(done, 100));
    }
    // Never in the queue for longer than one short attempt.
    expect(Math.max(...waits)).toBeLessThan(1000);
    await long.query('COMMIT');
    expect((await running.wait()).exitCode).toBe(0);
  } finally {
    long.release();
  }
  await expectSameRows(pair, 'orders');
});
