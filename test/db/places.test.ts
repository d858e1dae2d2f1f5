/** Tables of several schemas, in several schemas: `schema`, `dest_schema`, `dest_name`. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { escapeIdentifier } from 'pg';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import {
  addSourceSchema,
  inSchema,
  twoSchemas,
  UNSET,
  tablesIn,
  stateFiles,
  ROWS,
} from '../support/schemas.ts';
import { ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { LOADERS_TRIED, slowTest, slowKind } from '../support/tier.ts';

/** Both tables after a first run, a run with changes, and a change of shape. */
async function expectBothFollow(
  pair: Pair,
  bills: { readonly destinationSchema: string; readonly destinationTable?: string },
): Promise<void> {
  const expectSame = async () => {
    await expectSameRows(pair, 'orders');
    await expectSameRows(inSchema(pair, 'billing'), 'orders', bills);
  };
  const first = await sync(pair);
  expect(first.table('orders')).toMatchObject({ action: 'initial', rows_inserted: 10 });
  expect(first.table('billing.orders')).toMatchObject({ action: 'initial', rows_inserted: 4 });
  await expectSame();

  await pair.source.query(`UPDATE billing.orders SET note = 'paid', updated_at = now() WHERE id = 2`);
  const second = await sync(pair);
  expect(second.table('orders')).toMatchObject({ action: 'incremental', rows_updated: 0 });
  expect(second.table('billing.orders')).toMatchObject({ action: 'incremental', rows_updated: 1 });
  await expectSame();

  await pair.source.query(`ALTER TABLE billing.orders ADD COLUMN paid bool DEFAULT true`);
  const third = await sync(pair);
  expect(third.table('orders')).toMatchObject({ action: 'incremental' });
  expect(third.table('billing.orders').action).not.toBe('initial');
  await expectSame();
  expect((await increp('verify', pair)).exitCode).toBe(0);
}

slowKind(testWithPgDump).each(LOADERS_TRIED)(
  'two tables of one name, each with a schema of its own, loaded by %s',
  async (initial_load) => {
    await using pair = await twoSchemas({}, UNSET);
    await pair.writeTables({
      defaults: { initial_load },
      tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, schema: 'billing' }],
    });
    await expectBothFollow(pair, { destinationSchema: 'billing' });
    expect(await tablesIn(pair, 'billing')).toEqual(['_increp_state', 'orders']);
    // One history a pipeline, in the schema of the pipeline.
    expect(await tablesIn(pair, 'public')).toEqual(['_increp_runs', '_increp_state', 'orders']);
    expect(await stateFiles(pair)).toEqual(['billing%2eorders.json', 'orders.json']);
  },
);

slowTest('two tables of one name side by side, by dest_name', async () => {
  // The pair's DEST_SCHEMA is set, so that is where every copy goes.
  await using pair = await twoSchemas({ dest_name: 'bills' });
  const { stdout } = await increp('plan', pair);
  expect(stdout.match(/destination: .*/g)).toEqual(['destination: public.bills']);
  await expectBothFollow(pair, { destinationSchema: 'public', destinationTable: 'bills' });
  expect(await tablesIn(pair, 'public')).toEqual(['_increp_runs', '_increp_state', 'bills', 'orders']);
  expect(await stateFiles(pair)).toEqual(['bills.json', 'orders.json']);
});

slowTest('dest_schema stands above DEST_SCHEMA, and both may stand in the defaults', async () => {
  await using pair = await twoSchemas({}, { DEST_SCHEMA: 'lake' });
  await pair.writeTables({
    defaults: { schema: 'billing', dest_schema: 'bills' },
    tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, schema: 'public', dest_schema: 'lake' }],
  });
  const { table } = await sync(pair);
  expect(table('billing.orders')).toMatchObject({ rows_inserted: 4 });
  expect(table('orders')).toMatchObject({ rows_inserted: 10 });
  await expectSameRows(pair, 'orders', { destinationSchema: 'lake' });
  await expectSameRows(inSchema(pair, 'billing'), 'orders', { destinationSchema: 'bills' });
  expect(await tablesIn(pair, 'lake')).toEqual(['_increp_runs', '_increp_state', 'orders']);
  const { tables } = (await increp('config --json', pair)).json<{
    tables: { name: string; options: Record<string, unknown> }[];
  }>();
  expect(tables.map(({ name }) => name)).toEqual(['billing.orders', 'orders']);
  expect(tables[0]?.options).toMatchObject({
    schema: { value: 'billing', from: 'defaults' },
    dest_schema: { value: 'bills', from: 'defaults' },
  });
  await pair.writeTables([ORDERS_CONFIG]);
  const plain = (await increp('config --json orders', pair)).json<{ tables: unknown[] }>();
  expect(plain.tables).toMatchObject([
    { options: { schema: { value: 'public' }, dest_schema: { value: 'lake', from: 'DEST_SCHEMA' } } },
  ]);
});

