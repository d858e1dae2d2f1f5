/** Every kind of trouble that `check` knows, made to happen; what it tells to run is run, and the trouble is gone. */
import { appendFile, chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { expect, test } from 'vitest';
import { PREPARED_TRANSACTIONS } from '../../src/sql/inspect.ts';
import { signatureOf } from '../../src/notify/signature.ts';
import { increp, type IncrepOptions } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { webhookServer } from '../support/webhook-server.ts';
import { slowTest } from '../support/tier.ts';

interface Finding {
  readonly level: 'error' | 'warning' | 'note';
  readonly code: string;
  readonly table: string | null;
  readonly message: string;
  readonly action: string | null;
}

async function check(pair: Pair, args = '', options: IncrepOptions = {}) {
  const result = await increp(`check --json ${args}`, pair, options);
  const { findings } = result.json<{ findings: Finding[] }>();
  // What kind of disk this machine has is its own affair.
  const isOurs = ({ code }: Finding) => code !== 'STATE_FILESYSTEM';
  const codes = (level: Finding['level']) =>
    findings.filter((each) => each.level === level && isOurs(each)).map(({ code }) => code);
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
  const [, statement] =
    /(?:At|run at) the (?:source|destination)(?:, run(?: as [^:]+)?)?: ([^\n]+)/.exec(action ?? '') ?? [];
  if (statement === undefined) throw new Error(`there is nothing to run in "${action}"`);
  await pool.query(statement);
}

const items = (columns: string, more: object = {}): PairOptions => ({
  tables: [{ name: 'items', replication_key: 'at', unique_cols: ['id'], ...more }],
  sourceSql: `CREATE TABLE items (${columns})`,
});

test('an error that stops the run now is not repeated as the last failure of each table', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const { user } = pair.login('destination', 'increp');
  await pair.destination.query(`ALTER ROLE ${user} SET default_transaction_read_only = on`);
  expect((await trySync(pair)).exitCode).not.toBe(0);
  expect(await check(pair)).toMatchObject({ errors: ['READ_ONLY'], warnings: [] });
  await pair.destination.query(`ALTER ROLE ${user} RESET default_transaction_read_only`);
  expect((await check(pair)).warnings).toEqual(['LAST_SYNC_FAILED']);
});

test('where all is well it says so, before and after the first sync', async () => {
  await using pair = await freshPair('orders');
  expect(await check(pair)).toMatchObject({
    exitCode: 0,
    errors: [],
    warnings: [],
    notes: ['SERVER_INFO', 'PG_DUMP', 'KEY_WITHOUT_TRIGGER', 'DELETED_ROWS'],
  });
  await sync(pair);
  expect(await check(pair)).toMatchObject({
    exitCode: 0,
    errors: [],
    warnings: [],
    notes: ['SERVER_INFO', 'PG_DUMP', 'KEY_WITHOUT_TRIGGER', 'DELETED_ROWS'],
  });
  const { stdout, exitCode } = await increp('check', pair);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(
    /^ {2}- note {5}source: PostgreSQL \d+\.\d+, no TLS; destination: PostgreSQL \d+\.\d+, no TLS \[SERVER_INFO\]$/m,
  );
  expect(stdout).toMatch(/^0 errors, 0 warnings: no problems found\.$/m);
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
  const inSource = [/role "reader_\w+" may not use schema "\w+" at the source/, 'source'] as const;
  const inDestination = [
    /may not create tables in schema "public" of the destination/,
    'destination',
  ] as const;
  // The table shows only to whoever may look into its schema.
  for (const expected of [[inSource, inDestination], [[/may not read public\.orders/, 'source'] as const]]) {
    const { exitCode, findings } = await check(pair);
    const errors = findings.filter(({ level }) => level === 'error');
    expect(exitCode).toBe(77);
    expect(errors).toMatchObject(expected.map(() => ({ code: 'PRIVILEGE_MISSING' })));
    expect((await trySync(pair)).exitCode).toBe(77);
    for (const [index, [what, side]] of expected.entries()) {
      expect(errors[index]?.message).toMatch(what);
      await obey(errors[index]?.action, pair[side]);
    }
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

test('all that is wrong with a table is told at once, by check and by plan', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    tables: [{ ...ORDERS_CONFIG, replication_key: 'note', unique_cols: ['idd', 'od'] }],
    destinationSql: 'CREATE VIEW orders AS SELECT 1 AS id',
  });
  const { exitCode, errors, findings } = await check(pair);
  expect({ exitCode, errors }).toEqual({
    exitCode: 78,
    errors: ['COLUMN_NOT_FOUND', 'COLUMN_NOT_FOUND', 'KEY_TYPE_UNSUPPORTED', 'DEPENDENT_OBJECTS'],
  });
  const { stdout } = await increp('plan', pair);
  const words = stdout.replaceAll(/\s+/g, ' ');
  for (const { message } of findings.filter(({ level }) => level === 'error'))
    expect(words).toContain(message);
});

