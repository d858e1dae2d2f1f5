/** Every kind of trouble that `check` knows, made to happen; what it tells to run is run, and the trouble is gone. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';

interface Finding {
  readonly level: 'error' | 'warning' | 'note';
  readonly code: string;
  readonly table: string | null;
  readonly message: string;
  readonly action: string | null;
}

async function check(pair: Pair, args = '') {
  const result = await increp(`check --json ${args}`, pair);
  const { findings } = result.json<{ findings: Finding[] }>();
  const codes = (level: Finding['level']) =>
    findings.filter((each) => each.level === level).map(({ code }) => code);
  return {
    exitCode: result.exitCode,
    findings,
    find: (code: string) => findings.find((each) => each.code === code),
    errors: codes('error'),
    warnings: codes('warning'),
    notes: codes('note'),
  };
}

/** Runs the statement that an action prints. */
async function obey(action: string | null | undefined, pool: pg.Pool): Promise<void> {
  const [, statement] = /At the (?:source|destination)(?:, run)?: (.+)$/s.exec(action ?? '') ?? [];
  if (statement === undefined) throw new Error(`there is nothing to run in "${action}"`);
  await pool.query(statement);
}

const items = (columns: string, more: object = {}): PairOptions => ({
  tables: [{ name: 'items', replication_key: 'at', unique_cols: ['id'], ...more }],
  sourceSql: `CREATE TABLE items (${columns})`,
});

test('where all is well it says so, before and after the first sync', async () => {
  await using pair = await freshPair('orders');
  expect(await check(pair)).toMatchObject({ exitCode: 0, errors: [], warnings: [], notes: ['SERVERS'] });
  await sync(pair);
  expect(await check(pair)).toMatchObject({ exitCode: 0, errors: [], warnings: [], notes: ['SERVERS'] });
  const { stdout, exitCode } = await increp('check', pair);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(
    /^ {2}- note {5}source: PostgreSQL \d+\.\d+, no TLS; destination: PostgreSQL \d+\.\d+, no TLS \[SERVERS\]$/m,
  );
  expect(stdout).toMatch(/^0 errors, 0 warnings: all is well\.$/m);
});

test('each missing privilege is told with the statement that grants it', async () => {
  await using pair = await freshPair(ordersPreset);
  const { user } = pair.login('source', 'increp');
  await pair.source.query(
    `REVOKE ALL ON orders FROM ${user}; REVOKE ALL ON SCHEMA public FROM ${user}, PUBLIC`,
  );
  await pair.destination.query(
    `REVOKE ALL ON SCHEMA public FROM PUBLIC; ALTER SCHEMA public OWNER TO postgres`,
  );
  for (const [what, side] of [
    [/role "reader_\w+" lacks a privilege at the source/, 'source'],
    [/may not read public\.orders/, 'source'],
    [/may not create tables in schema "public" of the destination/, 'destination'],
  ] as const) {
    const { exitCode, errors, findings } = await check(pair);
    expect({ exitCode, errors }).toEqual({ exitCode: 77, errors: ['PRIVILEGE_MISSING'] });
    const finding = findings.find(({ level }) => level === 'error');
    expect(finding?.message).toMatch(what);
    expect((await trySync(pair)).exitCode).toBe(77);
    await obey(finding?.action, pair[side]);
  }
  expect((await check(pair)).exitCode).toBe(0);
  await sync(pair);
  // A single column, as a later ALTER TABLE under stricter defaults leaves it.
  await pair.source.query(`ALTER TABLE orders ADD secret text; REVOKE SELECT ON orders FROM ${user};
    GRANT SELECT (id, total, note, updated_at) ON orders TO ${user}`);
  const partly = await check(pair);
  expect(partly.find('PRIVILEGE_MISSING')?.message).toMatch(/may not read "secret" of public\.orders/);
  await obey(partly.find('PRIVILEGE_MISSING')?.action, pair.source);
  expect((await check(pair)).exitCode).toBe(0);
});

test('names with quotes are printed so that the statement can be run', async () => {
  const name = `Or"der's`;
  await using pair = await freshPair({
    schema: `Sh"op`,
    tables: [{ name, replication_key: `A"t`, unique_cols: ['id'] }],
    sourceSql: `CREATE TABLE "Or""der's" (id int PRIMARY KEY, "A""t" timestamptz);
      REVOKE ALL ON "Or""der's" FROM PUBLIC`,
  });
  await pair.source.query(
    `REVOKE ALL ON ALL TABLES IN SCHEMA "Sh""op" FROM ${pair.login('source', 'increp').user}`,
  );
  await obey((await check(pair)).find('PRIVILEGE_MISSING')?.action, pair.source);
  await obey((await check(pair)).find('KEY_NOT_INDEXED')?.action, pair.source);
  expect(await check(pair)).toMatchObject({ exitCode: 0, warnings: [] });
});

