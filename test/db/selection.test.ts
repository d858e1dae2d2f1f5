/** `columns`, `exclude_columns`, `where` and `transform`: the copy is what the same SELECT gives at the source. */
import { describe, expect, test } from 'vitest';
import { CUSTOMERS, expectCopyOf, selecting, touch } from '../support/customers.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const SELECTIONS: readonly (readonly [title: string, change: object, select: string])[] = [
  [
    'columns',
    { columns: ['updated_at', 'id', 'email'] },
    'SELECT id, email, updated_at FROM public.customers',
  ],
  [
    'exclude_columns',
    { exclude_columns: ['password_hash', 'phone'] },
    'SELECT id, email, status, updated_at FROM public.customers',
  ],
  ['where', { where: "status = 'active'" }, "SELECT * FROM public.customers WHERE status = 'active'"],
  [
    'transform',
    { transform: { email: 'lower(email)', phone: 'NULL' } },
    'SELECT id, lower(email), NULL, status, password_hash, updated_at FROM public.customers',
  ],
  [
    'all together, with a column that the table does not have',
    {
      columns: ['id', 'email', 'domain', 'updated_at'],
      where: 'id <= 50 -- the first ones',
      transform: { email: 'md5(email)', domain: "split_part(email, '@', 2)" },
    },
    `SELECT id, md5(email), updated_at, split_part(email, '@', 2) FROM public.customers WHERE id <= 50`,
  ],
];

test.each(oneIn(6, SELECTIONS))('%s', async (_title, selection, select) => {
  await using pair = await freshPair(selecting(selection));
  await sync(pair);
  await expectCopyOf(pair, select);
  await touch(pair, "email = 'New' || id || '@Example.org'", 'id IN (1, 2, 40, 99)');
  await pair.source.query(`INSERT INTO customers (id, email) VALUES (0, 'Zero@example.com'), (500, NULL)`);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
  await expectCopyOf(pair, select);
  expect((await increp('verify', pair)).stdout).toContain('equal');
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0, rows_updated: 0 });
});

describe('sources of every kind', () => {
  const KINDS: readonly (readonly [kind: string, sql: string])[] = [
    [
      'a partitioned table',
      `CREATE TABLE people (LIKE customers) PARTITION BY RANGE (id);
       CREATE TABLE people_1 PARTITION OF people FOR VALUES FROM (0) TO (50);
       CREATE TABLE people_2 PARTITION OF people DEFAULT; INSERT INTO people SELECT * FROM customers`,
    ],
    ['a view', 'CREATE VIEW people AS SELECT * FROM customers'],
    ['a materialized view', 'CREATE MATERIALIZED VIEW people AS SELECT * FROM customers'],
    [
      'an inheritance parent',
      `CREATE TABLE people (LIKE customers); CREATE TABLE more () INHERITS (people);
       INSERT INTO people SELECT * FROM customers WHERE id < 30; INSERT INTO more SELECT * FROM customers WHERE id >= 30`,
    ],
  ];
  const config = {
    name: 'people',
    replication_key: 'updated_at',
    unique_cols: ['id'],
    columns: ['id', 'email', 'updated_at'],
    where: 'id % 2 = 0',
    transform: { email: 'lower(email)' },
    deletes: 'hard',
    deletes_every: '0s',
  };
  const select = 'SELECT id, lower(email), updated_at FROM public.people WHERE id % 2 = 0';

  test.each(oneIn(8, KINDS))('%s', async (kind, sql) => {
    await using pair = await freshPair({ tables: [config], sourceSql: `${CUSTOMERS}; ${sql}` });
    expect((await sync(pair)).table()).toMatchObject({
      loader: 'copy',
      warnings: [],
    });
    await expectCopyOf(pair, select, 'SELECT * FROM public.people');
    const written = kind.includes('view') ? 'customers' : 'people';
    await pair.source.query(`UPDATE ${written} SET email = 'New', updated_at = now() WHERE id IN (2, 3, 60);
      DELETE FROM ${written} WHERE id IN (4, 62); ${kind.startsWith('a mat') ? 'REFRESH MATERIALIZED VIEW people' : ''}`);
    expect((await sync(pair, '--verify')).table()).toMatchObject({ rows_updated: 2, rows_deleted: 2 });
    await expectCopyOf(pair, select, 'SELECT * FROM public.people');
    expect((await increp('verify', pair)).exitCode).toBe(0);
  });
});

