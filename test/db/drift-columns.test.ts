/** Columns that the destination table renamed, users added or the source dropped, and a replication key that changed. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

test('dependent objects that refused a sync are no obstacle after "rename"', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('CREATE VIEW notes AS SELECT note FROM orders');
  await pair.source.query('ALTER TABLE orders RENAME note TO remark');
  expect((await trySync(pair)).table().error?.code).toBe('DEPENDENT_OBJECTS');
  expect((await increp('plan', pair)).stdout).toContain('DROP VIEW');
  await pair.writeTables([{ ...ORDERS_CONFIG, rename: { remark: 'note' } }]);
  for (const command of ['plan', 'status', 'verify', 'check']) {
    const { stdout } = await increp(command, pair);
    expect(stdout, command).toContain('the cause no longer applies, so the next sync continues');
    expect(stdout, command).not.toContain('DROP VIEW');
  }
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
});

test('a column that was renamed at the destination: sync refuses what plan refuses, and continues after the rename back', async () => {
  await using pair = await freshPair({ ...ordersPreset, tables: [{ ...ORDERS_CONFIG, deletes: 'keep' }] });
  await sync(pair);
  await pair.destination.query('ALTER TABLE orders RENAME note TO remark');
  const stdout = (await increp('plan', pair)).stdout;
  const [statement = ''] = /ALTER TABLE .*;/.exec(stdout) ?? [];
  expect((await trySync(pair)).table().error).toMatchObject({
    code: 'SCHEMA_CHANGE_REFUSED',
    hint: expect.stringContaining(statement),
  });
  await pair.destination.query(statement);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
});

test('a NOT NULL column of a user without a default is named before the sync, and by its error', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('ALTER TABLE orders ADD own int NOT NULL DEFAULT 1');
  expect((await increp('check', pair)).stdout).not.toContain('DESTINATION_CONSTRAINT');
  await pair.destination.query('ALTER TABLE orders ALTER own DROP DEFAULT');
  const what = 'column "own" of public.orders at the destination is NOT NULL without a default';
  expect((await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ')).toContain(what);
  const stdout = (await increp('check', pair)).stdout;
  expect(stdout).toContain('DESTINATION_CONSTRAINT');
  await pair.source.query(`INSERT INTO orders (id, updated_at) VALUES (99, now())`);
  expect((await trySync(pair)).table().error).toMatchObject({
    code: 'CONSTRAINT_VIOLATED',
    message: expect.stringContaining(what),
  });
  await pair.destination.query(/ALTER TABLE .* DROP NOT NULL;/.exec(stdout)?.[0] ?? '');
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
});

slowTest('a reset removes a column that is gone from the source, and keeps a column of a user', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query(`ALTER TABLE orders ADD COLUMN remark text DEFAULT 'ours'`);
  await pair.source.query('ALTER TABLE orders DROP COLUMN note');
  // A second reset does not forget what the first one knew.
  await increp('reset orders', pair);
  await increp('reset orders', pair);
  await sync(pair);
  const { rows } = await pair.destination.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY 1`,
  );
  expect(rows.map(({ name }) => name)).toEqual(['id', 'remark', 'total', 'updated_at']);
});

test('a replication key that changed to one that finds only inserts is named once', async () => {
  const orders = (key: string) => ({ name: 't', replication_key: key, unique_cols: ['id'] });
  await using pair = await freshPair({
    tables: [orders('at')],
    sourceSql: 'CREATE TABLE t AS SELECT 1 AS id, now() AS at',
  });
  await sync(pair);
  await pair.writeTables([orders('id')]);
  const text = '"id" seems to be set only when a row is inserted';
  expect((await increp('plan', pair)).stdout).toContain(`note: ${text}`);
  expect((await increp('sync -q', pair)).stdout).toContain(`warning: ${text}`);
  expect((await increp('status', pair)).stdout).toContain(text);
  expect((await increp('sync -q', pair)).stdout).toBe('');
});

test('a replication key that misses new rows, or that is in unique_cols, is named once at the first load', async () => {
  await using pair = await freshPair({
    tables: [
      { name: 'links', replication_key: 'order_id', unique_cols: ['order_id', 'code'] },
      { name: 'items', replication_key: 'updated_at', unique_cols: ['updated_at'] },
    ],
    sourceSql: `CREATE TABLE links (order_id int, code text, PRIMARY KEY (order_id, code));
      CREATE TABLE items (id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now());
      INSERT INTO links VALUES (7, 'a'); INSERT INTO items VALUES (1)`,
  });
  const texts = [
    'new rows with order_id below the cursor are NOT copied',
    '"updated_at" is in unique_cols, so each update of a row adds a row',
  ];
  const { stdout: planned } = await increp('plan', pair);
  const { table } = await sync(pair);
  const warnings = ['links', 'items'].flatMap((name) => table(name).warnings);
  for (const text of texts) {
    expect(planned).toContain(text);
    expect(warnings).toContainEqual(expect.stringContaining(text));
  }
  expect((await increp('sync -q', pair)).stdout).toBe('');
});