test('row-level security that would filter', async () => {
  await using pair = await freshPair('orders');
  await pair.source.query(
    `ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON orders USING (id < 5)`,
  );
  const { exitCode, find, errors } = await check(pair);
  expect({ exitCode, errors }).toEqual({ exitCode: 77, errors: ['ROW_SECURITY'] });
  const [, statement] =
    /At the source: (ALTER ROLE .+ BYPASSRLS)/.exec(find('ROW_SECURITY')?.action ?? '') ?? [];
  await pair.source.query(statement ?? 'no statement');
  expect((await check(pair)).exitCode).toBe(0);
});

test('a source role that may write, an unindexed key, and keys that are NULL, from the future or in local time', async () => {
  await using pair = await freshPair(items('id int PRIMARY KEY, at timestamp'));
  await pair.source.query(`GRANT INSERT ON items TO ${pair.login('source', 'increp').user};
    INSERT INTO items VALUES (1, now()), (2, NULL), (3, NULL), (4, now() + interval '1 year');
    INSERT INTO items SELECT i, NULL FROM generate_series(10, 1100) i`);
  const found = await check(pair);
  expect(found).toMatchObject({
    exitCode: 0,
    warnings: ['SOURCE_ROLE_CAN_WRITE', 'KEY_NOT_INDEXED', 'NULL_KEYS', 'FUTURE_KEYS'],
    notes: ['SERVERS', 'LOCAL_TIME'],
  });
  expect(found.find('SOURCE_ROLE_CAN_WRITE')?.message).toBe('the source role may write to items');
  expect(found.find('NULL_KEYS')?.message).toMatch(/^more than 1000 rows have no at/);
  expect(found.find('FUTURE_KEYS')?.message).toMatch(/^1 row has at ahead of the server's clock/);
  expect((await increp('check', pair)).stdout).toMatch(
    /^0 errors, 4 warnings: sync will work; mind the warnings\.$/m,
  );

  await pair.source.query(`REVOKE INSERT ON items FROM ${pair.login('source', 'increp').user};
    DELETE FROM items WHERE id = 4`);
  await obey(found.find('KEY_NOT_INDEXED')?.action, pair.source);
  const mended = {
    name: 'items',
    replication_key: 'at',
    unique_cols: ['id'],
    null_keys: 'include',
    lookback: '2h',
  };
  await pair.writeTables([mended]);
  expect(await check(pair)).toMatchObject({ exitCode: 0, warnings: [], notes: ['SERVERS'] });
});

test('the index that a partitioned table is told to get can be made there', async () => {
  await using pair = await freshPair({
    ...items(''),
    sourceSql: `CREATE TABLE items (id int, at timestamptz, PRIMARY KEY (id)) PARTITION BY RANGE (id);
      CREATE TABLE items_1 PARTITION OF items DEFAULT`,
  });
  const found = await check(pair);
  expect(found.find('LOADER')?.message).toContain('partitioned table');
  await obey(found.find('KEY_NOT_INDEXED')?.action, pair.source);
  expect((await check(pair)).warnings).toEqual([]);
});

test('a view has no index to be missed, and a merge key that nothing enforces is told of', async () => {
  await using pair = await freshPair({
    ...items(''),
    sourceSql: 'CREATE TABLE base (id int, at timestamptz); CREATE VIEW items AS SELECT * FROM base',
  });
  const { warnings, find } = await check(pair);
  expect(warnings).toEqual(['MERGE_KEY_NOT_ENFORCED']);
  expect(find('MERGE_KEY_NOT_ENFORCED')?.message).toMatch(/keeps \(id\) unique and NOT NULL/);
});

test('a name that is misspelt, a column that is, and a key of a type that orders nothing', async () => {
  await using pair = await freshPair({
    sourceSql: `${String(ordersPreset.sourceSql)}; CREATE TABLE other (id int PRIMARY KEY, at text)`,
    tables: [
      { ...ORDERS_CONFIG, name: 'order' },
      { ...ORDERS_CONFIG, replication_key: 'update_at' },
      { name: 'other', replication_key: 'at', unique_cols: ['id'] },
      { ...ORDERS_CONFIG, name: 'off', enabled: false },
    ],
  });
  const { exitCode, errors, find, notes } = await check(pair);
  expect({ exitCode, errors, notes }).toEqual({
    exitCode: 78,
    errors: ['TABLE_NOT_FOUND', 'COLUMN_NOT_FOUND', 'KEY_TYPE_UNSUPPORTED'],
    notes: ['SERVERS', 'DISABLED'],
  });
  expect(find('TABLE_NOT_FOUND')).toMatchObject({
    table: 'order',
    message: expect.stringContaining('did you mean "orders"'),
  });
  expect(find('COLUMN_NOT_FOUND')?.message).toContain('did you mean "updated_at"');
  expect(await check(pair, 'other')).toMatchObject({ errors: ['KEY_TYPE_UNSUPPORTED'] });
  const { stdout } = await increp('check', pair);
  expect(stdout).toMatch(/^order\n {2}x error {4}.* \[TABLE_NOT_FOUND\]\n {13}next: /m);
  expect(stdout).toMatch(/^3 errors, 0 warnings: sync would fail\.$/m);
});

test('what stands at the destination: a table of unknown origin, a taken staging name, drift, a long name', async () => {
  const long = 'a'.repeat(61);
  await using pair = await freshPair({
    tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: long }],
    sourceSql: `${String(ordersPreset.sourceSql)}; CREATE TABLE ${long} (LIKE orders INCLUDING ALL)`,
    destinationSql: 'CREATE TABLE orders (id int); CREATE TABLE orders_stg (mine int)',
  });
  const taken = await check(pair);
  expect(taken).toMatchObject({ exitCode: 1, errors: ['STAGING_TAKEN'], notes: ['SERVERS', 'NAME_CUT'] });
  await pair.destination.query('DROP TABLE orders_stg');
  expect((await check(pair)).warnings).toEqual(['UNKNOWN_COPY']);
  await sync(pair);
  expect((await check(pair)).warnings).toEqual([]);
  await pair.source.query('ALTER TABLE orders ADD extra int');
  const drifted = await check(pair);
  expect(drifted).toMatchObject({ exitCode: 0, warnings: ['DRIFT'] });
  expect(drifted.find('DRIFT')?.message).toContain('"extra"');
  await sync(pair);
  expect((await check(pair)).warnings).toEqual([]);
});

