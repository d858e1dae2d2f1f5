/** A table takes another shape, and what people have built on it is there afterwards, or nothing has changed at all. */
import { expect, test } from 'vitest';
import { lockAlone } from '../../src/sync/lock/exclusive-lock.ts';
import { COLUMNS, EVERYTHING, FOREIGN_KEYS, ON_IT, VIEWS } from '../support/built-on-orders.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { runSql } from '../support/pair-databases.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { schemaDump } from '../support/schema-dump.ts';
import { insertOrders } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { timingWith } from '../support/timing.ts';
import { oneIn, slowTest, slowKind } from '../support/tier.ts';

const query = async (pair: Pair, sql: string) =>
  (await pair.destination.query<Record<string, unknown>>(sql)).rows;

const asWriter = (pair: Pair, sql: string) => runSql(pair.login('destination', 'increp'), sql, 'public');
const asBoss = (pair: Pair, sql: string) => runSql(pair.login('destination'), sql, 'public');

/** A change of a type, which ALTER TABLE would have to rewrite rows for. */
const WIDER = 'ALTER TABLE orders ALTER COLUMN total TYPE numeric(14,3)';
const MORE = 'ALTER TABLE orders ADD COLUMN more int DEFAULT 7';

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

/** What a refusal must leave as it was. */
const STATE = `SELECT 'orders'::regclass::oid, (SELECT json_agg(o ORDER BY id) FROM orders o) AS rows,
  (SELECT json_agg(s) FROM _increp_state s) AS state, to_regclass('orders_stg') AS staging,
  (SELECT json_agg(json_build_array(relname, oid, relowner) ORDER BY oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace)`;

const TOTAL_AS_TEXT = `ALTER TABLE orders ALTER COLUMN total TYPE text`;
const NO_TOTAL = 'ALTER TABLE orders DROP COLUMN total';

test.each(
  oneIn(8, [
    [
      'a view on a column that is gone',
      'CREATE VIEW v AS SELECT total FROM orders',
      NO_TOTAL,
      'view public.v uses column "total", which increp has to remove',
    ],
    [
      'a materialized view on it',
      'CREATE MATERIALIZED VIEW mv AS SELECT id, total FROM orders',
      NO_TOTAL,
      'materialized view public.mv uses column "total", which increp has to remove',
    ],
    [
      'a view on a view on it',
      'CREATE VIEW v AS SELECT * FROM orders; CREATE VIEW w AS SELECT total FROM v',
      NO_TOTAL,
      'view public.v uses column "total", which increp has to remove',
    ],
    [
      'a view that reckons with what is text now',
      'CREATE VIEW v AS SELECT sum(total) FROM orders',
      TOTAL_AS_TEXT,
      'view public.v: function sum(text) does not exist',
    ],
    [
      'a check of what is text now',
      'ALTER TABLE orders ADD CONSTRAINT sane CHECK (total > 0)',
      TOTAL_AS_TEXT,
      'constraint sane: operator does not exist: text > numeric',
    ],
    [
      'a trigger on a column that is gone',
      `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER t AFTER UPDATE OF total ON orders FOR EACH ROW EXECUTE FUNCTION f()`,
      NO_TOTAL,
      'trigger t uses column "total", which increp has to remove',
    ],
    [
      'a policy on it',
      'CREATE POLICY p ON orders USING (total > 0)',
      NO_TOTAL,
      'policy p uses column "total", which increp has to remove',
    ],
    [
      'a generated column made of it',
      'ALTER TABLE orders ADD COLUMN twice numeric GENERATED ALWAYS AS (total * 2) STORED',
      NO_TOTAL,
      /column "?twice"?/,
    ],
    [
      'a function of its rows',
      `CREATE FUNCTION g(orders) RETURNS int LANGUAGE sql AS 'SELECT 1'`,
      TOTAL_AS_TEXT,
      'function public.g(public.orders) cannot be moved to another table',
    ],
    ['a publication', 'CREATE PUBLICATION pub FOR TABLE orders', TOTAL_AS_TEXT, 'publication pub'],
    [
      'an identity column',
      'ALTER TABLE orders ADD COLUMN number int GENERATED ALWAYS AS IDENTITY',
      TOTAL_AS_TEXT,
      'identity column number cannot be moved to another table',
    ],
    ['a child', 'CREATE TABLE child () INHERITS (orders)', TOTAL_AS_TEXT, 'inheritance with'],
    [
      "somebody else's view",
      'CREATE VIEW v AS SELECT id FROM orders',
      TOTAL_AS_TEXT,
      'increp may not move view public.v (owner postgres)',
    ],
    [
      "somebody else's foreign key",
      'CREATE TABLE lines (id bigint REFERENCES orders)',
      TOTAL_AS_TEXT,
      'increp may not move foreign key lines_id_fkey of public.lines (owner postgres)',
    ],
  ] as const),
)(
  '%s would not survive: it is named, nothing has changed, and the old table goes on serving',
  async (what, sql, change, named) => {
    await using pair = await freshPair('orders');
    await sync(pair);
    await (what.startsWith('somebody') ? asBoss : asWriter)(pair, sql);
    const before = await query(pair, STATE);
    await pair.source.query(`${change}; UPDATE orders SET note = 'new', updated_at = now()`);
    const result = await trySync(pair);
    expect(result.exitCode).toBe(1);
    expect(result.table().error?.message).toMatch(named);
    expect(result.table().error).toMatchObject({ code: 'DEPENDENT_OBJECTS' });
    expect(result.table().rows_read).toBe(0);
    expect(await query(pair, STATE)).toEqual(before);
  },
);

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
  'a foreign key that the new rows would break is refused when they are known, and all is as before',
  async () => {
    await using pair = await freshPair('orders');
    await sync(pair);
    await asWriter(pair, 'CREATE TABLE lines (id bigint REFERENCES orders); INSERT INTO lines VALUES (3)');
    const before = await query(pair, STATE);
    await pair.source.query(`${WIDER}; DELETE FROM orders WHERE id = 3`);
    const { error } = (await trySync(pair)).table();
    expect(error).toMatchObject({ code: 'DEPENDENT_OBJECTS', sqlstate: '23503' });
    expect(error?.message).toContain('constraint lines_id_fkey of public.lines');
    expect(await query(pair, STATE)).toEqual(before);
  },
);

