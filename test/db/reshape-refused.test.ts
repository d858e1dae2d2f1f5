/** Changes of shape that increp refuses: nothing has changed, and the hint says what to do. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { asBoss, asWriter, MORE, query, TOTAL_AS_TEXT, WIDER } from '../support/reshape.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

/** What a refusal must leave as it was. */
const STATE = `SELECT 'orders'::regclass::oid, (SELECT json_agg(o ORDER BY id) FROM orders o) AS rows,
  (SELECT json_agg(s) FROM _increp_state s) AS state, to_regclass('orders_stg') AS staging,
  (SELECT json_agg(json_build_array(relname, oid, relowner) ORDER BY oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace)`;

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
