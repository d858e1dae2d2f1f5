/** `types: "native"`: user-defined types are kept where the destination has them, or is given them. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair, type PairOptions } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { expectRefusal } from '../support/refusal.ts';
import { sync, trySync } from '../support/sync.ts';
import { changesOf, corpusFor } from '../support/type-tables.ts';
import { LOADERS_TRIED, oneIn, slowTest } from '../support/tier.ts';

const config = (name: string, more: object = {}) => ({
  name,
  replication_key: 'changed',
  unique_cols: ['id'],
  initial_load: 'copy',
  types: 'native',
  ...more,
});

/** A table with a column `v` of that type and one row. */
const tableSql = (name: string, type: string, value: string) => `
  CREATE TABLE ${name} (id int PRIMARY KEY, changed timestamptz NOT NULL DEFAULT now(), v ${type});
  INSERT INTO ${name} VALUES (1, '2026-01-01', ${value});`;

const MOOD = `CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "so"');`;

const moods = (more: object = {}): PairOptions => ({
  tables: [config('t', more)],
  sourceSql: MOOD + tableSql('t', 'mood', `'ok'`),
});

const typesOf = async (pair: Pair, side: 'source' | 'destination', table: string) =>
  (
    await pair[side].query<{ type: string }>(
      `SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute
       WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
      [table],
    )
  ).rows
    .map(({ type }) => type)
    .slice(2);

const labelsOf = async ({ destination }: Pair, type: string) =>
  (
    await destination.query<{ label: string }>(
      'SELECT enumlabel AS label FROM pg_enum WHERE enumtypid = $1::regtype ORDER BY enumsortorder',
      [type],
    )
  ).rows.map(({ label }) => label);

const userTypes = async ({ destination }: Pair) =>
  (
    await destination.query<{ type: string }>(
      `SELECT t.oid::regtype::text AS type FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
       WHERE typtype IN ('e', 'd') AND nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
    )
  ).rows.map(({ type }) => type);

const TIMEOUT = 180_000;

testWithPgDump.each(LOADERS_TRIED)(
  'every type is kept as it is, loaded by %s and merged',
  async (loader) => {
    await using pair = await freshPair();
    const { setup, tables } = await corpusFor(pair.source);
    const all = tables.filter(({ isOwn }) => isOwn);
    expect(all.length).toBeGreaterThan(10);
    const own = oneIn(7, all);
    await pair.source.query(`${setup} ${own.map(({ sql }) => sql).join(';')}`);
    await pair.destination.query(`${setup} GRANT USAGE ON SCHEMA other TO PUBLIC`);
    await pair.writeTables(own.map(({ name }) => config(name, { initial_load: loader })));
    await sync(pair, '', { timeout: TIMEOUT });
    for (const { name, type } of own) {
      expect(await typesOf(pair, 'destination', name), type).toEqual(await typesOf(pair, 'source', name));
      await expectSameRows(pair, name);
    }
    await pair.source.query(own.map(changesOf).join(';'));
    const second = await sync(pair, '', { timeout: TIMEOUT });
    for (const { name, type } of own) {
      expect(second.table(name).action, type).toBe('incremental');
      await expectSameRows(pair, name);
    }
    for (const { rows_updated: updated } of (await sync(pair, '', { timeout: TIMEOUT })).summary.tables)
      expect(updated).toBe(0);
    expect((await increp('verify', pair, { timeout: TIMEOUT })).exitCode).toBe(0);
  },
  TIMEOUT,
);