test('state of the older script, and state that is out of step', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 1);
  const file = join(pair.directory, 'sync-state', 'orders.json');
  await writeFile(file, 'torn');
  expect(await check(pair)).toMatchObject({ exitCode: 0, warnings: ['STATE'] });
  await sync(pair);
  expect((await check(pair)).warnings).toEqual([]);

  await using other = await freshPair({ ...ordersPreset, destinationSql: String(ordersPreset.sourceSql) });
  await mkdir(join(other.directory, 'sync-state'));
  await writeFile(join(other.directory, 'sync-state', 'orders.txt'), '2020-01-01T00:00:00.001Z');
  const found = await check(other);
  expect(found.find('LEGACY_STATE')?.message).toContain('2020-01-01T00:00:00.001Z');
  expect(found.exitCode).toBe(0);
});

test('both sides are tried: two mistakes are two findings', async () => {
  await using pair = await freshPair('orders');
  await pair.setEnv({ SOURCE_PASSWORD: 'wrong', DEST_PORT: '1' });
  const { errors, exitCode, findings } = await check(pair);
  expect({ errors, exitCode }).toEqual({
    errors: ['AUTHENTICATION_FAILED', 'CONNECTION_FAILED'],
    exitCode: 77,
  });
  expect(JSON.stringify(findings)).toMatch(/SOURCE_PASSWORD.*DEST_HOST and DEST_PORT/s);
  expect(JSON.stringify(findings)).not.toContain(pair.login('destination', 'increp').password);
});

test('source and destination that are one schema, and a state directory that cannot be written', async () => {
  await using pair = await freshPair('orders');
  const { host, port, database, user, password } = pair.login('source', 'increp');
  await pair.setEnv({
    DEST_HOST: host,
    DEST_PORT: String(port),
    DEST_DB: database,
    DEST_USERNAME: user,
    DEST_PASSWORD: password,
  });
  await writeFile(join(pair.directory, 'sync-state'), 'a file');
  const { errors, exitCode } = await check(pair);
  expect(errors).toEqual(expect.arrayContaining(['STATE_UNWRITABLE', 'SAME_DATABASE']));
  expect(exitCode).toBe(1);
});

test('a sequence that hands out numbers in advance is told, because later transactions may write lower ones', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'log', replication_key: 'id', unique_cols: ['id'] }],
    sourceSql: `CREATE SEQUENCE numbers CACHE 20; CREATE TABLE log (id bigint PRIMARY KEY DEFAULT nextval('numbers'))`,
  });
  const before = await check(pair);
  expect(before.find('SEQUENCE_CACHE')?.message).toContain(
    'public.numbers hands numbers to sessions in advance',
  );
  await obey(before.find('SEQUENCE_CACHE')?.action, pair.source);
  expect((await check(pair)).warnings).toEqual([]);
});
