/** Tables of several schemas, in several schemas: `schema`, `dest_schema`, `dest_name`. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { escapeIdentifier } from 'pg';
import { expect, test } from 'vitest';
import { parseExposition, valueOf } from '../support/exposition.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { addSourceSchema, inSchema } from '../support/schemas.ts';
import { ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { LOADERS_TRIED, slowTest, slowKind } from '../support/tier.ts';

const ROWS = `INSERT INTO orders (id, total, note) SELECT i, i, 'bill ' || i FROM generate_series(1, 4) i`;

/** orders of "public", ten of them, and orders of "billing", of which there are four. */
async function twoSchemas(
  billing: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Pair> {
  const pair = await freshPair(ordersPreset);
  await addSourceSchema(pair, 'billing', `${ORDERS_SQL}; ${ROWS}`);
  await pair.setEnv(env);
  await pair.writeTables([ORDERS_CONFIG, { ...ORDERS_CONFIG, schema: 'billing', ...billing }]);
  return pair;
}

const UNSET = { DEST_SCHEMA: undefined };

const tablesIn = async (pair: Pair, schema: string): Promise<string[]> => {
  const { rows } = await pair.destination.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind = 'r' ORDER BY 1`,
    [escapeIdentifier(schema)],
  );
  return rows.map(({ name }) => name);
};

const stateFiles = async (pair: Pair): Promise<string[]> =>
  (await readdir(join(pair.directory, 'sync-state'))).filter((name) => name.endsWith('.json')).toSorted();

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

test('what is called alike is told apart or refused', async () => {
  await using pair = await freshPair({ tables: [] });
  const refusal = async (...tables: readonly object[]) => {
    await pair.writeTables(tables.map((table) => ({ ...ORDERS_CONFIG, ...table })));
    const { exitCode, stderr } = await increp('plan', pair);
    expect(exitCode).toBe(78);
    return stderr.replaceAll(/\s+/g, ' ');
  };
  expect(await refusal({ name: 'a.b' }, { schema: 'a', name: 'b', dest_name: 'c' })).toContain(
    'the name "a.b" is already used by [0]',
  );
  expect(await refusal({ name: 'orders' }, { schema: 'crm', dest_schema: 'public' })).toContain(
    'the destination table "orders" is already used by [0]',
  );
  expect(
    await refusal(
      { name: 'x', dest_schema: 'lake' },
      { schema: 'crm', dest_schema: 'lake', dest_name: 'x_stg' },
    ),
  ).toContain('"x_stg" is the staging table of [0]');
  expect(
    await refusal({ name: 'x', dest_name: 'a.b' }, { name: 'y', dest_schema: 'a', dest_name: 'b' }),
  ).toContain('its name in the state and in the history would be "a.b"');
});

test('a new "dest_name" creates a new table, and the former one is named', async () => {
  await using pair = await freshPair(ordersPreset);
  await sync(pair);
  await pair.writeTables([{ ...ORDERS_CONFIG, dest_name: 'sales' }]);
  const rename = 'ALTER TABLE "public"."orders" RENAME TO "sales"';
  const planned = await increp('plan', pair);
  expect(planned.stdout).toContain('the former destination table public.orders stays at the destination');
  expect(planned.stdout).toContain(rename);
  const { stdout } = await increp('check', pair);
  expect(stdout).toMatch(/are the state of former destination tables: orders\.json \[STATE_UNKNOWN_FILES\]/);
  await pair.writeTables([{ ...ORDERS_CONFIG, dest_schema: 'lake' }]);
  expect((await increp('plan', pair)).stdout).toContain('ALTER TABLE "public"."orders" SET SCHEMA "lake"');
  await pair.writeTables([{ ...ORDERS_CONFIG, dest_name: 'sales' }]);
  await pair.destination.query(rename);
  const { table } = await sync(pair, 'orders --adopt');
  expect(table('orders')).toMatchObject({ rows_inserted: 0, warnings: [] });
  await pair.writeTables([{ ...ORDERS_CONFIG, dest_name: 'bills' }]);
  const { warnings } = (await sync(pair)).table('orders');
  expect(warnings).toEqual([
    'the former destination table public.sales stays at the destination and is no longer synced. If it is not needed, drop it.',
  ]);
  expect((await sync(pair)).table('orders')).toMatchObject({ action: 'incremental', warnings: [] });
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

slowTest('deletes, repair and sync --verify work on the right one of two tables of one name', async () => {
  await using pair = await twoSchemas({ deletes: 'hard', deletes_every: '0s' }, UNSET);
  await sync(pair, '--verify');
  await pair.source.query('DELETE FROM billing.orders WHERE id = 1; DELETE FROM public.orders WHERE id = 2');
  const { table } = await sync(pair, '--verify');
  expect(table('billing.orders')).toMatchObject({ rows_deleted: 1 });
  expect(table('orders')).toMatchObject({ rows_deleted: 0 });
  await pair.destination.query(`UPDATE billing.orders SET note = 'wrong' WHERE id = 3`);
  const found = await increp('verify --json', pair);
  expect(found.exitCode).toBe(2);
  expect(found.json<{ tables: unknown[] }>().tables).toMatchObject([
    { name: 'orders', extra: 1, changed: 0 },
    { name: 'billing.orders', extra: 0, changed: 1 },
  ]);
  expect((await increp('verify --repair billing.orders', pair)).exitCode).toBe(0);
  await expectSameRows(inSchema(pair, 'billing'), 'orders', { destinationSchema: 'billing' });
  expect((await increp('verify orders', pair)).exitCode).toBe(2);
});

interface Listed {
  readonly tables: readonly {
    readonly name: string;
    readonly state: string;
    readonly cursor: string | null;
  }[];
}

slowTest('status, history, metrics and reset tell two tables of one name apart', async () => {
  await using pair = await twoSchemas(
    {},
    { ...UNSET, METRICS_TEXTFILE: 'increp.prom', PIPELINE_NAME: 'shop' },
  );
  await sync(pair);
  await pair.source.query('DROP TABLE billing.orders');
  const failed = await trySync(pair);
  expect(failed.exitCode).toBe(3);
  expect(failed.table('orders')).toMatchObject({ status: 'ok' });
  expect(failed.table('billing.orders')).toMatchObject({
    status: 'failed',
    error: { code: 'TABLE_NOT_FOUND' },
  });

  for (const args of ['status --json', 'status --json --local'])
    expect((await increp(args, pair)).json<Listed>().tables, args).toMatchObject([
      { name: 'orders', state: 'ok', failures_since_success: 0 },
      { name: 'billing.orders', state: 'failing', failures_since_success: 1 },
    ]);
  for (const args of ['history --json billing.orders', 'history --json --local billing.orders']) {
    const { runs } = (await increp(args, pair)).json<{
      runs: { tables: { name: string; status: string }[] }[];
    }>();
    expect(
      runs.map(({ tables }) => tables.map(({ name, status }) => `${name} ${status}`)),
      args,
    ).toEqual([['billing.orders ok'], ['billing.orders failed']]);
  }
  const { rows } = await pair.destination.query(
    `SELECT name AS table_name, count(*)::int AS runs
     FROM _increp_runs, unnest(coalesce(tables, ARRAY[table_name])) name GROUP BY 1 ORDER BY 1`,
  );
  expect(rows).toEqual([
    { table_name: 'billing.orders', runs: 2 },
    { table_name: 'orders', runs: 2 },
  ]);
  const series = parseExposition(await readFile(join(pair.directory, 'increp.prom'), 'utf8'));
  expect(valueOf(series, 'increp_table_consecutive_failures', { table: 'billing.orders' })).toBe(1);
  expect(valueOf(series, 'increp_table_consecutive_failures', { table: 'orders' })).toBe(0);
  for (const table of ['orders', 'billing.orders'])
    expect(valueOf(series, 'increp_table_lag_seconds', { table })).toBeLessThan(120);

  expect((await increp('reset billing.orders', pair)).stdout).toContain(
    'billing.orders: reset. The source no longer has a table of this name',
  );
  const states = await pair.destination.query(
    `SELECT table_name, record -> 'reset' IS NOT NULL AS is_reset FROM _increp_state
     UNION ALL SELECT 'billing', record -> 'reset' IS NOT NULL FROM billing._increp_state`,
  );
  expect(states.rows).toEqual([
    { table_name: 'orders', is_reset: false },
    { table_name: 'billing', is_reset: true },
  ]);
  expect(await stateFiles(pair)).toEqual(['metrics.counters.json', 'orders.json']);
});

slowTest('the file of the older script is that of a table of its one schema', async () => {
  await using pair = await twoSchemas({}, UNSET);
  await sync(pair);
  await rm(join(pair.directory, 'sync-state'), { recursive: true });
  await pair.destination.query('DROP TABLE public._increp_state, billing._increp_state');
  await mkdir(join(pair.directory, 'sync-state'), { recursive: true });
  for (const name of ['orders', 'billing.orders'])
    await writeFile(join(pair.directory, 'sync-state', `${name}.txt`), '2020-01-01T00:00:00.000Z');
  const { table } = await trySync(pair);
  expect(table('orders')).toMatchObject({ action: 'incremental', rows_unchanged: 10 });
  expect(table('billing.orders').error?.code).toBe('DESTINATION_NOT_OURS');
});

slowTest('a schema that is missing or may not be used refuses its own tables, by name', async () => {
  await using pair = await twoSchemas({}, UNSET);
  const reader = pair.login('source', 'increp').user;
  await pair.source.query(`CREATE SCHEMA hidden; CREATE TABLE hidden.orders (LIKE public.orders);
    GRANT SELECT ON hidden.orders TO ${reader}`);
  await pair.writeTables(
    ['public', 'billing', 'hidden', 'nowhere'].map((schema) => ({ ...ORDERS_CONFIG, schema })),
  );
  const { exitCode, table } = await trySync(pair);
  expect(exitCode).toBe(3);
  expect(table('orders')).toMatchObject({ rows_inserted: 10 });
  expect(table('billing.orders')).toMatchObject({ rows_inserted: 4 });
  expect(table('hidden.orders').error).toMatchObject({
    code: 'PRIVILEGE_MISSING',
    hint: `At the source, run: GRANT USAGE ON SCHEMA "hidden" TO "${reader}"`,
  });
  expect(table('nowhere.orders').error).toMatchObject({
    code: 'TABLE_NOT_FOUND',
    message: 'the source has no schema "nowhere" ("schema" of the table)',
    hint: expect.stringContaining('Correct "schema" in tables-config.json'),
  });
  expect(await tablesIn(pair, 'hidden')).toEqual([]);
});

slowTest('a schema of the destination that may not be used refuses its own tables, by name', async () => {
  await using pair = await twoSchemas({}, UNSET);
  const writer = pair.login('destination', 'increp').user;
  await pair.destination.query(
    `CREATE SCHEMA billing; REVOKE CREATE ON DATABASE ${pair.login('destination').database} FROM ${writer}`,
  );
  const denied = (await trySync(pair)).table('billing.orders');
  expect(denied.error).toMatchObject({
    code: 'PRIVILEGE_MISSING',
    hint: `At the destination, run: GRANT USAGE, CREATE ON SCHEMA "billing" TO "${writer}"\nOr set DEST_SCHEMA (or "dest_schema") to a schema where this role may create tables: public.\nAlso check that source and destination are not swapped.`,
  });
  await pair.destination.query(`GRANT USAGE, CREATE ON SCHEMA billing TO ${writer}`);
  await sync(pair);
  // It is there, and so is its state, but our role can no longer look.
  await pair.destination.query(`REVOKE ALL ON SCHEMA billing FROM ${writer}`);
  const { table, exitCode } = await trySync(pair);
  expect(exitCode).toBe(3);
  expect(table('orders')).toMatchObject({ status: 'ok' });
  expect(table('billing.orders').error).toMatchObject({ code: 'PRIVILEGE_MISSING' });
  expect((await increp('status', pair)).stdout).toContain('billing.orders');
  await pair.destination.query(`GRANT ALL ON SCHEMA billing TO ${writer};
    ALTER TABLE billing._increp_state OWNER TO CURRENT_USER; REVOKE ALL ON billing._increp_state FROM ${writer}`);
  expect((await trySync(pair)).table('billing.orders').error).toMatchObject({
    code: 'PRIVILEGE_MISSING',
    hint: `At the destination, run: GRANT SELECT, INSERT, UPDATE, DELETE ON "billing"."_increp_state" TO "${writer}"`,
  });
});

test('a copy in a schema where increp may make nothing, its state least of all, is refused alone', async () => {
  await using pair = await twoSchemas({}, UNSET);
  const writer = pair.login('destination', 'increp').user;
  await pair.destination.query(`CREATE SCHEMA billing; GRANT USAGE ON SCHEMA billing TO ${writer};
    CREATE TABLE billing.orders (id bigint PRIMARY KEY, total numeric(12,2), note text, updated_at timestamptz NOT NULL);
    ALTER TABLE billing.orders OWNER TO ${writer}`);
  const { exitCode, table } = await trySync(pair);
  expect(exitCode).toBe(3);
  expect(table('orders')).toMatchObject({ rows_inserted: 10 });
  expect(table('billing.orders').error).toMatchObject({
    code: 'PRIVILEGE_MISSING',
    hint: `At the destination, run: GRANT USAGE, CREATE ON SCHEMA "billing" TO "${writer}"\nOr set DEST_SCHEMA (or "dest_schema") to a schema where this role may create tables: public.\nAlso check that source and destination are not swapped.`,
  });
  const { findings } = (await increp('check --json', pair)).json<{
    findings: { level: string; table: string }[];
  }>();
  expect(findings.filter(({ level }) => level === 'error')).toMatchObject([
    { table: 'billing.orders', code: 'PRIVILEGE_MISSING' },
  ]);
});

slowTest(
  'source and destination may not be one schema of one database, whichever table it is of',
  async () => {
    await using pair = await freshPair(ordersPreset);
    const at = pair.login('source');
    await pair.setEnv({
      DEST_HOST: at.host,
      DEST_PORT: String(at.port),
      DEST_DB: at.database,
      DEST_USERNAME: at.user,
      DEST_PASSWORD: at.password,
      DEST_SCHEMA: 'lake',
    });
    await addSourceSchema(pair, 'billing', ORDERS_SQL);
    await pair.writeTables([
      ORDERS_CONFIG,
      { ...ORDERS_CONFIG, name: 'other', schema: 'billing', dest_schema: 'public' },
    ]);
    const { exitCode, summary } = await trySync(pair);
    expect(exitCode).toBe(78);
    expect(summary.error).toMatchObject({
      code: 'SAME_DATABASE',
      message: expect.stringContaining('source and destination are the same: schema "public"'),
      hint: expect.stringContaining(
        'Set another "dest_schema" for the tables that increp writes to "public"',
      ),
    });
    await pair.writeTables([ORDERS_CONFIG, { ...ORDERS_CONFIG, schema: 'billing', dest_schema: 'bills' }]);
    await sync(pair);
  },
);

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