slowTest('names with quotes are printed so that the statement can be run', async () => {
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
  await pair.writeTables([{ ...ORDERS_CONFIG, where: 'id < 9' }]);
  const { exitCode, find, errors } = await check(pair);
  expect({ exitCode, errors }).toEqual({ exitCode: 77, errors: ['ROW_SECURITY'] });
  const [, statement] =
    /At the source, run: (ALTER ROLE .+ BYPASSRLS)/.exec(find('ROW_SECURITY')?.action ?? '') ?? [];
  await pair.source.query(statement ?? 'no statement');
  expect((await check(pair)).exitCode).toBe(0);
});

slowTest(
  'a source role that may write, an unindexed key, and keys that are NULL, from the future or in local time',
  async () => {
    await using pair = await freshPair(items('id int PRIMARY KEY, at timestamp'));
    await pair.source.query(`GRANT INSERT ON items TO ${pair.login('source', 'increp').user};
    INSERT INTO items VALUES (1, now()), (2, NULL), (3, NULL), (4, now() + interval '1 year');
    INSERT INTO items SELECT i, NULL FROM generate_series(10, 1100) i`);
    const found = await check(pair);
    expect(found).toMatchObject({
      exitCode: 0,
      warnings: ['SOURCE_ROLE_CAN_WRITE', 'NULL_KEYS', 'FUTURE_KEYS'],
      notes: [
        'SERVER_INFO',
        'PG_DUMP',
        'KEY_NOT_INDEXED',
        'KEY_WITHOUT_TRIGGER',
        'LOCAL_TIME',
        'DELETED_ROWS',
      ],
    });
    expect(found.find('SOURCE_ROLE_CAN_WRITE')?.message).toBe('the source role may write to items');
    expect(found.find('NULL_KEYS')?.message).toMatch(/^more than 1000 rows have no at/);
    expect(found.find('FUTURE_KEYS')?.message).toMatch(/^1 row has at ahead of the server clock/);
    expect((await increp('check', pair)).stdout).toMatch(
      /^0 errors, 3 warnings: sync will work; check the warnings\.$/m,
    );

    await obey(found.find('SOURCE_ROLE_CAN_WRITE')?.action, pair.source);
    await pair.source.query('DELETE FROM items WHERE id = 4');
    await obey(found.find('KEY_NOT_INDEXED')?.action, pair.source);
    const mended = {
      name: 'items',
      replication_key: 'at',
      unique_cols: ['id'],
      null_keys: 'include',
      lookback: '2h',
    };
    await pair.writeTables([mended]);
    expect(await check(pair)).toMatchObject({
      exitCode: 0,
      warnings: [],
      notes: ['SERVER_INFO', 'PG_DUMP', 'KEY_WITHOUT_TRIGGER', 'DELETED_ROWS'],
    });
  },
);

slowTest(
  'a unique key with a column that every update sets keeps the earlier forms of rows, which is a warning',
  async () => {
    await using pair = await freshPair({
      tables: [{ name: 'items', replication_key: 'updated_at', unique_cols: ['id', 'updated_at'] }],
      sourceSql: `CREATE TABLE items (id int, updated_at timestamptz, PRIMARY KEY (id, updated_at));
      CREATE INDEX ON items (updated_at); INSERT INTO items VALUES (1, now())`,
    });
    const found = await check(pair);
    expect(found.warnings).toEqual(['KEY_IN_UNIQUE_COLS']);
    expect(found.find('KEY_IN_UNIQUE_COLS')?.action).toContain('set "unique_cols" to ["id"]');
    await sync(pair);
    await pair.source.query('UPDATE items SET updated_at = now()');
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, rows_updated: 0 });
    await pair.writeTables([{ name: 'items', replication_key: 'updated_at', unique_cols: ['id'] }]);
    expect((await check(pair)).warnings).not.toContain('KEY_IN_UNIQUE_COLS');
  },
);

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