slowTest('odd names, quotes and comments', async () => {
  const config = {
    name: 'Odd "Table"; --',
    replication_key: 'Changed At',
    unique_cols: ['select'],
    columns: ['select', 'a"b', "it's", 'Changed At', 'größe'],
    where: `"a""b" <> 'x''y); --' /* ( /* nested ; */ */ AND "select" <> 3 -- three`,
    transform: { größe: `length("it's") -- ü`, 'a"b': `$q$;)$q$ || "a""b"` },
    deletes: 'hard',
    deletes_every: '0s',
  };
  const table = `"Odd ""Table""; --"`;
  await using pair = await freshPair({
    tables: [config],
    sourceSql: `CREATE TABLE ${table} ("select" int PRIMARY KEY, "a""b" text, "it's" text, left_out text, "Changed At" timestamptz DEFAULT now());
      INSERT INTO ${table} SELECT i, 'x' || i, repeat('y', i) FROM generate_series(1, 5) i; INSERT INTO ${table} VALUES (6, 'x''y); --', '')`,
  });
  const select = `SELECT "select", $q$;)$q$ || "a""b", "it's", "Changed At", length("it's") FROM public.${table} WHERE "select" NOT IN (3, 6)`;
  await sync(pair);
  await expectCopyOf(pair, select, `SELECT * FROM public.${table}`);
  await pair.source.query(
    `UPDATE ${table} SET "it's" = 'new', "Changed At" = now() WHERE "select" = 1; DELETE FROM ${table} WHERE "select" = 2`,
  );
  await sync(pair);
  await expectCopyOf(pair, select, `SELECT * FROM public.${table}`);
  expect((await increp('verify', pair)).exitCode).toBe(0);
});

slowTest(
  'types of expressions are what the server says, user-defined ones as they are configured',
  async () => {
    const config = {
      name: 'items',
      replication_key: 'at',
      unique_cols: ['id'],
      types: 'native',
      transform: {
        feels: `CASE WHEN id > 2 THEN 'so so' ELSE feels END`,
        again: `'sad'::public.mood`,
        parts: 'ARRAY[price, 1.50]::numeric(8,2)[]',
        doc: `jsonb_build_object('x', ratio)`,
        price: 'price * 2',
        label: `'constant'`,
        short: `left(name, 3)::varchar(3)`,
      },
    };
    await using pair = await freshPair({
      tables: [config],
      sourceSql: `CREATE TYPE mood AS ENUM ('sad', 'so so'); CREATE DOMAIN percent AS int CHECK (VALUE >= 0);
      CREATE TABLE items (id int PRIMARY KEY, name text, feels mood, ratio percent, price numeric(10,2), at timestamptz DEFAULT now());
      INSERT INTO items SELECT i, 'name ' || i, 'sad', i, i * 1.10 FROM generate_series(1, 5) i`,
    });
    await sync(pair);
    const types = await pair.destination.query<{ types: string }>(
      `SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) AS types
     FROM pg_attribute WHERE attrelid = 'items'::regclass AND attnum > 0`,
    );
    expect(types.rows[0]?.types).toBe(
      'id integer, name text, feels mood, ratio percent, price numeric, at timestamp with time zone, again mood, parts numeric(8,2)[], doc jsonb, label text, short character varying(3)',
    );
    const select = `SELECT id, name, CASE WHEN id > 2 THEN 'so so' ELSE feels END, ratio, price * 2, at, 'sad', ARRAY[price, 1.50]::numeric(8,2)[],
    jsonb_build_object('x', ratio), 'constant', left(name, 3) FROM public.items`;
    await expectCopyOf(pair, select, 'SELECT * FROM public.items');
    await pair.source.query('UPDATE items SET price = 9, at = now() WHERE id = 5');
    await sync(pair, '--verify');
    await expectCopyOf(pair, select, 'SELECT * FROM public.items');
    expect((await sync(pair)).table().action).toBe('incremental');
  },
);

slowTest('a transformed merge key, and rows without a replication key', async () => {
  await using pair = await freshPair(
    selecting({
      transform: { id: 'nullif(id, 7)::text' },
      null_keys: 'include',
      deletes: 'hard',
      deletes_every: '0s',
    }),
  );
  await pair.source.query(
    'ALTER TABLE customers ALTER updated_at DROP NOT NULL; UPDATE customers SET updated_at = NULL WHERE id > 95',
  );
  const select =
    'SELECT nullif(id, 7)::text, email, phone, status, password_hash, updated_at FROM public.customers';
  await sync(pair);
  await expectCopyOf(pair, select);
  await pair.source
    .query(`UPDATE customers SET email = 'later' WHERE id > 95; DELETE FROM customers WHERE id < 3;
    UPDATE customers SET email = 'seven', updated_at = now() WHERE id = 7`);
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 6, rows_deleted: 2 });
  await expectCopyOf(pair, select);
  await pair.destination.query(
    `UPDATE customers SET email = 'broken' WHERE id IS NULL OR id = '50'; DELETE FROM customers WHERE id = '60'`,
  );
  expect((await increp('verify --repair', pair)).exitCode).toBe(0);
  await expectCopyOf(pair, select);
});
