/** Changes of the source that give rows other values without another shape or replication key. */
import { expect, test } from 'vitest';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const AGED = `${ordersPreset.sourceSql}; UPDATE orders SET updated_at = now() - id * interval '1 day'`;
const UPPER = 'ALTER TABLE orders ALTER note TYPE text USING upper(note)';

const withOptions = (options: Readonly<Record<string, unknown>> = {}) =>
  freshPair({ tables: [{ ...ORDERS_CONFIG, ...options }], sourceSql: AGED });

test.each(
  oneIn(4, [
    ['a plain table', {}],
    ['deletes', { deletes: 'hard', deletes_every: '0s' }],
    ['evolve, where another column changes its type', { on_schema_change: 'evolve' }],
    ['fail', { on_schema_change: 'fail' }],
  ] as const),
)('values that ALTER TYPE ... USING has changed arrive: %s', async (what, options) => {
  await using pair = await withOptions(options);
  await sync(pair);
  await pair.destination.query(`INSERT INTO orders VALUES (99, 1, 'gone', now() - interval '9 days')`);
  const more = what.startsWith('evolve') ? ', ALTER id TYPE bigint, ALTER total TYPE numeric(20,2)' : '';
  await pair.source.query(`${UPPER}${more}`);
  const { table } = await sync(pair);
  expect(table().action).toBe('incremental');
  expect(table().reason).toContain('the source table was rewritten');
  await expectSameRows(pair, 'orders', { where: 'id <> 99' });
  expect((await sync(pair)).table()).toMatchObject({
    rows_updated: 0,
    reason: expect.not.stringContaining('anew'),
  });
  // Rows that are gone are left to deletes.
  const left = await pair.destination.query('SELECT FROM orders WHERE id = 99');
  expect(left.rowCount).toBe(what === 'deletes' ? 0 : 1);
});

slowTest('partitions, of which one comes and another goes', async () => {
  await using pair = await freshPair({
    tables: [ORDERS_CONFIG],
    sourceSql: `CREATE TABLE orders (id int PRIMARY KEY, note text, updated_at timestamptz NOT NULL) PARTITION BY RANGE (id);
      CREATE TABLE low PARTITION OF orders FOR VALUES FROM (0) TO (100); CREATE TABLE high PARTITION OF orders FOR VALUES FROM (100) TO (200);
      INSERT INTO orders SELECT i, 'n' || i, now() - interval '1 day' FROM generate_series(1, 150) i`,
  });
  await sync(pair);
  await pair.source.query(`CREATE TABLE top PARTITION OF orders FOR VALUES FROM (200) TO (300)`);
  expect((await sync(pair)).table().reason).not.toContain('anew');
  await pair.source.query(UPPER);
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 150 });
  await expectSameRows(pair, 'orders');
});

test('VACUUM FULL costs a look at some rows and no comparison', async () => {
  await using pair = await withOptions();
  await sync(pair);
  await pair.destination.query(`UPDATE orders SET note = 'edited' WHERE id = 3`);
  await pair.source.query('VACUUM FULL orders');
  await insertOrders(pair, 1);
  const { table } = await sync(pair);
  expect(table()).toMatchObject({ rows_updated: 0, rows_inserted: 1 });
});

slowTest('state from before files were recorded goes on', async () => {
  await using pair = await withOptions();
  await sync(pair);
  await pair.destination.query(`UPDATE _increp_state SET record = record - 'files'`);
  await pair.source.query(UPPER);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_updated: 1 });
});