test('a partitioned table is not told to get a unique index that Postgres refuses', async () => {
  await using pair = await freshPair({
    ...items(''),
    sourceSql: `CREATE TABLE items (id int, at timestamptz, day date, region text) PARTITION BY RANGE (day);
      CREATE TABLE items_1 PARTITION OF items DEFAULT PARTITION BY LIST (region);
      CREATE TABLE items_1_1 PARTITION OF items_1 DEFAULT`,
  });
  const step = async () => (await check(pair)).find('MERGE_KEY_NOT_ENFORCED')?.action;
  expect(await step()).toMatch(/only with its partition columns.*add "day" and "region" to unique_cols\.$/);
  const table = { name: 'items', replication_key: 'at', unique_cols: ['id', 'day', 'region'] };
  await pair.writeTables([table]);
  await obey(await step(), pair.source);
  await obey(await step(), pair.source);
  expect(await step()).toBeUndefined();
  await pair.source
    .query(`DROP TABLE items; CREATE TABLE items (id int, at timestamptz, day date, region text)
    PARTITION BY RANGE (abs(id)); CREATE TABLE items_1 PARTITION OF items DEFAULT`);
  expect(await step()).toMatch(/^Postgres has no unique index for a table with an expression/);
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

test('after a comparison found rows with the same key, check shows them instead of an index that fails', async () => {
  await using pair = await freshPair({
    ...items(''),
    sourceSql: `CREATE TABLE items (id int, at timestamptz DEFAULT now()); INSERT INTO items VALUES (1), (1), (2)`,
  });
  const step = async () => (await check(pair)).find('MERGE_KEY_NOT_ENFORCED')?.action ?? '';
  expect(await step()).toMatch(/If it shows none, run at the source: CREATE UNIQUE INDEX/);
  await sync(pair);
  await increp('verify', pair);
  const [, query = ''] = /run at the source: (SELECT .*)$/.exec(await step()) ?? [];
  expect((await pair.source.query(query)).rows).toEqual([{ id: 1, count: '2' }]);
});

slowTest('a name that is misspelt, a column that is, and a key of a type that orders nothing', async () => {
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
    notes: ['SERVER_INFO', 'PG_DUMP', 'DISABLED', 'DELETED_ROWS'],
  });
  expect(find('TABLE_NOT_FOUND')).toMatchObject({
    table: 'order',
    message: expect.stringContaining('did you mean "orders"'),
  });
  expect(find('COLUMN_NOT_FOUND')?.message).toContain('did you mean "updated_at"');
  expect(await check(pair, 'other')).toMatchObject({ errors: ['KEY_TYPE_UNSUPPORTED'] });
  const { stdout } = await increp('check', pair);
  expect(stdout).toMatch(/^order\n {2}x error {4}.* \[TABLE_NOT_FOUND\]\n {4}next: /m);
  expect(stdout).toMatch(/^3 errors, 0 warnings: sync would fail\.$/m);
});

slowTest(
  'what stands at the destination: a table of unknown origin, a taken staging name, drift, a long name',
  async () => {
    const long = 'a'.repeat(61);
    await using pair = await freshPair({
      tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: long }],
      sourceSql: `${String(ordersPreset.sourceSql)}; CREATE TABLE ${long} (LIKE orders INCLUDING ALL)`,
      destinationSql: 'CREATE TABLE orders (id int); CREATE TABLE orders_stg (mine int)',
    });
    const taken = await check(pair);
    expect(taken).toMatchObject({
      exitCode: 3,
      errors: ['STAGING_NAME_CONFLICT'],
      notes: ['SERVER_INFO', 'PG_DUMP', 'KEY_WITHOUT_TRIGGER', 'NAME_TRUNCATED', 'DELETED_ROWS'],
    });
    await pair.destination.query('DROP TABLE orders_stg');
    expect((await check(pair)).warnings).toEqual(['TABLE_NOT_MANAGED']);
    await sync(pair);
    expect((await check(pair)).warnings).toEqual([]);
    await pair.source.query('ALTER TABLE orders ADD extra int');
    const drifted = await check(pair);
    expect(drifted).toMatchObject({ exitCode: 0, warnings: ['DRIFT'] });
    expect(drifted.find('DRIFT')?.message).toContain('"extra"');
    await sync(pair);
    expect((await check(pair)).warnings).toEqual([]);
  },
);

