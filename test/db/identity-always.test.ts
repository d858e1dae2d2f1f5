/** Columns of a destination table that people have made GENERATED ALWAYS AS IDENTITY, to be ready for a failover. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

slowTest.each(
  oneIn(3, [
    ['a window', {}, 'sync'],
    ['a load', {}, 'sync --full-refresh'],
    ['a repair', {}, 'verify --repair'],
    ['a history', { mode: 'incremental-append' }, 'sync'],
    ['marked rows', { deletes: 'soft', metadata_columns: ['_synced_at'] }, 'sync'],
    ['evolve', { on_schema_change: 'evolve' }, 'sync'],
  ] as const),
)('an identity key takes the numbers of the source: %s', async (what, options, command) => {
  await using pair = await freshPair({ ...ordersPreset, tables: [{ ...ORDERS_CONFIG, ...options }] });
  await sync(pair);
  await pair.destination.query('ALTER TABLE orders ALTER id ADD GENERATED ALWAYS AS IDENTITY');
  await insertOrders(pair, 2);
  if (what === 'evolve') await pair.source.query('ALTER TABLE orders ADD COLUMN more int DEFAULT 7');
  await pair.source.query(`UPDATE orders SET note = 'new', updated_at = now() WHERE id = 1`);
  const result = await increp(command, pair);
  expect(result.exitCode, result.stdout + result.stderr).toBe(0);
  await sync(pair);
  if (what !== 'a history') await expectSameRows(pair, 'orders');
  else expect((await pair.destination.query('SELECT FROM orders')).rowCount).toBe(13);
});

test('a value that no UPDATE may set moves with its row', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    sourceSql: `${ordersPreset.sourceSql}; ALTER TABLE orders ADD COLUMN place int NOT NULL DEFAULT 1`,
  });
  await sync(pair);
  await pair.destination.query(`ALTER TABLE orders ALTER place ADD GENERATED ALWAYS AS IDENTITY;
    ALTER TABLE orders ADD COLUMN theirs text; UPDATE orders SET theirs = 'own'`);
  await pair.source.query('UPDATE orders SET place = 7, updated_at = now() WHERE id = 1');
  await sync(pair);
  await expectSameRows(pair, 'orders');
  const { rows } = await pair.destination.query('SELECT DISTINCT theirs FROM orders');
  expect(rows).toEqual([{ theirs: 'own' }]);
});

test('rows without a key, and a table with no other column', async () => {
  await using pair = await freshPair({
    tables: [
      { name: 'keyless', mode: 'full-refresh' },
      { name: 'bare', mode: 'full-refresh', unique_cols: ['id'] },
    ],
    sourceSql: `CREATE TABLE keyless (id int, note text); INSERT INTO keyless VALUES (1, 'a');
      CREATE TABLE bare (id int PRIMARY KEY); INSERT INTO bare VALUES (1)`,
  });
  await sync(pair);
  await pair.destination
    .query(`ALTER TABLE keyless ALTER id SET NOT NULL, ALTER id ADD GENERATED ALWAYS AS IDENTITY;
    ALTER TABLE bare ALTER id ADD GENERATED ALWAYS AS IDENTITY`);
  await pair.source.query(`ALTER TABLE keyless ALTER id SET NOT NULL; INSERT INTO keyless VALUES (2, 'b');
    INSERT INTO bare VALUES (2)`);
  await sync(pair);
  for (const table of ['keyless', 'bare']) await expectSameRows(pair, table);
});
