/** Foreign keys that people put between destination tables. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const SHOP = `
  CREATE TABLE orders (id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE TABLE items (id int PRIMARY KEY, order_id int NOT NULL, updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE INDEX ON orders (updated_at); CREATE INDEX ON items (updated_at);
  INSERT INTO orders SELECT i FROM generate_series(1, 10) i; INSERT INTO items SELECT i, i FROM generate_series(1, 10) i`;

const KEYED = { replication_key: 'updated_at', unique_cols: ['id'] };

const shop = (names: readonly string[], options: Readonly<Record<string, unknown>> = {}) =>
  freshPair({ tables: names.map((name) => ({ name, ...KEYED, ...options })), sourceSql: SHOP });

const refer = (pair: Pair, how = '') =>
  pair.destination.query(
    `ALTER TABLE items ADD CONSTRAINT of_order FOREIGN KEY (order_id) REFERENCES orders ${how}`,
  );

async function expectSame(pair: Pair): Promise<void> {
  for (const table of ['orders', 'items']) await expectSameRows(pair, table);
}

const ORDERS_OF_TABLES = [
  ['child first', ['items', 'orders']],
  ['parent first', ['orders', 'items']],
  ['a pattern', ['*']],
] as const;
const KINDS = ['', 'DEFERRABLE', 'DEFERRABLE INITIALLY DEFERRED', 'ON DELETE RESTRICT'] as const;

test.each(
  oneIn(
    7,
    ORDERS_OF_TABLES.flatMap(([what, names]) => KINDS.map((kind) => [what, kind, names] as const)),
  ),
)('rows come and go with those that refer to them: %s %s', async (_, kind, names) => {
  await using pair = await shop(names, { deletes: 'hard', deletes_every: '0s' });
  await sync(pair);
  await refer(pair, kind);
  await pair.source.query(`INSERT INTO orders VALUES (11); INSERT INTO items VALUES (11, 11);
      UPDATE items SET order_id = 11, updated_at = clock_timestamp() WHERE id = 3;
      DELETE FROM items WHERE id < 3; DELETE FROM orders WHERE id < 4`);
  const { summary, table } = await sync(pair);
  await expectSame(pair);
  if (names.length > 1) expect(summary.tables.map(({ name }) => name)).toEqual(names);
  expect(table('orders')).toMatchObject({ status: 'ok', rows_inserted: 1, rows_deleted: 3 });
  expect(table('items')).toMatchObject({ rows_inserted: 1, rows_updated: 1, rows_deleted: 2 });
});

slowTest.each(oneIn(2, ['items,orders', 'orders,items']))(
  'while the source is written, no run fails: %s',
  async (names) => {
    await using pair = await shop(names.split(','));
    await sync(pair);
    await refer(pair);
    const writer = pair.source.query(`DO $$ BEGIN FOR i IN 11..500 LOOP
    INSERT INTO orders VALUES (i); INSERT INTO items VALUES (i, i); COMMIT; PERFORM pg_sleep(0.005); END LOOP; END $$`);
    for (let run = 0; run < 4; run += 1) {
      const { table } = await sync(pair);
      expect(table('items').status).toBe('ok');
    }
    await writer;
    await sync(pair);
    await expectSame(pair);
  },
);

test.each(
  oneIn(2, [
    ['a reset of the parent', 'orders', ''],
    ['a reset of the child', 'items', ''],
    [
      'a parent in another shape',
      'orders',
      'ALTER TABLE orders ALTER id TYPE bigint, ADD COLUMN more int DEFAULT 7',
    ],
  ] as const),
)('%s', async (_, name, alter) => {
  await using pair = await shop(['orders', 'items'], { deletes: 'hard' });
  await sync(pair);
  await refer(pair);
  if (alter === '')
    await pair.source.query('DELETE FROM items WHERE id = 1; DELETE FROM orders WHERE id = 1');
  await pair.source.query('INSERT INTO orders VALUES (11); INSERT INTO items VALUES (11, 11)');
  if (alter === '') expect((await increp(`reset ${name}`, pair)).exitCode).toBe(0);
  else await pair.source.query(alter);
  await sync(pair, '--deletes');
  await expectSame(pair);
});

test('full refreshes', async () => {
  await using pair = await freshPair({
    tables: ['orders', 'items'].map((name) => ({ name, mode: 'full-refresh', unique_cols: ['id'] })),
    sourceSql: SHOP,
  });
  await sync(pair);
  await refer(pair);
  await pair.source.query(`DELETE FROM items WHERE id = 1; DELETE FROM orders WHERE id = 1;
    INSERT INTO orders VALUES (11); INSERT INTO items VALUES (11, 11)`);
  await sync(pair);
  await expectSame(pair);
});

slowTest('rows that refer to each other in one table, more than one statement removes', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'nodes', ...KEYED, deletes: 'hard', deletes_every: '0s', delete_limit: 1 }],
    sourceSql: `CREATE TABLE nodes (id int PRIMARY KEY, parent int, updated_at timestamptz NOT NULL DEFAULT now());
      INSERT INTO nodes SELECT i, i + 1 FROM generate_series(1, 3000) i; INSERT INTO nodes VALUES (3001, NULL)`,
  });
  await sync(pair);
  await pair.destination.query('ALTER TABLE nodes ADD FOREIGN KEY (parent) REFERENCES nodes');
  await pair.source
    .query(`DELETE FROM nodes WHERE id < 2900; INSERT INTO nodes VALUES (5000, 5001), (5001, NULL);
    UPDATE nodes SET parent = 5001, updated_at = now() WHERE id > 3000 AND id < 5000`);
  await sync(pair);
  await expectSameRows(pair, 'nodes');
  await pair.source.query(`DELETE FROM nodes WHERE id < 3000`);
  await sync(pair, '--full-refresh');
  await expectSameRows(pair, 'nodes');
});

slowTest('what cannot be brought is named, with what to run', async () => {
  await using pair = await shop(['items', 'orders']);
  await sync(pair);
  await refer(pair);
  await pair.source.query('INSERT INTO orders VALUES (11); INSERT INTO items VALUES (11, 11)');
  const { table } = await trySync(pair, 'items');
  expect(table('items').error).toMatchObject({
    code: 'CONSTRAINT_VIOLATED',
    sqlstate: '23503',
    message: expect.stringContaining('foreign key "of_order" of public.items on public.orders'),
    hint: expect.stringContaining('ALTER TABLE "public"."items" DROP CONSTRAINT "of_order"'),
  });
  await sync(pair);
  await expectSame(pair);
});

test('a row that others keep from being removed is named, and all else is synced', async () => {
  await using pair = await shop(['orders', 'items']);
  await pair.writeTables([
    { name: 'orders', ...KEYED, deletes: 'hard', deletes_every: '0s' },
    { name: 'items', ...KEYED },
  ]);
  await sync(pair);
  await refer(pair);
  await pair.source.query(`DELETE FROM items WHERE id = 1; DELETE FROM orders WHERE id = 1;
    INSERT INTO orders VALUES (11); INSERT INTO items VALUES (11, 11)`);
  const { table, exitCode } = await trySync(pair);
  expect(exitCode).toBe(3);
  expect(table('items')).toMatchObject({ status: 'ok', rows_inserted: 1 });
  expect(table('orders')).toMatchObject({
    rows_inserted: 1,
    error: { code: 'CONSTRAINT_VIOLATED', hint: expect.stringContaining('"deletes": "hard"') },
  });
  await pair.destination.query('DELETE FROM items WHERE id = 1');
  await sync(pair);
  await expectSame(pair);
});

test.each(
  oneIn(3, [
    ['both incremental', ''],
    ['the child is loaded again', 'reset items'],
    ['the parent is loaded again', 'reset orders'],
  ]),
)(
  'a new row takes over the unique value of one that a row still refers to which is gone: %s',
  async (_, command) => {
    await using pair = await freshPair({
      tables: ['items', 'orders'].map((name) => ({ name, ...KEYED, deletes: 'hard', deletes_every: '0s' })),
      sourceSql: `${SHOP}; ALTER TABLE orders ADD code int; UPDATE orders SET code = id`,
    });
    await sync(pair);
    await refer(pair);
    await pair.destination.query('CREATE UNIQUE INDEX ON orders (code)');
    await pair.source.query(`DELETE FROM items WHERE order_id = 3; DELETE FROM orders WHERE id = 3;
    INSERT INTO orders (id, code) VALUES (30, 3); INSERT INTO items VALUES (30, 30)`);
    if (command !== '') expect(await increp(command, pair)).toMatchObject({ exitCode: 0 });
    const { table } = await sync(pair);
    await expectSame(pair);
    expect(table('items').rows_deleted + table('orders').rows_deleted).toBe(2);
    expect((await sync(pair)).summary.tables).toMatchObject([{ rows_inserted: 0 }, { rows_inserted: 0 }]);
  },
);

slowTest('a row that moves from one that is gone to one that takes over its value is named', async () => {
  await using pair = await freshPair({
    tables: ['items', 'orders'].map((name) => ({ name, ...KEYED, deletes: 'hard', deletes_every: '0s' })),
    sourceSql: `${SHOP}; ALTER TABLE orders ADD code int; UPDATE orders SET code = id`,
  });
  await sync(pair);
  await refer(pair);
  await pair.destination.query('CREATE UNIQUE INDEX codes ON orders (code)');
  await pair.source.query(`DELETE FROM orders WHERE id = 3; INSERT INTO orders (id, code) VALUES (30, 3);
    UPDATE items SET order_id = 30, updated_at = clock_timestamp() WHERE order_id = 3`);
  const { exitCode, table } = await trySync(pair);
  expect(exitCode).not.toBe(0);
  expect(table('orders').error).toMatchObject({
    code: 'CONSTRAINT_VIOLATED',
    hint: expect.stringMatching(
      /takes over a unique value of that row[^]*DROP CONSTRAINT "of_order"/,
    ) as string,
  });
  await pair.destination.query('ALTER TABLE items DROP CONSTRAINT of_order');
  await sync(pair);
  await expectSame(pair);
});