slowTest(
  'enums and domains that the destination lacks are made there, by the table that is loaded first',
  async () => {
    await using pair = await freshPair({
      schema: 'shop',
      tables: [config('t'), config('other'), config('plain', { types: 'text' })],
      sourceSql: `${MOOD} CREATE DOMAIN price AS numeric(8,2) NOT NULL CHECK (VALUE >= 0) CHECK (VALUE < 1e6);
      CREATE DOMAIN moods AS mood[]; CREATE DOMAIN "Dear" AS price CHECK (VALUE > 100);
      CREATE TABLE t (id int PRIMARY KEY, changed timestamptz NOT NULL DEFAULT now(), v mood, vs mood[], p price,
        d "Dear"[], ms moods, plain numeric(4,1));
      INSERT INTO t VALUES (1, now(), 'sad', '{ok,NULL}', 1.5, '{200,300.25}', '{sad}', 1.5);
      ${tableSql('other', 'mood', `'it''s "so"'`)} ${tableSql('plain', 'mood', 'NULL')}`,
    });
    await pair.setEnv({ DEST_SCHEMA: 'Copy' });
    const { stdout } = await increp('plan', pair);
    expect(stdout).toContain('creates the enum Copy.mood; creates the domain Copy.price');
    expect(await userTypes(pair)).toEqual([]);
    expect((await increp('check --json', pair)).exitCode).toBe(0);
    const first = await sync(pair);
    expect(first.table('t').reason).toMatch(/^there is no destination table yet; creates the enum Copy.mood/);
    expect(await userTypes(pair)).toEqual(['"Copy"."Dear"', '"Copy".mood', '"Copy".moods', '"Copy".price']);
    expect(await typesOf(pair, 'destination', '"Copy".t')).toEqual([
      ...['"Copy".mood', '"Copy".mood[]', '"Copy".price', '"Copy"."Dear"[]', '"Copy".moods', 'numeric(4,1)'],
    ]);
    expect(await typesOf(pair, 'destination', '"Copy".plain')).toEqual(['text']);
    for (const name of ['t', 'other', 'plain'])
      await expectSameRows(pair, name, { destinationSchema: 'Copy' });
    await pair.source.query(`UPDATE shop.t SET v = 'ok', changed = now()`);
    const second = await sync(pair);
    expect(second.table('t')).toMatchObject({ action: 'incremental', rows_updated: 1 });
    expect(second.table('t').reason).toBe('the cursor is known');
    await expectSameRows(pair, 't', { destinationSchema: 'Copy' });
  },
);

slowTest('a load that fails leaves no type behind', async () => {
  await using pair = await freshPair({
    tables: [config('u'), config('t')],
    sourceSql: `${tableSql('u', 'int', '1')} ${MOOD} CREATE DOMAIN always AS mood; ${tableSql('t', 'always', `'ok'`)}`,
  });
  await sync(pair, 'u');
  await pair.destination.query(`CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE 'no tables today'; END $$;
    CREATE EVENT TRIGGER refuse ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION refuse()`);
  const result = await trySync(pair);
  expect(result.table('t').error?.message).toContain('no tables today');
  expect(await userTypes(pair)).toEqual([]);
  await pair.destination.query('DROP EVENT TRIGGER refuse');
  await sync(pair);
  expect(await userTypes(pair)).toEqual(['always', 'mood']);
  await expectSameRows(pair, 't');
});

test('two enums of one name in two schemas stay two', async () => {
  await using pair = await freshPair({
    tables: [config('t')],
    sourceSql: `${MOOD} CREATE SCHEMA other; CREATE TYPE other.mood AS ENUM ('theirs');
      CREATE TABLE t (id int PRIMARY KEY, changed timestamptz NOT NULL DEFAULT now(), a mood, b other.mood);
      INSERT INTO t VALUES (1, now(), 'sad', 'theirs')`,
  });
  await expectRefusal(pair, {
    exitCode: 77,
    code: 'PRIVILEGE_MISSING',
    what: ['column "b" of public.t needs the enum other.mood', 'may not create it in that schema'],
    next: `CREATE SCHEMA IF NOT EXISTS "other"; CREATE TYPE "other"."mood" AS ENUM ('theirs')`,
  });
  await pair.destination.query(
    `CREATE SCHEMA other AUTHORIZATION ${pair.login('destination', 'increp').user}`,
  );
  await sync(pair);
  expect(await typesOf(pair, 'destination', 't')).toEqual(['mood', 'other.mood']);
  await expectSameRows(pair, 't');
});

slowTest('an extension may be installed in another schema', async () => {
  await using pair = await freshPair({
    tables: [config('t')],
    sourceSql: `CREATE EXTENSION hstore; ${tableSql('t', 'hstore', `'a=>1'`)}`,
    destinationSql: 'CREATE SCHEMA extensions; CREATE EXTENSION hstore SCHEMA extensions',
  });
  await sync(pair);
  expect(await typesOf(pair, 'destination', 't')).toEqual(['extensions.hstore']);
  await pair.source.query(`UPDATE t SET v = 'a=>2, b=>NULL', changed = now()`);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_updated: 1 });
  await expectSameRows(pair, 't');
});