slowTest('state of the older script, and state that is out of step', async () => {
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
  expect(errors).toEqual(expect.arrayContaining(['STATE_NOT_WRITABLE', 'SAME_DATABASE']));
  expect(exitCode).toBe(1);
});

slowTest(
  'a sequence that hands out numbers in advance is told, because later transactions may write lower ones',
  async () => {
    await using pair = await freshPair({
      tables: [{ name: 'log', replication_key: 'id', unique_cols: ['id'] }],
      sourceSql: `CREATE SEQUENCE numbers CACHE 20; CREATE TABLE log (id bigint PRIMARY KEY DEFAULT nextval('numbers'))`,
    });
    const before = await check(pair);
    expect(before.find('SEQUENCE_CACHE')?.message).toContain(
      'the sequence public.numbers caches numbers per session',
    );
    await obey(before.find('SEQUENCE_CACHE')?.action, pair.source);
    expect((await check(pair)).warnings).toEqual(['KEY_INSERT_ONLY']);
  },
);

test('whatever the source role could do besides reading, with the statement that takes it away', async () => {
  await using pair = await freshPair('orders');
  const { user } = pair.login('source', 'increp');
  await pair.source.query(`ALTER ROLE ${user} REPLICATION; GRANT pg_write_all_data TO ${user};
    GRANT CREATE ON SCHEMA public TO ${user}, PUBLIC; GRANT UPDATE (note), INSERT ON orders TO ${user};
    GRANT DELETE ON orders TO PUBLIC`);
  for (const code of ['SOURCE_ROLE_EXCESS_PRIVILEGES', 'SOURCE_ROLE_CAN_WRITE', 'SOURCE_ROLE_CAN_CREATE']) {
    const { find, warnings } = await check(pair);
    expect(warnings).toContain(code);
    await obey(find(code)?.action, pair.source);
  }
  expect(await check(pair)).toMatchObject({ exitCode: 0, warnings: [] });
});

test('a source role that owns its tables, or is a superuser, is told how to make one that reads', async () => {
  await using pair = await freshPair('orders');
  const { user } = pair.login('source', 'increp');
  await pair.source.query(`ALTER TABLE orders OWNER TO ${user}`);
  const owner = (await check(pair)).find('SOURCE_ROLE_CAN_WRITE');
  expect(owner?.message).toBe('the source role may write to orders, some of which it owns');
  expect(owner?.action).toMatch(
    /^At the source: CREATE ROLE increp_reader LOGIN .* GRANT SELECT ON ALL TABLES .* then change SOURCE_USERNAME and SOURCE_PASSWORD\.$/,
  );
  await pair.source.query(`ALTER ROLE ${user} SUPERUSER`);
  const { warnings, find } = await check(pair);
  expect(warnings).toEqual(['SOURCE_ROLE_EXCESS_PRIVILEGES']);
  expect(find('SOURCE_ROLE_EXCESS_PRIVILEGES')?.message).toContain('is a superuser');
});

test('a schema that is not there', async () => {
  await using pair = await freshPair('orders');
  const { errors, find } = await check(pair, '', { env: { SOURCE_SCHEMA: 'nowhere' } });
  expect(errors).toEqual(['TABLE_NOT_FOUND']);
  expect(find('TABLE_NOT_FOUND')?.action).toContain('Set SOURCE_SCHEMA');
});

test('a connection over the network that is not encrypted', async () => {
  await using pair = await freshPair('orders');
  // An address of this machine that does not look like one.
  const { warnings, find } = await check(pair, '', { env: { SOURCE_HOST: '0.0.0.0' } });
  expect(warnings).toEqual(['NOT_ENCRYPTED']);
  expect(find('NOT_ENCRYPTED')?.message).toContain('the source at 0.0.0.0 is not encrypted');
});

test('a prepared transaction is seen by any role', async () => {
  await using pair = await freshPair('orders');
  await pair.source.query("BEGIN; PREPARE TRANSACTION 'left behind'");
  await pair.source.query(`SET ROLE ${pair.login('source', 'increp').user}`);
  const { rows } = await pair.source.query(PREPARED_TRANSACTIONS, [0]);
  const { rows: later } = await pair.source.query(PREPARED_TRANSACTIONS, [60]);
  await pair.source.query('RESET ROLE');
  await pair.source.query("ROLLBACK PREPARED 'left behind'");
  expect(rows).toMatchObject([{ gid: 'left behind', owner: expect.any(String) }]);
  expect(later).toEqual([]);
});

