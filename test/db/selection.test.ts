/** `columns`, `exclude_columns`, `where` and `transform`: the copy is what the same SELECT gives at the source. */
import { describe, expect, test } from 'vitest';
import { rememberSecrets } from '../support/canaries.ts';
import { BIG, chunked, goThrough, killAfter } from '../support/chunked.ts';
import { copyOut } from '../support/copy-text.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const CUSTOMERS = /* sql */ `
  CREATE TABLE customers (
    id bigint PRIMARY KEY,
    email varchar(80),
    phone text,
    status text NOT NULL DEFAULT 'active',
    password_hash text,
    updated_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX ON customers (updated_at);
  INSERT INTO customers
    SELECT i, 'Person' || i || '@Example.com', '+1 555 ' || i, CASE WHEN i % 3 = 0 THEN 'closed' ELSE 'active' END,
      'hash-of-' || i, now() - (200 - i) * interval '1 hour' FROM generate_series(1, 100) i`;

const selecting = (change: object): PairOptions => ({
  tables: [
    {
      name: 'customers',
      replication_key: 'updated_at',
      unique_cols: ['id'],
      initial_load: 'copy',
      ...change,
    },
  ],
  sourceSql: CUSTOMERS,
});

/** The rows of the copy are those of this SELECT, byte for byte. */
async function expectCopyOf(
  pair: Pair,
  select: string,
  copy = 'SELECT * FROM public.customers',
): Promise<void> {
  const [wanted, found] = await Promise.all([
    copyOut(pair.source, `COPY (SELECT * FROM (${select}) s ORDER BY 1) TO STDOUT`),
    copyOut(pair.destination, `COPY (SELECT * FROM (${copy}) d ORDER BY 1) TO STDOUT`),
  ]);
  expect(found.toString()).toBe(wanted.toString());
  expect(wanted.length).toBeGreaterThan(0);
}

const touch = (pair: Pair, set: string, where: string) =>
  pair.source.query(`UPDATE customers SET ${set}, updated_at = now() WHERE ${where}`);

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

const REFUSED: readonly (readonly [change: object, code: string, what: RegExp, hint?: RegExp])[] = [
  [
    { where: "status = 'a' AND\n  statu = 'b'" },
    'SQL_INVALID',
    /"where" of "customers_0": column "statu" does not exist\n {4}2 \| {3}statu = 'b'\n {10}\^$/,
  ],
  [{ where: 'id' }, 'SQL_INVALID', /"where" .* must be type boolean/],
  [{ where: 'count(*) > 1' }, 'SQL_INVALID', /aggregate functions are not allowed in WHERE/],
  [
    { transform: { email: 'mask(email)' } },
    'SQL_INVALID',
    /"transform.email" .*mask.* does not exist/,
    /Names outside pg_catalog need their schema in front/,
  ],
  [{ transform: { email: 'max(email)' } }, 'SQL_INVALID', /not allowed in transform/],
  [{ transform: { email: 'row_number() OVER ()' } }, 'SQL_INVALID', /not allowed in transform/],
  [{ transform: { email: 'generate_series(1, 2)' } }, 'SQL_INVALID', /not allowed in transform/],
  [{ transform: { email: '(SELECT 1, 2)' } }, 'SQL_INVALID', /subquery/],
  [{ transform: { email: '1, 2' } }, 'SQL_INVALID', /"transform.email" .* is of type record/],
  [{ transform: { phone: "'ü😀' || fone" } }, 'SQL_INVALID', /1 \| 'ü😀' \|\| fone\n {16,17}\^/],
  [{ transform: { email: '1 / 0' } }, 'SQL_INVALID', /division by zero/],
  [
    { columns: ['id', 'emial', 'updated_at'] },
    'COLUMN_NOT_FOUND',
    /no column "emial" \(columns\); did you mean "email"/,
  ],
  [
    { exclude_columns: ['password'] },
    'COLUMN_NOT_FOUND',
    /\(exclude_columns\); did you mean "password_hash"/,
  ],
  [{ unique_cols: ['nr'], transform: { x: '1' } }, 'COLUMN_NOT_FOUND', /no column "nr" \(unique_cols\)/],
];

slowTest(
  'SQL and names that mean nothing are refused before anything is touched, each by itself',
  async () => {
    const configs = [...REFUSED.map(([change]) => change), { where: 'true' }].map((change, index) => ({
      replication_key: 'updated_at',
      unique_cols: ['id'],
      initial_load: 'copy',
      ...change,
      name: `customers_${index}`,
    }));
    const copies = configs.map(
      ({ name }) => `CREATE TABLE ${name} (LIKE customers); INSERT INTO ${name} SELECT * FROM customers`,
    );
    await using pair = await freshPair({
      tables: configs.slice(0, -1),
      sourceSql: [CUSTOMERS, ...copies].join(';'),
    });
    const { summary } = await trySync(pair);
    expect(summary.error).toBeNull();
    for (const [index, [change, code, what, hint = /./]] of REFUSED.entries()) {
      const error = summary.tables[index]?.error;
      expect({ change, code: error?.code }).toEqual({ change, code });
      expect(error?.message).toMatch(what);
      expect(error?.hint).toMatch(hint);
    }
    const made = await pair.destination.query(
      `SELECT relname FROM pg_class WHERE relname ~ '^(customers|_increp)'`,
    );
    expect(made.rows).toEqual([]);
    // The last one is looked at in the same transaction, and is good.
    await pair.writeTables(configs);
    const later = await trySync(pair);
    expect(later.summary.tables.at(-1)).toMatchObject({ status: 'ok', rows_inserted: 100 });
    expect(later.summary.status).toBe('partial');
  },
);

/** How often these bytes came from the source while a command ran. */
async function seenOnTheWay(pair: Pair, bytes: string, work: () => Promise<unknown>): Promise<number> {
  await using proxy = await faultProxy(pair.login('source'));
  await goThrough(pair, 'source', proxy);
  proxy.when({ from: 'server', seen: bytes, fault: 'cut', times: 100 });
  await work();
  await goThrough(pair, 'source', pair.login('source'));
  return proxy.fired;
}

/** Whether the server's log of changes, which everything goes through that it writes, holds these bytes. */
const isInWal = async ({ destination }: Pair, bytes: string): Promise<boolean> => {
  const { rowCount } = await destination.query(
    `SELECT FROM pg_ls_waldir() w WHERE position(convert_to($1, 'UTF8') IN pg_read_binary_file('pg_wal/' || w.name)) > 0`,
    [bytes],
  );
  return rowCount !== 0;
};

/** Files of the database itself, once all of it is on disk. */
const isInFiles = async ({ destination }: Pair, bytes: string): Promise<boolean> => {
  await destination.query('CHECKPOINT');
  const { rowCount } = await destination.query(
    `SELECT FROM (SELECT 'base/' || oid AS path FROM pg_database WHERE datname = current_database()) d,
       pg_ls_dir(d.path) f WHERE position(convert_to($1, 'UTF8') IN pg_read_binary_file(d.path || '/' || f)) > 0`,
    [bytes],
  );
  return rowCount !== 0;
};

test('what is masked never travels: not on the wire, not in a file of the destination, in no log and no state', async () => {
  const [secret, open] = ['Zq7ClearTextOfEmail', 'Zq7OpenTextOfStatus'];
  await using pair = await freshPair(
    selecting({ transform: { email: 'md5(email)' }, exclude_columns: ['password_hash'] }),
  );
  const write = () =>
    pair.source.query(
      `UPDATE customers SET email = '${secret}' || id, password_hash = '${secret}', status = '${open}', updated_at = now() WHERE id < 9`,
    );
  await write();
  rememberSecrets(pair.directory, { SOURCE_PASSWORD: secret });
  const everything = async () => {
    await sync(pair, '-vv');
    await write();
    await sync(pair, '--verify');
    expect((await increp('verify', pair)).exitCode).toBe(0);
    await pair.destination.query(`UPDATE customers SET email = 'broken' WHERE id = 3`);
    expect((await increp('verify --repair', pair)).stdout).toContain('1 updated');
    await increp('plan', pair);
    await increp('check', pair);
  };
  expect(await seenOnTheWay(pair, secret, everything)).toBe(0);
  await expectCopyOf(pair, 'SELECT id, md5(email), phone, status, updated_at FROM public.customers');
  expect(await isInWal(pair, secret)).toBe(false);
  expect(await isInFiles(pair, secret)).toBe(false);
  // These would find it.
  expect(await isInWal(pair, open)).toBe(true);
  expect(await isInFiles(pair, open)).toBe(true);
  await write();
  expect(await seenOnTheWay(pair, open, () => trySync(pair))).toBeGreaterThan(0);
});

describe('rows that leave the condition', () => {
  const active = (change: object) => selecting({ where: "status = 'active'", ...change });
  const leave = (pair: Pair) =>
    pair.source.query(`UPDATE customers SET status = 'closed', updated_at = now() WHERE id IN (1, 2);
      UPDATE customers SET status = 'active', updated_at = now() WHERE id = 3; DELETE FROM customers WHERE id = 4`);

  test('are removed where deletes are hard', async () => {
    await using pair = await freshPair(active({ deletes: 'hard', deletes_every: '0s' }));
    await sync(pair);
    await leave(pair);
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, rows_deleted: 3 });
    await expectCopyOf(pair, "SELECT * FROM public.customers WHERE status = 'active'");
  });

  slowTest('are marked where deletes are soft, and unmarked when they are back', async () => {
    await using pair = await freshPair(active({ deletes: 'soft', deletes_every: '0s' }));
    await sync(pair);
    await leave(pair);
    expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 3 });
    const copy = `SELECT id, email, phone, status, password_hash, updated_at FROM public.customers WHERE _deleted_at IS NULL`;
    await expectCopyOf(pair, "SELECT * FROM public.customers WHERE status = 'active'", copy);
    await touch(pair, "status = 'active'", 'id = 1');
    await sync(pair);
    await expectCopyOf(pair, "SELECT * FROM public.customers WHERE status = 'active'", copy);
    expect((await increp('verify', pair)).exitCode).toBe(0);
  });

  slowTest(
    'stay where deletes are ignored, which check says beforehand and verify counts; a repair removes them',
    async () => {
      await using pair = await freshPair(active({}));
      expect((await increp('check', pair)).stdout).toContain('[WHERE_LEAVES_ROWS]');
      await sync(pair);
      await leave(pair);
      expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, rows_deleted: 0 });
      const { tables } = (await increp('verify --json', pair)).json<{ tables: object[] }>();
      expect(tables[0]).toMatchObject({ status: 'different', extra: 3, missing: 0, changed: 0 });
      await increp('verify --repair', pair);
      await expectCopyOf(pair, "SELECT * FROM public.customers WHERE status = 'active'");
    },
  );
});

describe('values that the selection hides', () => {
  const hiding = (change: object) =>
    selecting({
      where: "status = 'active'",
      transform: { email: 'md5(email)::varchar(80)' },
      exclude_columns: ['password_hash'],
      ...change,
    });
  const flat = async (command: string, pair: Pair) =>
    (await increp(command, pair)).stdout.replaceAll(/\s+/g, ' ');

  test('stay in kept rows and columns: the hint, plan, check and the sync say so, and how to remove them', async () => {
    await using pair = await freshPair(selecting({ delete_limit: 0.1 }));
    await sync(pair);
    await pair.writeTables(hiding({ delete_limit: 0.1 }).tables ?? []);
    const update = `UPDATE "public"."customers" SET "email" = NULL WHERE (status = 'active') IS NOT TRUE`;
    const drop = 'ALTER TABLE "public"."customers" DROP COLUMN "password_hash"';
    const hint = (await trySync(pair)).table().error?.hint;
    expect(hint).toContain(`run at the destination: ${update}.`);
    expect(hint).toContain(drop);
    await pair.writeTables(hiding({ deletes: 'keep' }).tables ?? []);
    const check = await flat('check', pair);
    expect(check).toContain(
      'rows that the source no longer has or that no longer match where keep their values of "email" from before the new "transform" [KEPT_ROWS]',
    );
    expect(check).toContain('[EXCLUDED_COLUMN_KEPT]');
    const plan = await flat('plan', pair);
    const warnings = (await sync(pair)).table().warnings.join('\n');
    for (const statement of [update, drop]) {
      expect(plan).toContain(statement);
      expect(warnings).toContain(statement);
    }
    await pair.destination.query(update);
    await sync(pair, '--full-refresh');
    expect(await flat('check', pair)).toContain(
      'column "password_hash" of public.customers keeps its values, although it is in "exclude_columns" [EXCLUDED_COLUMN_KEPT]',
    );
    await pair.destination.query(drop);
    await sync(pair);
    expect(await flat('check', pair)).not.toContain('_KEPT]');
    const clear = await pair.destination.query("SELECT FROM customers WHERE email LIKE '%@%'");
    expect(clear.rowCount).toBe(0);
  });

  test('stay in rows that are marked as deleted', async () => {
    await using pair = await freshPair(selecting({ deletes: 'soft', delete_limit: 0.1 }));
    await sync(pair);
    await pair.writeTables(hiding({ deletes: 'soft', delete_limit: 0.1 }).tables ?? []);
    expect(await flat('plan', pair)).toMatch(/ marks: \d+ of \d+ rows .* would be refused: .* would mark /);
    const { error } = (await trySync(pair)).table();
    expect(error?.hint).toMatch(/If increp may mark these rows.* In both cases, rows that /);
    const forced = await sync(pair, 'customers --force');
    expect(forced.stdout).toContain('marked as deleted');
    const [update = ''] =
      /UPDATE .* "_deleted_at" IS NOT NULL/.exec(forced.table().warnings.join('\n')) ?? [];
    await pair.destination.query(update);
    const clear = await pair.destination.query("SELECT FROM customers WHERE email LIKE '%@%'");
    expect(clear.rowCount).toBe(0);
  });

  test('a load that removes rows does not say that these stay', async () => {
    await using pair = await freshPair(selecting({ delete_limit: 1 }));
    await sync(pair);
    await pair.writeTables(hiding({ delete_limit: 1 }).tables ?? []);
    const check = await flat('check', pair);
    expect(check).toContain('[LOAD_REMOVES]');
    expect(check).not.toContain('[WHERE_LEAVES_ROWS]');
  });
});

describe('a window in which nobody has written', () => {
  const read = async (pair: Pair) => (await sync(pair)).table().rows_read;

  test('is not read again where the row alone decides', async () => {
    await using pair = await freshPair(
      selecting({ where: "status = 'active'", transform: { email: 'lower(email)' }, lookback: '30d' }),
    );
    await sync(pair);
    expect(await read(pair)).toBe(0);
    await touch(pair, "email = 'X'", 'id = 1');
    expect(await read(pair)).toBeGreaterThan(0);
    expect(await read(pair)).toBe(0);
  });

  test.each(
    oneIn(2, [
      ['another table', 'id <> 99 OR EXISTS (SELECT FROM public.vips v WHERE v.id = customers.id)'],
      ['the clock', `id <> 99 OR now() > '%'`],
    ] as const),
  )('is read where %s decides as well', async (what, where) => {
    await using pair = await freshPair({
      ...selecting({ lookback: '30d' }),
      sourceSql: `${CUSTOMERS}; CREATE TABLE vips (id int)`,
    });
    const { rows } = await pair.source.query<{ at: string }>(
      `SELECT (clock_timestamp() + interval '8 s')::text AS at`,
    );
    await pair.writeTables([
      {
        ...selecting({}).tables?.[0],
        name: 'customers',
        lookback: '30d',
        where: where.replace('%', rows[0]?.at ?? ''),
      },
    ]);
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 99 });
    // Nobody writes the row itself.
    if (what === 'the clock') await pair.source.query(`SELECT pg_sleep_until('${rows[0]?.at ?? ''}')`);
    else await pair.source.query('INSERT INTO vips VALUES (99)');
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
    await expectCopyOf(pair, 'SELECT * FROM public.customers');
  });
});

test('a transaction that commits late brings its rows, as far as they meet the condition', async () => {
  await using pair = await freshPair(
    selecting({ where: 'id % 2 = 0', transform: { email: 'md5(email)' }, lookback: '0s' }),
  );
  await sync(pair, '--wait-transactions 50ms');
  const late = await pair.source.connect();
  await late.query('BEGIN; SELECT now()');
  await pair.source.query('INSERT INTO customers (id, email) SELECT i, i FROM generate_series(201, 210) i');
  await sync(pair, '--wait-transactions 50ms');
  await late.query(`INSERT INTO customers (id, email) VALUES (300, 'late'), (301, 'late'); COMMIT`);
  late.release();
  expect((await sync(pair, '--wait-transactions 50ms')).table()).toMatchObject({ rows_inserted: 1 });
  await expectCopyOf(
    pair,
    'SELECT id, md5(email), phone, status, password_hash, updated_at FROM public.customers WHERE id % 2 = 0',
  );
});

slowTest('a load in chunks reads the same rows, and what changes meanwhile', async () => {
  const chunky = chunked('big', { where: 'id % 3 <> 0', transform: { note: "left(note, 20) || '...'" } });
  await using pair = await freshPair({ tables: [chunky], sourceSql: BIG });
  const result = (await sync(pair)).table();
  expect(result.reason).toMatch(/in \d+ chunks$/);
  expect(result).toMatchObject({ rows_inserted: 13_334, warnings: [] });
  const select = `SELECT id, left(note, 20) || '...', updated_at FROM public.big WHERE id % 3 <> 0`;
  await expectCopyOf(pair, select, 'SELECT * FROM public.big');
  await pair.source.query(
    `UPDATE big SET note = 'new', updated_at = now() WHERE id < 10; DELETE FROM big WHERE id = 10`,
  );
  await sync(pair, '--full-refresh --verify');
  await expectCopyOf(pair, select, 'SELECT * FROM public.big');
});

slowTest('a load in chunks that was broken off does not go on with another selection', async () => {
  await using pair = await freshPair({ tables: [chunked('big', { where: 'id > 0' })], sourceSql: BIG });
  await killAfter(pair, 3);
  await pair.writeTables([chunked('big', { where: 'id > 10' })]);
  expect((await sync(pair)).table().reason).toContain('the selected rows or columns changed');
  await expectCopyOf(pair, 'SELECT * FROM public.big WHERE id > 10', 'SELECT * FROM public.big');
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

slowTest(
  'a grant on the columns that are read is enough, and the refusal without it names the way out',
  async () => {
    await using pair = await freshPair(selecting({}));
    const role = `"${pair.login('source', 'increp').user}"`;
    await pair.source.query(`REVOKE ALL ON customers FROM ${role};
    GRANT SELECT (id, email, status, updated_at) ON customers TO ${role}`);
    const table = { name: 'customers', replication_key: 'updated_at', unique_cols: ['id'] };
    expect((await trySync(pair)).table().error).toMatchObject({
      code: 'PRIVILEGE_MISSING',
      message: expect.stringContaining('"phone", "password_hash"') as string,
      hint: expect.stringContaining('add them to "exclude_columns"') as string,
    });
    await pair.writeTables([
      { ...table, columns: ['id', 'email', 'updated_at'], where: "status = 'active'" },
    ]);
    await sync(pair);
    const select = "SELECT id, email, updated_at FROM public.customers WHERE status = 'active'";
    await expectCopyOf(pair, select);
    await touch(pair, "email = 'x'", 'id = 1');
    await sync(pair);
    await expectCopyOf(pair, select);
    await pair.destination.query('DELETE FROM customers WHERE id < 20');
    await increp('verify --repair', pair);
    // Nobody can tell that the newest row is not merely newer than the copy: the window brings it.
    await sync(pair);
    await expectCopyOf(pair, select);
    // What an expression reads has to be granted as well.
    await pair.writeTables([{ ...table, columns: ['id', 'updated_at'], where: 'phone IS NOT NULL' }]);
    expect((await trySync(pair)).table().error).toMatchObject({ code: 'PRIVILEGE_MISSING' });
  },
);

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

test('a masked column that is renamed at the source does not arrive', async () => {
  const masking = (more: object) => selecting({ transform: { email: "'hidden'::text" }, ...more });
  await using pair = await freshPair(masking({}));
  await sync(pair);
  await pair.source.query('ALTER TABLE customers RENAME email TO mail');
  await touch(pair, "mail = 'secret'", 'id = 1');
  const arrived = () => pair.destination.query(`SELECT FROM customers c WHERE c::text ~ 'secret|Person'`);
  for (const on_schema_change of ['reset', 'evolve']) {
    await pair.writeTables(masking({ on_schema_change }).tables ?? []);
    expect((await trySync(pair)).table().error).toMatchObject({
      code: 'COLUMN_NOT_FOUND',
      message: expect.stringContaining('"email" is now "mail", so its values would be copied as they are'),
      hint: expect.stringContaining(`"transform": {"mail":"'hidden'::text"}`),
    });
    expect((await arrived()).rowCount).toBe(0);
  }
  await pair.writeTables(
    selecting({ transform: { mail: "'hidden'::text" }, rename: { mail: 'email' } }).tables ?? [],
  );
  await sync(pair);
  await expectCopyOf(
    pair,
    `SELECT id, 'hidden', phone, status, password_hash, updated_at FROM public.customers`,
  );
  await pair.writeTables(selecting({ transform: { mial: "'hidden'::text" } }).tables ?? []);
  expect((await trySync(pair)).table().error).toMatchObject({
    code: 'COLUMN_NOT_FOUND',
    message: expect.stringContaining(
      'has "mial" in place of "mail", so the values of "mail" would be copied',
    ),
  });
  expect((await arrived()).rowCount).toBe(0);
  // Without a mask before, the new column may be meant. The load says it once, with -q too.
  await pair.writeTables(selecting({}).tables ?? []);
  await sync(pair);
  await pair.writeTables(selecting({ transform: { mial: "'hidden'::text" } }).tables ?? []);
  const said = expect.stringContaining('makes a new column "mial", and "mail" is copied as it is. If "mail"');
  expect((await increp('plan --json', pair)).json()).toMatchObject({ tables: [{ warnings: [said] }] });
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', warnings: [said] });
  expect((await sync(pair)).table().warnings).toEqual([]);
  expect((await increp('check', pair)).stdout).toMatch(
    /new column "mial", and "mail" is .*\[TRANSFORM_NAME\]/s,
  );
});

test('a dropped column that the selection names is to be removed from these options', async () => {
  const naming = (selection: object) =>
    selecting({ columns: ['id', 'email', 'status', 'updated_at', 'phone'], ...selection });
  const transform = { phone: 'left(phone, 2)', email: "email || coalesce(phone, '')", status: "'x'::text" };
  await using pair = await freshPair(naming({ transform, rename: { phone: 'tel' } }));
  await sync(pair);
  await pair.source.query('ALTER TABLE customers DROP phone');
  expect((await trySync(pair)).table().error).toMatchObject({
    code: 'COLUMN_NOT_FOUND',
    message:
      'the source no longer has column "phone" of public.customers, which "columns", "transform", "rename", "transform.email" name',
    hint: 'Remove "phone" from "columns", "transform", "rename" of table "customers" in tables-config.json. Change the SQL in "transform.email" of table "customers" so that it does not use "phone". To see what the next sync then changes at the destination, run: "increp plan".',
  });
  // Made by a transform, the column exists. The SQL is at fault.
  await pair.writeTables(selecting({ transform: { phone: 'left(phone, 2)' } }).tables ?? []);
  expect((await trySync(pair)).table().error).toMatchObject({
    message: expect.stringMatching(/ column "phone" of public.customers, which "transform" names$/),
  });
  await pair.writeTables(selecting({ where: 'phonee IS NULL' }).tables ?? []);
  expect((await trySync(pair)).table().error).toMatchObject({ code: 'SQL_INVALID' });
  await pair.writeTables(selecting({}).tables ?? []);
  await sync(pair);
});

test('an expression that names a renamed column is refused with the whole correction', async () => {
  const masks = { email: 'md5(email)', domain: "split_part(email, '@', 2)" };
  await using pair = await freshPair(selecting({ transform: masks, where: "email <> 'email'" }));
  await sync(pair);
  await pair.source.query('ALTER TABLE customers RENAME email TO mail');
  const { error } = (await trySync(pair)).table();
  expect(error).toMatchObject({
    code: 'COLUMN_NOT_FOUND',
    message:
      'the source renamed a column that "transform" of public.customers replaces: "email" is now "mail"',
  });
  const where = `mail <> 'email'`;
  const transform = { mail: 'md5(mail)', domain: "split_part(mail, '@', 2)" };
  expect(error?.hint).toContain(
    `write the new name: "transform": ${JSON.stringify(transform)}, "where": ${JSON.stringify(where)}. To keep the former name at the destination, set "rename": {"mail":"email"}.`,
  );
  await pair.writeTables(selecting({ transform, where, rename: { mail: 'email' } }).tables ?? []);
  await sync(pair);
  // Without a renamed mask, the text of the server stays.
  await pair.writeTables(selecting({ transform: { mail: 'md5(maill)' } }).tables ?? []);
  expect((await trySync(pair)).table().error).toMatchObject({ code: 'SQL_INVALID' });
});

describe('a selection that is changed later', () => {
  const reset = async (pair: Pair, was: object, now: object) => {
    await pair.writeTables(selecting(was).tables ?? []);
    await sync(pair);
    await pair.writeTables(selecting(now).tables ?? []);
    return (await sync(pair)).table();
  };

  test.each(
    oneIn(3, [
      [{ where: 'id > 10' }, { where: 'id > 20' }, 'where changed to: id > 20'],
      [{}, { where: 'id > 20' }, 'where is new: id > 20'],
      [{}, { exclude_columns: ['phone'] }, 'column "phone" is no longer copied (exclude_columns)'],
      [
        { columns: ['id', 'updated_at'] },
        {},
        'column "email" is copied now (columns); column "phone" is copied now (columns)',
      ],
      [{}, { transform: { email: 'md5(email)' } }, 'transform of "email" is new: md5(email)'],
      [
        { transform: { email: 'md5(email)' } },
        { transform: { email: 'length(email)' } },
        'transform of "email" changed to: length(email)',
      ],
      [{ transform: { x: '1' } }, {}, 'transform of "x" was removed: 1'],
    ]),
  )('from %j to %j', async (was, now, reason) => {
    await using pair = await freshPair(selecting({}));
    const table = await reset(pair, was, now);
    expect(table).toMatchObject({ action: 'reset' });
    expect(table.reason).toContain(reason);
    expect(table.reason).not.toContain('at the source');
    expect((await sync(pair)).table().action).toBe('incremental');
    await expectSelected(pair, now);
  });

  test('is refused where on_schema_change says so', async () => {
    await using pair = await freshPair(selecting({ on_schema_change: 'fail', where: 'id > 10' }));
    await sync(pair);
    await pair.writeTables(selecting({ on_schema_change: 'fail' }).tables ?? []);
    expect((await trySync(pair)).table().error).toMatchObject({
      code: 'SCHEMA_CHANGE_REFUSED',
      message: expect.stringContaining('where was removed: id > 10') as string,
    });
  });
});

/** The select list of a selection, by its own words. */
async function expectSelected(
  pair: Pair,
  {
    where = 'true',
    columns,
    exclude_columns: excluded = [],
    transform = {},
  }: {
    where?: string;
    columns?: readonly string[];
    exclude_columns?: readonly string[];
    transform?: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const all = ['id', 'email', 'phone', 'status', 'password_hash', 'updated_at'];
  const names = all.filter((name) => columns?.includes(name) ?? !excluded.includes(name));
  const list = names.map((name) => transform[name] ?? name).join(', ');
  await expectCopyOf(pair, `SELECT ${list} FROM public.customers WHERE ${where}`);
}

slowTest(
  'what the source changes of columns that are not read is no drift; what is read is refused when it has gone',
  async () => {
    await using pair = await freshPair(
      selecting({ columns: ['id', 'email', 'updated_at'], transform: { email: 'lower(email)' } }),
    );
    await sync(pair);
    await pair.source.query(`ALTER TABLE customers ADD extra int DEFAULT 1; ALTER TABLE customers DROP phone;
    ALTER TABLE customers ALTER status TYPE varchar(20)`);
    expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
    await pair.source.query('ALTER TABLE customers RENAME email TO mail');
    expect((await trySync(pair)).table().error).toMatchObject({ code: 'SQL_INVALID', sqlstate: '42703' });
    await pair.writeTables(selecting({ columns: ['id', 'email', 'updated_at'] }).tables ?? []);
    expect((await trySync(pair)).table().error).toMatchObject({
      code: 'COLUMN_NOT_FOUND',
      message: expect.stringContaining('"email" (columns); did you mean "mail"') as string,
    });
    // With the others left out by name, a new one is copied.
    await pair.writeTables(selecting({ exclude_columns: ['password_hash'] }).tables ?? []);
    await sync(pair);
    await pair.source.query('ALTER TABLE customers ADD late int DEFAULT 7');
    expect((await sync(pair)).table().reason).toBe('column "late" (integer) was added at the source');
    await expectCopyOf(pair, 'SELECT id, mail, status, updated_at, extra, late FROM public.customers');
  },
);

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

slowTest('plan tells what is selected and how much that is, check what may change by itself', async () => {
  await using pair = await freshPair(
    selecting({
      columns: ['id', 'email', 'updated_at', 'dice'],
      where: "status = 'closed'",
      transform: { email: 'email || now()::text', dice: 'random()' },
    }),
  );
  await pair.source.query('ANALYZE customers');
  const plan = await increp('plan', pair);
  expect(plan.stdout).toContain(
    "    selects: 3 of 6 columns and 1 more; where status = 'closed'; email, dice transformed",
  );
  expect(plan.stdout).toContain('about 33 rows');
  expect(
    (await increp('plan --json', pair)).json<{ tables: { selects: string }[] }>().tables[0]?.selects,
  ).toContain('3 of 6');
  const { stdout } = await increp('check', pair);
  expect(stdout).toMatch(/random, now may return another value .*\[VOLATILE_SQL\]/s);
  await pair.writeTables(selecting({ transform: { email: 'md5(email)' } }).tables ?? []);
  expect((await increp('check', pair)).stdout).not.toContain('VOLATILE_SQL');
});

slowTest(
  'another table that an expression reads is rewritten at the wrong moment: nothing is lost',
  async () => {
    await using pair = await freshPair({
      ...selecting({ where: 'EXISTS (SELECT FROM public.vips v WHERE v.id = customers.id)' }),
      sourceSql: `${CUSTOMERS}; CREATE TABLE vips (id int); INSERT INTO vips SELECT generate_series(1, 50);
      GRANT SELECT ON vips TO PUBLIC`,
    });
    await using proxy = await faultProxy(pair.login('source'));
    await goThrough(pair, 'source', proxy);
    proxy.when({ from: 'client', seen: 'AS described LIMIT 0', after: 'REPEATABLE READ', fault: 'stall' });
    await using running = startIncrep('sync --json', pair);
    await proxy.waitUntilFired();
    await pair.source.query('ALTER TABLE vips ALTER id TYPE bigint');
    await proxy.resume();
    const result = await running.wait();
    expect(result.stderr).toContain('SCHEMA_CHANGED');
    expect(result.exitCode).toBe(0);
    await expectCopyOf(pair, 'SELECT * FROM public.customers WHERE id <= 50');
  },
);

test('a where that few rows meet costs no scan of the rows above them, with a partial index', async () => {
  await using pair = await freshPair(selecting({ where: `status = 'rare'` }));
  await pair.source.query(`
    INSERT INTO customers (id, status) SELECT 1000 + i, 'active' FROM generate_series(1, 5000) i;
    UPDATE customers SET status = 'rare', updated_at = now() - interval '300 hours' WHERE id = 1;
    CREATE INDEX ON customers (updated_at) WHERE status = 'rare'; ANALYZE customers`);
  await sync(pair);
  const read = async () => {
    const { rows } = await pair.source.query<{ tuples: string }>(
      `SELECT seq_tup_read + idx_tup_fetch AS tuples FROM pg_stat_all_tables WHERE relid = 'customers'::regclass`,
    );
    return Number(rows[0]?.tuples);
  };
  const before = await read();
  await pair.source.query(`INSERT INTO customers (id) VALUES (9001)`);
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 0 });
  await pair.source.query(`UPDATE customers SET updated_at = now() WHERE id = 1`);
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 1, rows_updated: 1 });
  await expect.poll(read).toBeGreaterThan(before);
  // The load reads all rows once, and its session may report that late.
  expect((await read()) - before).toBeLessThan(2 * 5100);
});
