/** A table is no longer where it was, at the source or the destination: renamed, moved, dropped or replaced by another. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import type { Pair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

slowTest(
  'a destination with neither the table nor its state may be another database, which is said',
  async () => {
    await using pair = await freshPair('orders');
    await sync(pair);
    await pair.destination.query('DROP TABLE orders, _increp_state');
    const { stdout } = await increp('plan', pair);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      'both were dropped, or DEST_URL or DEST_DB names another database',
    );
    expect((await sync(pair)).table()).toMatchObject({ action: 'initial', rows_inserted: 10 });
  },
);

/** As if an older version of increp had written the state. */
const forgetOids = (pair: Pair) =>
  pair.destination.query(`UPDATE _increp_state SET record = record - 'writtenTo'`);

test('a destination table that was renamed is named, and continues when it is renamed back', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('CREATE TABLE orders_copy AS TABLE orders');
  await pair.destination.query('ALTER TABLE orders RENAME TO "Former"');
  const stdout = (await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ');
  expect(stdout).toContain('the destination table was renamed to public.Former');
  const [statement = ''] = /ALTER TABLE "public"."Former" RENAME TO "orders";/.exec(stdout) ?? [];
  await pair.destination.query(statement);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
  await pair.destination.query('ALTER TABLE orders RENAME TO "Former"');
  const status = (await increp('status', pair)).stdout.replaceAll(/\s+/g, ' ');
  expect(status).toContain('run: ALTER TABLE "public"."Former" RENAME TO "orders"');
  expect((await sync(pair)).table()).toMatchObject({
    action: 'initial',
    reason: 'the destination table was renamed to public.Former',
  });
});

test('a table that may hold rows of its own under another name is not loaded again', async () => {
  await using pair = await freshPair({ ...ordersPreset, tables: [{ ...ORDERS_CONFIG, deletes: 'keep' }] });
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id = 1');
  await pair.destination.query(
    'CREATE TABLE former (LIKE orders INCLUDING ALL); ALTER TABLE orders RENAME TO kept',
  );
  expect((await trySync(pair)).table().error).toMatchObject({
    message: expect.stringContaining('was renamed to public.kept, and increp cannot load it again'),
    hint: expect.stringMatching(/^To keep public\.kept, rename it back[^]*\nOr load [^]*--full-refresh"\.$/),
  });
  await forgetOids(pair);
  const another = (await trySync(pair)).table().error;
  expect(another?.message).toContain('was dropped, or renamed to public.kept, with the same');
  const { user } = pair.login('destination', 'increp');
  await pair.destination.query(`ALTER TABLE former OWNER TO "${user}"`);
  const refused = (await trySync(pair)).table().error;
  expect(refused).toMatchObject({
    code: 'SCHEMA_CHANGE_REFUSED',
    message: expect.stringContaining(
      'was dropped, or renamed to public.former or public.kept, with the same',
    ),
    hint: expect.stringMatching(
      /has: "increp sync orders --full-refresh"\.\nIf .* rename it back to public\.orders /,
    ),
  });
  await pair.destination.query('ALTER TABLE kept RENAME TO orders');
  expect((await increp('verify', pair)).stdout).toMatch(
    /the cause no longer applies, so the next sync continues/,
  );
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
  await pair.destination.query('DROP TABLE orders');
  expect((await sync(pair, '--full-refresh')).table()).toMatchObject({ rows_inserted: 9 });
  await pair.destination.query('DROP TABLE orders, former');
  expect((await sync(pair)).table()).toMatchObject({ action: 'initial', rows_inserted: 9 });
});

test('another table with the name of the destination table is compared, whole restored schemas are not', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('CREATE TABLE older (LIKE orders INCLUDING ALL)');
  await pair.destination.query('INSERT INTO older SELECT * FROM orders WHERE id > 5');
  await pair.source.query(`UPDATE orders SET note = 'new', updated_at = now() WHERE id = 1`);
  await sync(pair);
  const owner = pair.login('destination', 'increp').user;
  await pair.destination.query(
    `DROP TABLE orders; ALTER TABLE older RENAME TO orders; ALTER TABLE orders OWNER TO ${owner}`,
  );
  const said = /destination table is not the one of the last sync, so its rows are compared/;
  expect((await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ')).toMatch(said);
  expect((await increp('status', pair)).stdout.replaceAll(/\s+/g, ' ')).toMatch(said);
  const { stderr, stdout } = await increp('sync -q', pair);
  expect((stdout + stderr).replaceAll(/\s+/g, ' ')).toContain(
    'another table has the name of the destination',
  );
  await expectSameRows(pair, 'orders');
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 0 });
  await pair.destination.query(`
    CREATE TABLE restored (LIKE orders INCLUDING ALL); INSERT INTO restored SELECT * FROM orders; DROP TABLE orders;
    ALTER TABLE restored RENAME TO orders;
    CREATE TABLE restored (LIKE _increp_state INCLUDING ALL); INSERT INTO restored SELECT * FROM _increp_state;
    DROP TABLE _increp_state; ALTER TABLE restored RENAME TO _increp_state;
    ALTER TABLE orders OWNER TO ${owner}; ALTER TABLE _increp_state OWNER TO ${owner}`);
  expect((await sync(pair)).table()).not.toHaveProperty('rows_compared');
});