test('without CREATE on the schema, only a table whose next sync fails has an error', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const { user } = pair.login('destination', 'increp');
  await pair.destination.query(`DROP TABLE IF EXISTS orders_stg; ALTER SCHEMA public OWNER TO postgres;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC, ${user}; GRANT USAGE ON SCHEMA public TO ${user}`);
  const quiet = await check(pair);
  expect(quiet).toMatchObject({ errors: [], warnings: ['PRIVILEGE_MISSING'] });
  expect(quiet.find('PRIVILEGE_MISSING')?.message).toContain(
    'the next sync with changes, and each load, will fail',
  );
  expect((await trySync(pair)).exitCode).toBe(0);
  await insertOrders(pair, 1);
  expect(await check(pair)).toMatchObject({ exitCode: 77, errors: ['PRIVILEGE_MISSING'] });
  expect((await trySync(pair)).exitCode).toBe(77);
});

slowTest("a copy that is somebody else's, and a staging table that may not be made", async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const { user } = pair.login('destination', 'increp');
  const give = `ALTER TABLE orders OWNER TO ${pair.login('destination', 'superuser').user}`;
  await pair.destination.query(`${give}; GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO ${user}`);
  const other = await check(pair);
  expect(other).toMatchObject({ exitCode: 0, warnings: ['NOT_OWNER'] });
  await pair.destination.query(`REVOKE INSERT ON orders FROM ${user}`);
  await insertOrders(pair, 1);
  const refused = await check(pair);
  expect(refused).toMatchObject({ exitCode: 77, errors: ['PRIVILEGE_MISSING'] });
  expect((await trySync(pair)).exitCode).toBe(77);
  await obey(refused.find('PRIVILEGE_MISSING')?.action, pair.destination);
  await pair.destination.query(`DROP TABLE IF EXISTS orders_stg; ALTER SCHEMA public OWNER TO postgres;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC, ${user}; GRANT USAGE ON SCHEMA public TO ${user}`);
  const staging = await check(pair);
  expect(staging.find('PRIVILEGE_MISSING')?.message).toMatch(
    /may not create the staging table public\.orders_stg/,
  );
  expect((await trySync(pair)).exitCode).toBe(77);
  expect((await check(pair)).warnings).not.toContain('LAST_SYNC_FAILED');
  const planned = await increp('plan', pair);
  expect(planned).toMatchObject({
    exitCode: 77,
    stdout: expect.stringContaining('GRANT USAGE, CREATE ON SCHEMA "public"'),
  });
  await obey(staging.find('PRIVILEGE_MISSING')?.action, pair.destination);
  const fixed = await check(pair);
  expect(fixed.exitCode).toBe(0);
  expect(fixed.find('LAST_SYNC_FAILED')?.message).toContain('; the cause may be fixed since');
  expect((await increp('plan', pair)).stdout).toContain('the cause may be fixed since');
  await sync(pair);
});

test('a reset answers the failure before it', async () => {
  const tables = [{ ...ORDERS_CONFIG, on_schema_change: 'fail' }];
  await using pair = await freshPair({ ...ordersPreset, tables });
  await sync(pair);
  await pair.source.query('ALTER TABLE orders ADD gift boolean');
  expect((await trySync(pair)).exitCode).toBe(1);
  await increp('reset orders', pair);
  expect((await check(pair)).warnings).not.toContain('LAST_SYNC_FAILED');
  for (const command of ['plan', 'verify'])
    expect((await increp(command, pair)).stdout).not.toContain('last sync: FAILED');
  expect((await increp('status', pair)).stdout).not.toContain('next:');
  await sync(pair);
});

test('after a setting is put back, a refused schema change has no next step', async () => {
  const table = { ...ORDERS_CONFIG, on_schema_change: 'fail' };
  await using pair = await freshPair({ ...ordersPreset, tables: [table] });
  await sync(pair);
  await pair.writeTables([{ ...table, exclude_columns: ['note'] }]);
  expect((await trySync(pair)).table().error?.code).toBe('SCHEMA_CHANGE_REFUSED');
  expect((await increp('status', pair)).stdout).toContain('next: on_schema_change is "fail"');
  await pair.writeTables([table]);
  const found = (await check(pair)).find('LAST_SYNC_FAILED');
  expect(found).toMatchObject({ level: 'note', action: null });
  expect(found?.message).toContain('; the cause no longer applies, so the next sync continues');
  for (const command of ['plan', 'status']) {
    const { stdout } = await increp(command, pair);
    expect(stdout).toMatch(/the\s+cause\s+no\s+longer\s+applies/);
    expect(stdout).not.toContain('next:');
  }
  expect((await increp('status --no-source', pair)).stdout).toMatch(
    /the\s+configuration\s+changed\s+after\s+this\s+failure/,
  );
  await sync(pair);
});