test('a label that the source has gained is given to the destination, and nothing is loaded again', async () => {
  await using pair = await freshPair({
    tables: [config('t'), config('u')],
    sourceSql: MOOD + tableSql('t', 'mood', `'ok'`) + tableSql('u', 'mood[]', `'{ok}'`),
  });
  await sync(pair);
  await pair.source.query(`ALTER TYPE mood ADD VALUE 'worst' BEFORE 'sad'`);
  await pair.source.query(`ALTER TYPE mood ADD VALUE 'fine' AFTER 'ok'`);
  await pair.source.query(`ALTER TYPE mood ADD VALUE 'fi''ne\\r' AFTER 'fine'`);
  const labels = ['worst', 'sad', 'ok', 'fine', "fi'ne\\r", 'it\'s "so"'];
  expect((await increp('plan', pair)).stdout).toContain(
    `types: gives the enum public.mood the labels 'worst', 'fine', 'fi'ne\\r'`,
  );
  expect((await increp('verify', pair)).exitCode).toBe(0);
  expect(await labelsOf(pair, 'mood')).toEqual(['sad', 'ok', 'it\'s "so"']);
  await pair.source.query(`INSERT INTO t VALUES (2, now(), 'worst'), (3, now(), 'fi''ne\\r')`);
  await pair.source.query(`INSERT INTO u VALUES (2, now(), '{fine,worst}')`);
  const result = await sync(pair);
  expect(result.table('t')).toMatchObject({ action: 'incremental', rows_inserted: 2, rows_updated: 0 });
  expect(result.table('u')).toMatchObject({ action: 'incremental', rows_inserted: 1, rows_updated: 0 });
  expect(await labelsOf(pair, 'mood')).toEqual(labels);
  for (const name of ['t', 'u']) {
    await expectSameRows(pair, name);
    await expectSameRows(pair, name, { orderBy: 'v, id' });
  }
});

slowTest('a repair too gives the destination the label that a missing row has', async () => {
  await using pair = await freshPair(moods());
  await sync(pair);
  await pair.source.query(`ALTER TYPE mood ADD VALUE 'late'`);
  await pair.source.query(`INSERT INTO t VALUES (2, '2020-01-01', 'late')`);
  expect((await increp('verify --repair', pair)).exitCode).toBe(0);
  await expectSameRows(pair, 't');
});

slowTest('where "on_schema_change" is "fail" a new label is refused, until it is told to load', async () => {
  await using pair = await freshPair(moods({ on_schema_change: 'fail' }));
  await sync(pair);
  await pair.source.query(`ALTER TYPE mood ADD VALUE 'new'`);
  await expectRefusal(pair, {
    exitCode: 1,
    code: 'SCHEMA_CHANGE_REFUSED',
    what: [`the enum public.mood lacks 'new' at the destination`],
    next: 'increp reset t',
  });
  expect(await labelsOf(pair, 'mood')).not.toContain('new');
  await increp('reset t', pair);
  await sync(pair);
  expect(await labelsOf(pair, 'mood')).toContain('new');
});

slowTest('going from text to the type itself and back loads the table again', async () => {
  await using pair = await freshPair(moods({ types: 'text' }));
  await sync(pair);
  expect(await typesOf(pair, 'destination', 't')).toEqual(['text']);
  await pair.writeTables([config('t')]);
  expect((await sync(pair)).table()).toMatchObject({
    action: 'reset',
    reason: expect.stringContaining(
      'column "v" is text at the destination and must be "public"."mood"',
    ) as string,
  });
  expect(await typesOf(pair, 'destination', 't')).toEqual(['mood']);
  await expectSameRows(pair, 't');
  await pair.writeTables({ defaults: { types: 'text' }, tables: [{ ...config('t'), types: undefined }] });
  expect((await sync(pair)).table().action).toBe('reset');
  expect(await typesOf(pair, 'destination', 't')).toEqual(['text']);
  await expectSameRows(pair, 't');
});

