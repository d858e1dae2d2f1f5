/** Rows that `verify` calls equal or different, also if columns have other types or if the last sync failed. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { PairOptions } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';
import { EQUAL, oldOrders, verify } from '../support/verify.ts';

test('a copy that is right is called equal, with the rows of both sides', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  expect(await verify(pair)).toMatchObject({
    exitCode: 0,
    table: {
      ...EQUAL.table,
      rows_source: 10,
      rows_destination: 10,
      repaired: null,
      first_keys: { missing: [] },
    },
  });
  const { stdout } = await increp('verify', pair);
  expect(stdout).toMatch(/^= orders {2}equal: 10 rows at the source, 10 at the destination \(\d/);
});

slowTest('damage to the newest rows is no news from the source', async () => {
  // All of one transaction, so that every row lies exactly at the cursor.
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query(`DELETE FROM orders WHERE id = 3; UPDATE orders SET note = 'x' WHERE id = 4`);
  const found = { missing: 1, changed: 1, first_keys: { missing: [['3']], changed: [['4']] } };
  expect(await verify(pair)).toMatchObject({ exitCode: 2, table: found });
  const client = await pair.source.connect();
  await client.query(`BEGIN; SAVEPOINT a; INSERT INTO orders (id) VALUES (50); RELEASE a; COMMIT`);
  client.release();
  await pair.source.query(`UPDATE orders SET note = 'y', updated_at = now() WHERE id = 5`);
  await pair.source.query('VACUUM FREEZE orders');
  expect(await verify(pair)).toMatchObject({ exitCode: 2, table: found });
  expect(await verify(pair, '--repair')).toMatchObject({
    ...EQUAL,
    table: { repaired: { inserted: 1, updated: 1 } },
  });
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, rows_updated: 1 });
  await expectSameRows(pair, 'orders');
});

slowTest('of many tables and many differences each is told, by the first keys', async () => {
  await using pair = await freshPair({
    tables: ['orders', 'others', 'third'].map((name) => ({ ...ORDERS_CONFIG, name })),
    sourceSql: `${ordersPreset.sourceSql}; CREATE TABLE others AS TABLE orders; CREATE TABLE third AS TABLE orders`,
  });
  await sync(pair, '--exclude third');
  await pair.destination.query('DELETE FROM others WHERE id > 2');
  const { exitCode, tables } = await verify(pair);
  expect(exitCode).toBe(2);
  expect(tables).toMatchObject([
    { name: 'orders', status: 'equal' },
    { name: 'others', status: 'different' },
    {
      name: 'third',
      status: 'failed',
      error: { code: 'NOT_SYNCED', hint: 'First run "increp sync third".' },
    },
  ]);
  expect(await verify(pair, 'orders others')).toMatchObject({ exitCode: 2 });
});

slowTest(
  'columns whose types differ on the two sides, or lack equality, are compared by what they print',
  async () => {
    await using pair = await freshPair({
      tables: [{ name: 'items', replication_key: 'at', unique_cols: ['mood', 'n'] }],
      sourceSql: `CREATE TYPE mood AS ENUM ('ok', 'not "ok"'); CREATE TYPE pair AS (a int, b text);
      CREATE DOMAIN small AS numeric CHECK (VALUE < 100);
      CREATE TABLE items (mood mood, n numeric, j json, x xml, p point, c pair, moods mood[], s small, f float8,
        at timestamptz NOT NULL DEFAULT now() - interval '1 hour');
      INSERT INTO items VALUES ('ok', 1, '{"a":1}', '<a/>', '(1,2)', '(1,"x y")', '{ok,NULL}', 1.0, 0.1),
        ('not "ok"', 2.50, 'null', '', '(-0,NaN)', '(,)', '{}', 2.00, '-0'), ('ok', 3, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
        ('ok', NULL, '[]', NULL, NULL, NULL, NULL, NULL, NULL);
      INSERT INTO items (mood, n, at) VALUES ('ok', 4, now())`,
    });
    await sync(pair);
    expect(await verify(pair)).toMatchObject(EQUAL);
    for (const [change, key] of [
      [`j = '{"a": 1}' WHERE n = 1`, ['ok', '1']],
      [`x = '<a></a>' WHERE n = 1`, ['ok', '1']],
      [`p = '(1,2.0000001)' WHERE n = 1`, ['ok', '1']],
      [`s = 1.00 WHERE n = 1`, ['ok', '1']],
      [`f = 0 WHERE n = 2.50`, ['not "ok"', '2.50']],
      [`c = '(,"")' WHERE n = 2.50`, ['not "ok"', '2.50']],
      [`moods = '{ok,"NULL"}' WHERE n = 1`, ['ok', '1']],
      [`j = '[ ]' WHERE n IS NULL`, ['ok', null]],
    ] as const) {
      await pair.destination.query(`UPDATE items SET ${change}`);
      expect(await verify(pair, '--repair'), change).toMatchObject({
        ...EQUAL,
        table: { repaired: { inserted: 0, updated: 1, removed: 0 } },
      });
      await pair.destination.query(`UPDATE items SET ${change}`);
      expect((await verify(pair)).table, change).toMatchObject({
        changed: 1,
        first_keys: { changed: [key] },
      });
      await verify(pair, '--repair');
    }
    await expectSameRows(pair, 'items');
  },
);

test('what the next sync would bring anyway is no difference', async () => {
  await using pair = await freshPair({
    ...oldOrders(30, { null_keys: 'include' }),
    sourceSql: `${String(oldOrders(30).sourceSql)}; ALTER TABLE orders ALTER updated_at DROP NOT NULL;
      INSERT INTO orders VALUES (500, 1, 'no key', NULL), (501, 1, 'no key', NULL)`,
  });
  await sync(pair);
  await insertOrders(pair, 3);
  await pair.source.query(`UPDATE orders SET note = 'changed', updated_at = now() WHERE id = 3;
    UPDATE orders SET note = 'changed without a key' WHERE id = 500; INSERT INTO orders VALUES (700, 1, 'new', NULL);
    INSERT INTO orders VALUES (600, 1, 'from the future', now() + interval '1 year')`);
  expect(await verify(pair)).toMatchObject({ ...EQUAL, table: { ...EQUAL.table, waiting: 7 } });
  await sync(pair);
  expect(await verify(pair)).toMatchObject({ ...EQUAL, table: { ...EQUAL.table, waiting: 0 } });
  await expectSameRows(pair, 'orders');
});

test('the failure of the last sync is printed below rows that are equal as of the sync before', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.source.query(`UPDATE orders SET note = 'changed', updated_at = now() WHERE id = 3`);
  await pair.destination.query('ALTER TABLE orders ADD CHECK (note <> $$changed$$)');
  expect((await increp('sync', pair)).exitCode).not.toBe(0);
  const { exitCode, stdout } = await increp('verify', pair);
  expect(exitCode, stdout).toBe(0);
  expect(stdout).toMatch(
    /^= orders {2}equal as of the last sync: .*\n {4}not counted as differences: 1 row of/,
  );
  expect(stdout).toMatch(/\n {4}last sync: FAILED \d s ago: .*check constraint.*\n {6}next: /);
  expect(stdout).toMatch(/\n1 table: 1 equal, 1 FAILED at the last sync in [\d.]+ s\n$/);
  expect((await verify(pair)).table).toMatchObject({ last_failure: { code: 'CONSTRAINT_VIOLATED' } });
  await pair.source.query('ALTER TABLE orders RENAME TO gone');
  await increp('sync', pair);
  await pair.source.query('ALTER TABLE gone RENAME TO orders');
  expect((await increp('verify', pair)).stdout).toContain(
    'the cause no longer applies, so the next sync continues (TABLE_NOT_FOUND)',
  );
  const { user } = pair.login('source', 'increp');
  await pair.source.query(`REVOKE SELECT ON orders FROM ${user}`);
  await increp('sync', pair);
  await pair.source.query(`GRANT SELECT ON orders TO ${user}`);
  for (const command of ['verify', 'plan', 'status', 'check']) {
    const { stdout: after } = await increp(command, pair);
    expect(after, command).toContain(
      'the cause no longer applies, so the next sync continues (PRIVILEGE_MISSING',
    );
    expect(after, command).not.toContain('GRANT');
  }
  await pair.writeTables([{ ...ORDERS_CONFIG, mode: 'full-refresh' }]);
  expect((await increp('verify', pair)).stdout).toContain(
    'the next sync loads the table again (PRIVILEGE_MISSING)',
  );
  await pair.writeTables([ORDERS_CONFIG]);
  await pair.destination.query('ALTER TABLE orders RENAME TO elsewhere');
  const missing = (await increp('verify', pair)).stdout;
  expect(missing).toMatch(
    /was renamed to public\.elsewhere[^]*Compare after the next sync[^]*increp plan orders\n/,
  );
});

const twoTables: PairOptions = {
  tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'events' }, { ...ORDERS_CONFIG, name: 'items' }],
  sourceSql: ['orders', 'events', 'items']
    .map(
      (name) =>
        `${ORDERS_SQL.replaceAll('orders', name)}; INSERT INTO ${name} (id, note) VALUES (1, 'a'), (2, 'b')`,
    )
    .join(';'),
};

slowTest(
  'differences decide the exit code, and the tables are named again at the end with the next command',
  async () => {
    await using pair = await freshPair(twoTables);
    await sync(pair, 'orders events');
    const some = await increp('verify', pair);
    expect(some.exitCode, some.stderr).toBe(3);
    expect(some.stdout).toMatch(
      /\n3 tables: 2 equal, 1 not compared in [\d.]+ s\n {4}FAILED items \(NOT_SYNCED\)\n$/,
    );
    await pair.destination.query('DELETE FROM orders WHERE id = 2; DELETE FROM events WHERE id = 1');
    const mixed = await increp('verify', pair);
    expect(mixed.exitCode).toBe(2);
    expect(mixed.stdout).toMatch(
      /\n3 tables: 2 different, 1 not compared in [\d.]+ s\n {4}FAILED items \(NOT_SYNCED\)\n {4}DIFFERENT orders, events: increp verify orders events --repair\n$/,
    );
    const repaired = await increp('verify orders events --repair', pair);
    expect(repaired.exitCode).toBe(0);
    expect(repaired.stdout).toMatch(/\n2 tables: 2 equal, 2 of them repaired in [\d.]+ s\n$/);
  },
);