slowTest(
  'what is built on a copy: told before a reset is due, refused when it would be, and mended by what is printed',
  async () => {
    await using pair = await freshPair('orders');
    await sync(pair);
    const { user } = pair.login('destination', 'increp');
    await pair.destination
      .query(`CREATE ROLE analyst_${user}; GRANT USAGE, CREATE ON SCHEMA public TO analyst_${user};
    GRANT SELECT ON orders TO analyst_${user}; SET ROLE analyst_${user};
    CREATE VIEW totals AS SELECT id, total FROM orders; RESET ROLE;
    CREATE VIEW roots AS SELECT id FROM orders`);
    const before = await check(pair);
    expect(before).toMatchObject({ exitCode: 0, warnings: [] });
    expect(before.find('DEPENDENT_OBJECTS')?.message).toContain(`view public.totals (owner analyst_${user})`);
    await pair.source.query('ALTER TABLE orders ALTER total TYPE numeric(20, 4)');
    const due = await check(pair);
    expect(due).toMatchObject({ exitCode: 1, errors: ['DEPENDENT_OBJECTS'], warnings: [] });
    expect(due.find('DRIFT')?.action).toBeNull();
    expect((await trySync(pair)).table().error?.code).toBe('DEPENDENT_OBJECTS');
    // The other view is a superuser's, of whom nobody should become a member.
    expect(due.find('DEPENDENT_OBJECTS')?.action).toMatch(
      /run as a superuser: ALTER VIEW public\.roots OWNER TO "writer_.*; GRANT "analyst_/,
    );
    await obey(due.find('DEPENDENT_OBJECTS')?.action, pair.destination);
    const mended = await check(pair);
    expect(mended).toMatchObject({ exitCode: 0, warnings: ['LAST_SYNC_FAILED', 'DRIFT'] });
    expect(mended.find('DEPENDENT_OBJECTS')?.message).toContain('the next sync keeps them');
    await sync(pair);
    await pair.destination.query(`DROP OWNED BY analyst_${user} CASCADE; DROP ROLE analyst_${user}`);
  },
);

test('a view in a schema that increp may not use is refused, and the printed grant lets it pass', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const { user } = pair.login('destination', 'increp');
  await pair.destination.query(`CREATE SCHEMA mine; CREATE SCHEMA logic;
    CREATE FUNCTION logic.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER stamp BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION logic.stamp();
    CREATE VIEW mine.totals AS SELECT id, total FROM orders; ALTER VIEW mine.totals OWNER TO ${user}`);
  expect((await check(pair)).find('DEPENDENT_OBJECTS')?.action).toContain(
    'GRANT USAGE, CREATE ON SCHEMA mine',
  );
  await pair.source.query('ALTER TABLE orders ALTER total TYPE numeric(20, 4)');
  const grants = `GRANT USAGE ON SCHEMA logic TO "${user}"; GRANT USAGE, CREATE ON SCHEMA mine TO "${user}"`;
  const due = (await check(pair)).find('DEPENDENT_OBJECTS');
  expect(due?.message).toContain('increp needs USAGE, CREATE ON SCHEMA mine for view mine.totals');
  expect(due?.action).toContain(`run as the owner of the schema or a superuser: ${grants}`);
  expect((await trySync(pair)).table().error?.hint).toContain(grants);
  await obey(due?.action, pair.destination);
  expect((await check(pair)).find('LAST_SYNC_FAILED')?.message).toContain('; the cause may be fixed since');
  await sync(pair);
});

test('.env that others can read, or that cuts a value at a #', async () => {
  await using pair = await freshPair('orders');
  await appendFile(join(pair.directory, '.env'), '\nLOG_LEVEL=info #1\n');
  await chmod(join(pair.directory, '.env'), 0o644);
  const found = await check(pair);
  const settings = found.findings.filter(({ code }) => code === 'SETTINGS');
  expect(settings).toMatchObject([
    {
      message: expect.stringContaining('.env can be read by other users'),
      action: expect.stringMatching(/^Run: chmod 600 \/\S+\/\.env$/),
    },
    { message: expect.stringContaining('LOG_LEVEL ends before the #') },
  ]);
  expect(found.exitCode).toBe(0);
});