/** What the source has, what the destination has, and what is said. */
const REFUSED: readonly (readonly [
  what: string,
  source: string,
  destination: string,
  said: { readonly exitCode: number; readonly code: string; readonly what: string; readonly next: string },
])[] = [
  [
    'an extension that is not installed',
    `CREATE EXTENSION hstore; ${tableSql('t', 'hstore[]', `'{}'`)}`,
    '',
    {
      exitCode: 78,
      code: 'TYPE_UNSUPPORTED',
      what: 'column "v" of public.t needs the base type public.hstore, which the destination does not have',
      next: 'CREATE EXTENSION "hstore"; or set "types" to "text" for this table',
    },
  ],
  [
    'a composite type',
    `${MOOD} CREATE TYPE pair AS (n int, "a b" mood[]); ${tableSql('t', 'pair', `'(1,{})'`)}`,
    `CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "so"')`,
    {
      exitCode: 78,
      code: 'TYPE_UNSUPPORTED',
      what: 'needs the composite type public.pair',
      next: 'CREATE TYPE "public"."pair" AS ("n" integer, "a b" public.mood[])',
    },
  ],
  [
    'a multirange of a range type',
    `CREATE TYPE span AS RANGE (subtype = float8, multirange_type_name = spans); ${tableSql('t', 'spans', `'{}'`)}`,
    '',
    {
      exitCode: 78,
      code: 'TYPE_UNSUPPORTED',
      what: 'needs the range type public.span',
      next: 'CREATE TYPE "public"."span" AS RANGE (subtype = double precision, multirange_type_name = "public"."spans")',
    },
  ],
  [
    'a domain that calls a function',
    `CREATE DOMAIN hashed AS text CHECK (md5(VALUE) <> ''); ${tableSql('t', 'hashed', 'NULL')}`,
    '',
    {
      exitCode: 78,
      code: 'TYPE_UNSUPPORTED',
      what: 'needs the domain public.hashed',
      next: `CREATE DOMAIN "public"."hashed" AS text CHECK ((md5(VALUE) <> ''::text))`,
    },
  ],
  [
    'the row type of a table',
    `CREATE TABLE u (n int); ${tableSql('t', 'u', `'(1)'`)}`,
    '',
    {
      exitCode: 78,
      code: 'TYPE_UNSUPPORTED',
      what: 'public.u, the row type of a table',
      next: '"types" to "text"',
    },
  ],
  [
    'an enum whose labels stand in another order',
    MOOD + tableSql('t', 'mood', `'ok'`),
    `CREATE TYPE mood AS ENUM ('ok', 'sad', 'it''s "so"')`,
    {
      exitCode: 1,
      code: 'TYPE_MISMATCH',
      what: `it is an enum of 'ok', 'sad', 'it''s "so"' at the destination, and an enum of 'sad', 'ok', 'it''s "so"' at the source`,
      next: 'ALTER TYPE on either side',
    },
  ],
  [
    'an enum that has a label of its own',
    MOOD + tableSql('t', 'mood', `'ok'`),
    `CREATE TYPE mood AS ENUM ('sad', 'ok', 'so', 'it''s "so"')`,
    { exitCode: 1, code: 'TYPE_MISMATCH', what: `an enum of 'sad', 'ok', 'so'`, next: 'ALTER TYPE' },
  ],
  [
    'a domain with another constraint',
    `CREATE DOMAIN price AS numeric(8,2) CHECK (VALUE > 0); ${tableSql('t', 'price', '1')}`,
    'CREATE DOMAIN price AS numeric(8,2) CHECK (VALUE >= 0)',
    {
      exitCode: 1,
      code: 'TYPE_MISMATCH',
      what: 'a domain over numeric(8,2) CHECK ((VALUE >= (0)::numeric))',
      next: 'ALTER DOMAIN',
    },
  ],
  [
    'a domain that rounds',
    `CREATE DOMAIN price AS numeric; ${tableSql('t', 'price', '1.234')}`,
    'CREATE DOMAIN price AS numeric(8,2)',
    { exitCode: 1, code: 'TYPE_MISMATCH', what: 'a domain over numeric(8,2)', next: 'ALTER DOMAIN' },
  ],
  [
    'a composite type with another field',
    `CREATE TYPE pair AS (n int, w text); ${tableSql('t', 'pair', `'(1,x)'`)}`,
    'CREATE TYPE pair AS (n bigint, w text)',
    {
      exitCode: 1,
      code: 'TYPE_MISMATCH',
      what: 'a composite type of ("n" bigint, "w" text)',
      next: 'ALTER TYPE',
    },
  ],
  [
    'a type that is something else there',
    MOOD + tableSql('t', 'mood', `'ok'`),
    'CREATE DOMAIN mood AS text',
    {
      exitCode: 1,
      code: 'TYPE_MISMATCH',
      what: 'it is a domain over text at the destination',
      next: 'ALTER TYPE',
    },
  ],
  [
    'a merge key whose = calls different values equal',
    `CREATE EXTENSION citext; CREATE DOMAIN word AS citext;
     CREATE TABLE t (id word PRIMARY KEY, changed timestamptz NOT NULL DEFAULT now())`,
    'CREATE EXTENSION citext',
    {
      exitCode: 78,
      code: 'KEY_TYPE_UNSUPPORTED',
      what: '"id" of public.t is public.word, whose "=" may treat different values as equal',
      next: 'set "types" to "text"',
    },
  ],
];