slowTest('what is in the way is dropped and made again, and then the table takes its shape', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await asBoss(pair, 'CREATE VIEW v AS SELECT total FROM orders');
  await pair.source.query(WIDER);
  expect((await trySync(pair)).table().error?.hint).toMatch(
    /^The old table stays in use. At the destination, run as a superuser: ALTER VIEW public.v OWNER TO .*$/,
  );
  await asBoss(pair, 'DROP VIEW v');
  await sync(pair);
  await expectSameRows(pair, 'orders');
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

slowTest('a table that lost its unique key keeps the columns of users if it has no rows', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await asWriter(pair, `DELETE FROM orders; ALTER TABLE orders DROP COLUMN id, ADD COLUMN remark text`);
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', rows_inserted: 10 });
  expect(await query(pair, 'SELECT count(*)::int AS n, count(remark)::int AS notes FROM orders')).toEqual([
    { n: 10, notes: 0 },
  ]);
});

slowTest('a table of another owner is not altered, and the statement names the new owner', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const { user } = pair.login('destination', 'increp');
  await pair.destination.query(`ALTER TABLE orders OWNER TO CURRENT_USER; GRANT ALL ON orders TO "${user}"`);
  await pair.source.query(MORE);
  const { stdout, exitCode } = await increp('plan', pair);
  expect(exitCode).toBe(1);
  expect(stdout).toContain('would be refused: increp may not alter table public.orders');
  const { error } = (await trySync(pair)).table();
  expect(error?.message).toContain('needs a new shape, but increp may not alter table public.orders');
  const [, statement = ''] = /run as a superuser: (.*)$/.exec(error?.hint ?? '') ?? [];
  await pair.destination.query(statement);
  expect((await sync(pair)).table().action).toBe('reset');
});

slowTest(
  'a table with rows that lost its unique key is not replaced if its rows have values of users',
  async () => {
    await using pair = await freshPair('orders');
    await sync(pair);
    await asWriter(pair, `ALTER TABLE orders DROP COLUMN id, ADD COLUMN remark text DEFAULT 'mine'`);
    const { code, message } = (await trySync(pair)).table().error ?? {};
    expect(code).toBe('SCHEMA_CHANGE_REFUSED');
    expect(message).toContain(
      'has no column "id" of unique_cols, so a load could not keep the values in column "remark"',
    );
    expect(await query(pair, 'SELECT count(remark)::int AS notes FROM orders')).toEqual([{ notes: 10 }]);
  },
);