slowTest(
  'a state directory in memory, and files in it that belong neither to a table nor to the pipeline',
  async () => {
    await using pair = await freshPair('orders');
    const directory = await mkdtemp('/dev/shm/increp-check-');
    try {
      await sync(pair, '', { env: { STATE_DIR: directory, METRICS_TEXTFILE: 'increp.prom' } });
      for (const name of ['orders.json.unreadable-2026', 'gone.json', '.gitignore', 'orders.json.tmp-7'])
        await writeFile(join(directory, name), '');
      const { find } = await check(pair, '', { env: { STATE_DIR: directory } });
      expect(find('STATE_FILESYSTEM')?.message).toMatch(/is on tmpfs, which loses its files at a restart$/);
      expect(find('STATE_UNKNOWN_FILES')?.message).toMatch(/: gone\.json, orders\.json\.unreadable-2026$/);
    } finally {
      await rm(directory, { recursive: true });
    }
  },
);

slowTest('--webhook sends one signed message, whatever the events; without it nothing is sent', async () => {
  await using pair = await freshPair('orders');
  await using server = await webhookServer(200, 401, { status: 302, headers: { location: '/' } }, 'reset');
  const env = { WEBHOOK_URL: server.url, WEBHOOK_SECRET: 'a secret of ours', WEBHOOK_EVENTS: 'table.failed' };
  expect((await check(pair, '', { env })).find('WEBHOOK')).toBeUndefined();
  expect(server.requests).toHaveLength(0);

  const accepted = await check(pair, '--webhook', { env });
  expect(accepted.find('WEBHOOK')?.message).toMatch(
    /^increp sent a test message \("test\.ping", format json, signed\) to WEBHOOK_URL \(http:\/\/127\.0\.0\.1:\d+[^ ]*\), and the endpoint accepted it: it answered 200, after 0\.\d s$/,
  );
  const [request] = server.requests;
  expect(request?.json()).toMatchObject({ type: 'test.ping', message: expect.stringContaining('is a test') });
  const [id, timestamp] = ['webhook-id', 'webhook-timestamp'].map((name) => String(request?.headers[name]));
  expect(request?.headers['webhook-signature']).toBe(
    signatureOf('a secret of ours', {
      id: id ?? '',
      timestamp: Number(timestamp),
      body: String(request?.rawBody),
    }),
  );

  for (const [why, action] of [
    [/it answered 401/, /WEBHOOK_SECRET/],
    [/302, and redirects are not followed/, /target of the redirect/],
    [/the connection failed/, /whether this machine can reach http/],
  ] as const) {
    const refused = await check(pair, '--webhook', { env });
    expect(refused).toMatchObject({ exitCode: 78, errors: ['WEBHOOK_FAILED'] });
    expect(refused.find('WEBHOOK_FAILED')).toMatchObject({
      message: expect.stringMatching(why),
      action: expect.stringMatching(action),
    });
    expect(refused.find('WEBHOOK_FAILED')?.action).toMatch(/ Then run "increp check --webhook"\.$/);
  }
  expect(server.requests).toHaveLength(4);
  expect((await check(pair, '--webhook')).find('WEBHOOK_FAILED')?.message).toContain(
    'WEBHOOK_URL is not set',
  );
});

test('check, plan and status write nothing anywhere, before and after the first sync', async () => {
  await using pair = await freshPair('orders');
  const relations = `SELECT n.nspname, c.relname, c.relfilenode, c.xmin FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2`;
  const state = async () => ({
    source: (await pair.source.query(relations)).rows,
    destination: (await pair.destination.query(relations)).rows,
    files: await readdir(pair.directory, { recursive: true }),
  });
  const commands = ['check', 'plan', 'plan --full-refresh --deletes', 'status'];
  for (const isSynced of [false, true]) {
    if (isSynced) {
      await sync(pair);
      await pair.source.query('ALTER TABLE orders ADD extra int');
    }
    const rows = async () =>
      isSynced
        ? (
            await pair.destination.query(
              'SELECT xmin, ctid FROM _increp_state UNION ALL SELECT xmin, ctid FROM _increp_runs',
            )
          ).rows
        : [];
    const before = { ...(await state()), rows: await rows() };
    for (const command of commands) await increp(command, pair);
    expect({ ...(await state()), rows: await rows() }).toEqual(before);
  }
});