test('a table with other types is no former table, and one that may be either of two is not renamed', async () => {
  const kept = { ...ORDERS_CONFIG, deletes: 'keep' } as const;
  await using pair = await freshPair({
    tables: [kept, { ...kept, name: 'items' }],
    sourceSql: `${ORDERS_SQL}; CREATE TABLE items (LIKE orders INCLUDING ALL)`,
  });
  await sync(pair);
  await pair.destination.query(`ALTER TABLE orders RENAME TO former; DROP TABLE items`);
  await forgetOids(pair);
  const { tables } = (await trySync(pair)).summary;
  expect(tables.map(({ error }) => error?.hint)).toEqual([
    expect.stringMatching(/back to public\.orders before .* also be the former public\.items\. Then/),
    expect.stringMatching(/back to public\.items before .* also be the former public\.orders\. Then/),
  ]);
  await pair.destination.query('ALTER TABLE former ALTER id TYPE numeric');
  expect((await sync(pair)).summary.tables.map(({ action }) => action)).toEqual(['initial', 'initial']);
});

test('of two tables that are alike, the renamed one is known, and the other one was dropped', async () => {
  const kept = { ...ORDERS_CONFIG, deletes: 'keep' } as const;
  await using pair = await freshPair({
    tables: [kept, { ...kept, name: 'items' }],
    sourceSql: `${ORDERS_SQL}; CREATE TABLE items (LIKE orders INCLUDING ALL)`,
  });
  await sync(pair);
  await pair.destination.query(
    `ALTER TABLE orders RENAME TO former; ALTER TABLE former ALTER id TYPE numeric; DROP TABLE items`,
  );
  const { tables } = (await trySync(pair)).summary;
  expect(tables.map(({ error, action }) => error?.hint ?? action)).toEqual([
    expect.stringContaining('ALTER TABLE "public"."former" RENAME TO "orders"'),
    'initial',
  ]);
});

test('a table that is gone after a sync is no typing error: at the source, and at the destination', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('DROP TABLE orders');
  expect((await sync(pair)).table()).toMatchObject({
    action: 'initial',
    reason: 'the destination table was dropped',
    rows_inserted: 10,
  });
  await pair.source.query('CREATE TABLE ordersx (id int); DROP TABLE orders');
  const { error } = (await trySync(pair)).table();
  expect(error).toMatchObject({ code: 'TABLE_NOT_FOUND' });
  expect(error?.message).toMatch(
    /^the source no longer has public\.orders, whose last changes increp copied at 20\S+Z; its destination table public\.orders is kept$/,
  );
  expect(error?.hint).toMatch(
    /^If the table was dropped, remove "orders" from tables-config\.json\. If it was renamed/,
  );
  // A reset does not turn it into a typing error.
  const reset = await increp('reset orders', pair);
  expect(reset.stdout).toMatch(/^orders: reset\. The source no longer has a table of this name/);
  const after = (await trySync(pair)).table().error;
  expect(after?.message).toMatch(
    /^the source no longer has public\.orders, which increp synced before the reset of 20\S+Z; its destination table public\.orders is kept$/,
  );
  expect(after?.hint).toBe(error?.hint);
  const status = await increp('status --exit-code', pair);
  expect(status.exitCode).toBe(2);
});

test('a source table that was renamed continues under its new name without a load', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.source.query('ALTER TABLE orders RENAME TO bills; CREATE TABLE others (id int)');
  const { error } = (await trySync(pair)).table();
  expect(error).toMatchObject({
    code: 'TABLE_NOT_FOUND',
    message: 'public.orders is now named public.bills at the source (same table)',
    hint: expect.stringContaining(
      'change the entry of "orders" to "name": "bills", "dest_name": "orders" in',
    ),
  });
  expect((await increp('status', pair)).stdout).toContain('is now named public.bills');
  await pair.writeTables([{ ...ORDERS_CONFIG, name: 'bills', dest_name: 'orders' }]);
  await pair.source.query(`INSERT INTO bills (id, total) VALUES (50, 1)`);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_inserted: 1 });
  expect((await increp('verify', pair)).exitCode).toBe(0);
  expect((await increp('status --exit-code', pair)).exitCode).toBe(0);
});

test('a source table in another schema continues there, and one whose name another table took is named', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const { user } = pair.login('source', 'increp');
  await pair.source
    .query(`CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO ${user}; ALTER TABLE orders SET SCHEMA shop;
    CREATE TABLE others (id int)`);
  expect((await trySync(pair)).table().error?.hint).toContain(
    'change the entry of "orders" to "schema": "shop", "dest_schema": "public", "name": "orders" in tables-config.json',
  );
  await pair.writeTables([{ ...ORDERS_CONFIG, schema: 'shop', dest_schema: 'public' }]);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
  await pair.source.query(`ALTER TABLE shop.orders RENAME TO orders_old;
    CREATE TABLE shop.orders (LIKE shop.orders_old INCLUDING ALL); GRANT SELECT ON shop.orders TO ${user}`);
  expect((await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ')).toContain(
    'another table has this name at the source now, and the former table is shop.orders_old',
  );
});
