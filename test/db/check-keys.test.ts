/** Findings of `check` about replication keys and unique keys, their indexes and their values. */
import { expect, test } from 'vitest';
import { check, obey } from '../support/check.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { PairOptions } from '../support/pair.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const items = (columns: string, more: object = {}): PairOptions => ({
  tables: [{ name: 'items', replication_key: 'at', unique_cols: ['id'], ...more }],
  sourceSql: `CREATE TABLE items (${columns})`,
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

test('a key of another table is a warning, because a new row can be below the cursor', async () => {
  const links = (key: string) => ({ name: 'links', replication_key: key, unique_cols: ['order_id', 'code'] });
  await using pair = await freshPair({
    tables: [links('at')],
    sourceSql: `CREATE TABLE links (order_id int, code text, at timestamptz DEFAULT now(), PRIMARY KEY (order_id, code));
      INSERT INTO links VALUES (5, 'a'), (9, 'a')`,
  });
  await increp('sync', pair);
  await pair.writeTables([links('order_id')]);
  const text = 'new rows with order_id below the cursor are NOT copied';
  const { find, warnings } = await check(pair);
  expect(warnings).toContain('KEY_INSERT_ONLY');
  expect(find('KEY_INSERT_ONLY')?.message).toContain(text);
  expect((await increp('plan', pair)).stdout).toContain(text);
  expect((await increp('sync -q', pair)).stdout).toContain(text);
  await pair.source.query(`INSERT INTO links VALUES (5, 'b')`);
  await increp('sync', pair);
  expect((await pair.destination.query('SELECT FROM links')).rowCount).toBe(2);
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