slowTest('constraints and event triggers of the destination that could stop a sync', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'items' }],
    sourceSql: `${ordersPreset.sourceSql}; CREATE TABLE items (id bigint PRIMARY KEY, order_id bigint, code text UNIQUE, updated_at timestamptz);
      CREATE INDEX ON items (updated_at)`,
    isOwn: true,
  });
  await sync(pair);
  await pair.destination
    .query(`CREATE UNIQUE INDEX notes ON orders (note); CREATE UNIQUE INDEX codes ON items (code, id);
    ALTER TABLE items ADD FOREIGN KEY (order_id) REFERENCES orders; CREATE TABLE kinds (id bigint PRIMARY KEY);
    CREATE FUNCTION logs() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
    CREATE EVENT TRIGGER logs ON ddl_command_end EXECUTE FUNCTION logs()`);
  const { find, warnings, notes } = await check(pair);
  expect(warnings).toEqual(['DESTINATION_CONSTRAINT']);
  expect(find('DESTINATION_CONSTRAINT')).toMatchObject({
    table: 'orders',
    message: 'unique indexes of the destination table have no counterpart at the source: notes (note)',
  });
  expect(notes).toContain('EVENT_TRIGGER');
  expect(find('EVENT_TRIGGER')?.message).toContain('the event trigger "logs"');
  await obey(find('EVENT_TRIGGER')?.action, pair.destination);
  await pair.destination.query(
    'DROP INDEX notes; ALTER TABLE items ADD kind bigint REFERENCES kinds; DROP EVENT TRIGGER logs',
  );
  const later = await check(pair);
  expect(later.notes).not.toContain('EVENT_TRIGGER');
  expect(later.find('DESTINATION_CONSTRAINT')).toMatchObject({
    table: 'items',
    message: expect.stringContaining('refers to a table that this pipeline does not sync') as string,
  });
});

test('a schema that the first sync would create is named, because it may be a typing error', async () => {
  await using pair = await freshPair('orders');
  const { user } = pair.login('destination', 'increp');
  const { rows } = await pair.destination.query<{ name: string }>('SELECT current_database() AS name');
  await pair.destination.query(`GRANT CREATE ON DATABASE "${rows[0]?.name}" TO "${user}"`);
  await pair.setEnv({ DEST_SCHEMA: 'pubilc' });
  const found = await increp('check', pair);
  expect(found.exitCode).toBe(0);
  expect(found.stdout).toContain('the destination has no schema "pubilc" yet, and the first sync creates it');
  expect((await increp('plan', pair)).stdout).toContain('no schema "pubilc" yet, and the sync creates it');
});

test('a key that only a default sets is noted, and a trigger answers it', async () => {
  await using pair = await freshPair('orders');
  const noted = async () =>
    (await increp('check --json', pair))
      .json<{ findings: { code: string }[] }>()
      .findings.some(({ code }) => code === 'KEY_WITHOUT_TRIGGER');
  await pair.source.query('DROP TRIGGER IF EXISTS touch ON orders');
  expect(await noted()).toBe(true);
  await pair.source
    .query(`CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at = now(); RETURN NEW; END';
    CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch()`);
  expect(await noted()).toBe(false);
  await pair.source.query('ALTER TABLE orders DISABLE TRIGGER touch');
  expect(await noted()).toBe(true);
});

test('a table whose last sync failed is a warning, until a sync succeeds', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('ALTER TABLE orders ADD CONSTRAINT small CHECK (id < 5000)');
  await pair.source.query('INSERT INTO orders (id) VALUES (9999)');
  await trySync(pair);
  const found = await check(pair);
  expect(found.findings.find(({ code }) => code === 'LAST_SYNC_FAILED')).toMatchObject({
    level: 'warning',
    table: 'orders',
    message: expect.stringMatching(/^the last sync failed \d+ s ago: .*CONSTRAINT_VIOLATED, SQLSTATE 23514/),
    action: expect.stringContaining('DROP CONSTRAINT "small"'),
  });
  expect((await increp('check', pair)).stdout).toMatch(
    /: the last sync failed for 1 table; check the warnings\.\n$/,
  );
  await pair.destination.query('ALTER TABLE orders DROP CONSTRAINT small');
  await sync(pair);
  expect((await check(pair)).warnings).not.toContain('LAST_SYNC_FAILED');
});