const NAMES = ['quo"te', 'a.b', 'MixedCase', 'größe 😀', "it's", 'select', '%s', '*'];

slowTest('schemas of every name, on both sides', async () => {
  await using pair = await freshPair({ tables: [] });
  for (const name of NAMES) await addSourceSchema(pair, name, `${ORDERS_SQL}; ${ROWS}`);
  await pair.writeTables(
    NAMES.map((schema) => ({ ...ORDERS_CONFIG, schema, dest_schema: `to ${schema}`, types: 'native' })),
  );
  const first = await sync(pair);
  for (const name of NAMES) {
    expect(first.table(`${name}.orders`), name).toMatchObject({ rows_inserted: 4 });
    await pair.source.query(`INSERT INTO ${escapeIdentifier(name)}.orders VALUES (5)`);
  }
  const second = await sync(pair);
  for (const name of NAMES) {
    expect(second.table(`${name}.orders`), name).toMatchObject({ rows_inserted: 1 });
    await expectSameRows(inSchema(pair, name), 'orders', { destinationSchema: `to ${name}` });
  }
  expect(await stateFiles(pair)).toHaveLength(NAMES.length);
  expect((await increp('verify', pair)).exitCode).toBe(0);
  expect((await increp('status --exit-code', pair)).exitCode).toBe(0);
});

test('the staging table of a name in one schema is an ordinary name in another', async () => {
  await using pair = await freshPair(ordersPreset);
  await addSourceSchema(pair, 'billing', ORDERS_SQL.replaceAll('orders', 'orders_stg'));
  await pair.setEnv(UNSET);
  await pair.writeTables([ORDERS_CONFIG, { ...ORDERS_CONFIG, schema: 'billing', name: 'orders_stg' }]);
  await sync(pair);
  await pair.source.query(`INSERT INTO billing.orders_stg VALUES (1)`);
  expect((await sync(pair)).table('billing.orders_stg')).toMatchObject({ rows_inserted: 1 });
});

test('in chunks, into a schema that has to be made', async () => {
  await using pair = await twoSchemas({ initial_load: 'copy', chunk: 2 }, UNSET);
  const { table } = await sync(pair);
  expect(table('billing.orders')).toMatchObject({ rows_inserted: 4, warnings: [] });
  await expectSameRows(inSchema(pair, 'billing'), 'orders', { destinationSchema: 'billing' });
  expect(await tablesIn(pair, 'billing')).toEqual([
    '_increp_chunks',
    '_increp_loads',
    '_increp_state',
    'orders',
  ]);
  expect(await tablesIn(pair, 'public')).toEqual(['_increp_runs', '_increp_state', 'orders']);
});

slowTest('native types go where their table goes', async () => {
  await using pair = await twoSchemas({ types: 'native', dest_schema: 'bills' });
  await pair.source
    .query(`CREATE TYPE billing.mood AS ENUM ('ok', 'sad'); CREATE TYPE public.mood AS ENUM ('x');
    ALTER TABLE billing.orders ADD COLUMN mood billing.mood DEFAULT 'sad', ADD COLUMN other public.mood DEFAULT 'x';
    ALTER TABLE public.orders ADD COLUMN mood public.mood DEFAULT 'x'`);
  await pair.writeTables({
    defaults: { types: 'native' },
    tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, schema: 'billing', dest_schema: 'bills' }],
  });
  await sync(pair);
  const { rows } = await pair.destination.query(
    `SELECT attname, format_type(atttypid, NULL) AS type FROM pg_attribute
     WHERE attrelid = 'bills.orders'::regclass AND attname IN ('mood', 'other') ORDER BY 1`,
  );
  expect(rows).toEqual([
    { attname: 'mood', type: 'bills.mood' },
    { attname: 'other', type: 'mood' },
  ]);
  await expectSameRows(pair, 'orders');
});

slowTest('two pipelines that want the same new schemas at the same moment', async () => {
  await using pair = await twoSchemas({}, UNSET);
  const config = (schema: string, dest_schema: string) => ({
    ...ORDERS_CONFIG,
    schema,
    dest_schema,
    dest_name: `${schema}_orders`,
  });
  const other = join(pair.directory, 'other');
  await mkdir(other);
  await writeFile(join(other, '.env'), await readFile(join(pair.directory, '.env')));
  await pair.writeTables([config('public', 'one'), config('billing', 'two')]);
  await writeFile(
    join(other, 'tables-config.json'),
    JSON.stringify([config('public', 'two'), config('billing', 'one')]),
  );
  const results = await Promise.all([
    increp('sync', pair),
    increp('sync', pair, { cwd: other, env: { PIPELINE_NAME: 'other' } }),
  ]);
  for (const { exitCode, stderr } of results) expect(exitCode, stderr).toBe(0);
  for (const schema of ['one', 'two'])
    expect(await tablesIn(pair, schema)).toEqual(['_increp_state', 'billing_orders', 'public_orders']);
});