test.each(oneIn(6, REFUSED))(
  '%s is refused, and what to do is said',
  async (_what, sourceSql, destinationSql, said) => {
    await using pair = await freshPair({ tables: [config('t')], sourceSql, destinationSql });
    await expectRefusal(pair, { ...said, what: [said.what] });
    expect((await increp('check', pair)).stdout).toContain(said.what.slice(0, 30));
    // The way out that is always there.
    await pair.writeTables([config('t', { types: 'text' })]);
    await sync(pair);
    await expectSameRows(pair, 't');
  },
);

slowTest('types of another role are used where that is granted, and never altered', async () => {
  await using pair = await freshPair(moods());
  await pair.destination.query(`${MOOD} REVOKE USAGE ON TYPE mood FROM PUBLIC`);
  const said = { exitCode: 77, code: 'PRIVILEGE_MISSING' };
  await expectRefusal(pair, {
    ...said,
    what: ['column "v" of public.t needs the type public.mood, which role', 'may not use'],
    next: 'GRANT USAGE ON TYPE "public"."mood" TO',
  });
  await pair.destination.query('GRANT USAGE ON TYPE mood TO PUBLIC');
  await sync(pair);
  await expectSameRows(pair, 't');
  await pair.source.query(`ALTER TYPE mood ADD VALUE 'new' BEFORE 'ok'`);
  await expectRefusal(pair, {
    ...said,
    what: ['needs labels that the enum public.mood lacks', 'does not own that enum'],
    next: `ALTER TYPE "public"."mood" ADD VALUE IF NOT EXISTS 'new' AFTER 'sad'`,
  });
});

slowTest('enums, domains, ranges and composite types can be merge keys', async () => {
  await using pair = await freshPair({
    tables: [config('t', { unique_cols: ['m', 'p', 'r', 'c', 'ms'], deletes: 'hard', deletes_every: '0s' })],
    sourceSql: `${MOOD} CREATE DOMAIN price AS numeric; CREATE TYPE span AS RANGE (subtype = float8);
      CREATE TYPE pair AS (n int, m mood);
      CREATE TABLE t (m mood, p price, r span, c pair, ms mood[], changed timestamptz NOT NULL DEFAULT now(), w text);
      INSERT INTO t SELECT m, i, span(i, i + 1), (i, m)::pair, ARRAY[m], timestamptz '2026-01-01' + i * interval '1 hour', 'w'
      FROM generate_series(1, 20) i, unnest(enum_range(NULL::mood)) m`,
    destinationSql: `${MOOD} CREATE TYPE span AS RANGE (subtype = float8); CREATE TYPE pair AS (n int, m mood)`,
  });
  await sync(pair);
  await pair.source.query(`UPDATE t SET w = 'x', changed = now() WHERE p = 3; DELETE FROM t WHERE p = 4;
    UPDATE t SET w = 'silent' WHERE p = 5`);
  await pair.destination.query(`DELETE FROM t WHERE p = 6`);
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 3, rows_deleted: 3 });
  expect((await increp('verify --repair', pair)).exitCode).toBe(0);
  await expectSameRows(pair, 't');
});

test('a changed setting is the reason of the load, not an altered destination table', async () => {
  await using pair = await freshPair(moods({ types: 'text' }));
  await sync(pair);
  for (const [from, to] of [
    ['text', 'native'],
    ['native', 'text'],
  ]) {
    await pair.writeTables([config('t', { types: to })]);
    const { summary } = await sync(pair);
    expect(summary.warnings).toEqual([]);
    expect(summary.tables[0]?.reason).toContain(`types changed from "${from}" to "${to}"`);
  }
});
