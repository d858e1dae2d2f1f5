/** Names that people really give to tables and columns, and names that are not ours to take. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { patternOf } from '../../src/schema/patterns.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { LOADERS_TRIED, oneIn, slowTest, slowKind } from '../support/tier.ts';

const id = (name: string) => `"${name.replaceAll('"', '""')}"`;

const TABLES = [
  'select',
  'user',
  'table',
  'MixedCase',
  'mixedcase',
  'MIXEDCASE',
  'with space',
  ' leading',
  'trailing ',
  'a.b',
  '..',
  '.',
  '../x',
  'a/b',
  'a\\b',
  'quo"te',
  '"',
  "it's",
  '100%',
  '%s',
  '%2e',
  'tab\there',
  'new\nline',
  'cr\rhere',
  '😀',
  'größe',
  '1st',
  '-dash',
  '--',
  '$1',
  '{x}',
  '*',
  '_',
  'a;b',
  'a,b',
  '(a)',
  'json',
  'COPY',
  'con',
  'nul',
  'é',
  'e\u0301',
  'a'.repeat(59),
  'b'.repeat(60),
  'c'.repeat(63),
  `${'p'.repeat(60)}abc`,
  `${'p'.repeat(60)}abd`,
  'ü'.repeat(31),
  `x${'ü'.repeat(31)}`,
  '😀'.repeat(15),
];

const COLUMNS = [
  't',
  's',
  'image',
  'image_',
  'ranked',
  'place',
  'rank',
  'hashed',
  'select',
  'MixedCase',
  'mixedcase',
  'with space',
  'a.b',
  'quo"te',
  "it's",
  '100%',
  'tab\there',
  'new\nline',
  '😀',
  '1st',
  '"',
  ' ',
  ',',
  '()',
  ') FROM stdin;',
  '\\.',
  'ctid_',
  'oid',
  'x'.repeat(63),
  'ü'.repeat(31),
  'key',
  'content',
  'pending',
  'row',
];

const config = (name: string, more: object = {}) => ({
  name: patternOf(name),
  replication_key: 'changed',
  unique_cols: ['id'],
  ...more,
});

const tableSql = (name: string, rows = 3) => `
  CREATE TABLE ${id(name)} (id int PRIMARY KEY, changed timestamptz NOT NULL DEFAULT now(), word text);
  INSERT INTO ${id(name)} SELECT i, now(), '${name.replaceAll("'", "''")}' || i FROM generate_series(1, ${rows}) i`;

/** Some fifty tables, each with a dump of its own, twice. */
const TIMEOUT = 180_000;

testWithPgDump.each(LOADERS_TRIED)(
  'tables of every name, loaded by %s and brought up to date',
  async (loader) => {
    const names = oneIn(7, TABLES);
    await using pair = await freshPair({
      tables: names.map((name) => config(name, { initial_load: loader })),
      sourceSql: names.map((name) => tableSql(name)).join(';'),
    });
    const first = await sync(pair, '', { timeout: TIMEOUT });
    for (const name of names) {
      expect(first.table(name), name).toMatchObject({ loader, rows_inserted: 3 });
      await expectSameRows(pair, name);
    }
    await pair.source.query(
      names
        .map(
          (name) =>
            `INSERT INTO ${id(name)} VALUES (4); UPDATE ${id(name)} SET word = 'new', changed = now() WHERE id = 1`,
        )
        .join(';'),
    );
    const second = await sync(pair, '', { timeout: TIMEOUT });
    for (const name of names) {
      expect(second.table(name), name).toMatchObject({
        action: 'incremental',
        rows_inserted: 1,
        rows_updated: 1,
      });
      await expectSameRows(pair, name);
    }
    const all = await readdir(join(pair.directory, 'sync-state'));
    const files = all.filter((file) => file !== 'history.jsonl');
    expect(new Set(files.map((file) => file.toLowerCase())).size).toBe(names.length);
    expect((await sync(pair, '--full-refresh', { timeout: TIMEOUT })).summary.status).toBe('ok');
  },
  TIMEOUT,
);

test.each(LOADERS_TRIED)(
  'columns of every name, loaded by %s and merged',
  async (loader) => {
    await using pair = await freshPair({
      tables: [
        config('wide', { initial_load: loader }),
        { ...config('strange'), replication_key: 'new\nline', unique_cols: ['t', 's', 'quo"te'] },
      ],
      sourceSql: `
      CREATE TABLE wide (id int PRIMARY KEY, changed timestamptz NOT NULL DEFAULT now(), ${COLUMNS.map((name) => `${id(name)} text DEFAULT md5(random()::text)`).join(', ')});
      INSERT INTO wide (id) SELECT generate_series(1, 5);
      CREATE TABLE strange (t int, s text, "quo""te" date, "new\nline" timestamp DEFAULT now(), image json DEFAULT '{}', PRIMARY KEY (t, s, "quo""te"));
      INSERT INTO strange VALUES (1, 'a', '2024-01-01'), (1, 'b', '2024-01-01')`,
    });
    await sync(pair, '', { timeout: TIMEOUT });
    await expectSameRows(pair, 'wide');
    await expectSameRows(pair, 'strange');
    await pair.source.query(`
    UPDATE wide SET t = 'x', ") FROM stdin;" = NULL, changed = now() WHERE id < 3; INSERT INTO wide (id) VALUES (6);
    UPDATE strange SET image = '{"a": 1}', "new\nline" = now(); INSERT INTO strange VALUES (2, '', '2024-01-01')`);
    const second = await sync(pair, '', { timeout: TIMEOUT });
    expect(second.table('wide')).toMatchObject({ action: 'incremental', rows_inserted: 1, rows_updated: 2 });
    await expectSameRows(pair, 'wide');
    await expectSameRows(pair, 'strange');
    // Another order of columns at the destination takes the other way of comparing rows.
    await pair.destination.query(
      `ALTER TABLE wide ADD COLUMN theirs int; ALTER TABLE strange ADD COLUMN theirs int`,
    );
    await pair.source.query(
      `UPDATE wide SET s = 'y', changed = now(); UPDATE strange SET image = '[]', "new\nline" = now()`,
    );
    const third = await sync(pair, '', { timeout: TIMEOUT });
    expect(third.table('wide')).toMatchObject({ action: 'incremental', rows_updated: 6 });
    expect(third.table('strange')).toMatchObject({ action: 'incremental', rows_updated: 3 });
    await expectSameRows(pair, 'wide');
    await expectSameRows(pair, 'strange');
  },
  TIMEOUT,
);

const SCHEMAS = [
  ...[
    'select',
    'Mixed "Case" 1.0',
    `100% it's, \\`,
    ' tab\tand\nmore ',
    '😀',
    '$user',
    '-dash',
    '_increp_state',
  ],
  ...['x'.repeat(63), 'ü'.repeat(31)],
];

slowTest(
  'schemas of every name, on either side',
  async () => {
    await using pair = await freshPair();
    const reader = pair.login('source', 'increp').user;
    for (const [place, schema] of SCHEMAS.entries()) {
      const name = `t${place}`;
      const [table, mood] = [`${id(schema)}.${name}`, `${id(schema)}.mood`];
      await pair.source.query(`CREATE SCHEMA ${id(schema)}; GRANT USAGE ON SCHEMA ${id(schema)} TO ${reader};
        CREATE TYPE ${mood} AS ENUM ('ok'); CREATE TABLE ${table} (id int PRIMARY KEY,
          changed timestamptz NOT NULL DEFAULT now(), word text, m ${mood} DEFAULT 'ok');
        INSERT INTO ${table} (id) SELECT generate_series(1, 3); GRANT SELECT ON ${table} TO ${reader}`);
      await pair.writeTables([
        config(name, { initial_load: place % 2 ? 'copy' : 'pg_dump', types: 'native' }),
      ]);
      // Through the environment: how .env quotes is tested elsewhere.
      const env = { SOURCE_SCHEMA: schema, DEST_SCHEMA: SCHEMAS[(place + 1) % SCHEMAS.length] };
      await sync(pair, '', { env });
      await pair.source.query(`UPDATE ${table} SET word = 'new', changed = now() WHERE id = 1`);
      expect((await sync(pair, '', { env })).table(), schema).toMatchObject({
        action: 'incremental',
        rows_updated: 1,
      });
      await expectSameRows({ ...pair, schema }, name, { destinationSchema: env.DEST_SCHEMA ?? '' });
    }
  },
  TIMEOUT,
);

slowKind(testWithPgDump)('views and partitions of strange names', async () => {
  await using pair = await freshPair({
    tables: ['View "1".x', 'all: %s', 'part\n1', 'Mat. view'].map((name) => config(name)),
    sourceSql: `
      CREATE TABLE ${id('all: %s')} (id int, changed timestamptz NOT NULL DEFAULT now(), word text, PRIMARY KEY (id))
        PARTITION BY RANGE (id);
      CREATE TABLE ${id('part\n1')} PARTITION OF ${id('all: %s')} FOR VALUES FROM (0) TO (10);
      CREATE TABLE ${id('part "2"')} PARTITION OF ${id('all: %s')} DEFAULT;
      INSERT INTO ${id('all: %s')} SELECT i, now(), 'w' FROM generate_series(1, 20) i;
      CREATE VIEW ${id('View "1".x')} AS SELECT * FROM ${id('all: %s')} WHERE id % 2 = 0;
      CREATE MATERIALIZED VIEW ${id('Mat. view')} AS SELECT * FROM ${id('all: %s')}`,
  });
  await sync(pair);
  await pair.source.query(`UPDATE ${id('all: %s')} SET word = 'x', changed = now() WHERE id IN (2, 12);
    REFRESH MATERIALIZED VIEW ${id('Mat. view')}`);
  const second = await sync(pair);
  for (const name of ['View "1".x', 'all: %s', 'part\n1', 'Mat. view']) {
    expect(second.table(name).action, name).toBe('incremental');
    await expectSameRows(pair, name);
  }
});

/** As many as a table can have. */
const MOST_COLUMNS = 1600;

slowTest.each(LOADERS_TRIED)(
  'a table of as many columns as there can be, with long names, loaded by %s and merged',
  async (loader) => {
    const columns = Array.from({ length: MOST_COLUMNS - 2 }, (_, place) =>
      id(`${'long name '.repeat(5)}${place} ü`),
    );
    await using pair = await freshPair({
      tables: [config('wide', { initial_load: loader })],
      sourceSql: `CREATE TABLE wide (id int PRIMARY KEY, changed timestamptz NOT NULL DEFAULT now(),
        ${columns.map((column) => `${column} int DEFAULT 1`).join(', ')}); INSERT INTO wide SELECT generate_series(1, 5)`,
    });
    expect((await sync(pair)).table()).toMatchObject({ loader });
    await expectSameRows(pair, 'wide');
    await pair.source.query(`UPDATE wide SET ${columns.at(-1)} = 2, changed = now() WHERE id = 1`);
    expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_updated: 1 });
    await expectSameRows(pair, 'wide');
    // Another order of columns compares the rows in another way.
    await pair.destination.query(`ALTER TABLE wide DROP COLUMN ${columns[0]}`);
    expect((await sync(pair)).table().action).toBe('reset');
    await pair.source.query(`UPDATE wide SET ${columns.at(-1)} = 3, changed = now() WHERE id = 1`);
    await sync(pair);
    expect((await increp('verify', pair)).exitCode).toBe(0);
    await expectSameRows(pair, 'wide');
  },
);

slowTest('a table may be called as the index of another, in whatever order they come', async () => {
  await using pair = await freshPair({
    tables: ['a', 'a_pkey', 'b_pkey', 'b'].map((name) => config(name, { initial_load: 'copy' })),
    sourceSql: ['a_pkey', 'b_pkey', 'a', 'b']
      .map((name) => tableSql(name).replace('PRIMARY KEY', `CONSTRAINT ${name}_own PRIMARY KEY`))
      .join(';'),
  });
  for (const column of ['c1', 'c2', 'c3']) {
    await sync(pair);
    for (const name of ['a', 'a_pkey', 'b_pkey', 'b']) {
      await expectSameRows(pair, name);
      // Another shape is put in place by a swap, which makes the index anew.
      await pair.source.query(`ALTER TABLE ${name} ADD COLUMN ${column} int`);
    }
  }
});

test('a schema of a strange name, and another one at the destination', async () => {
  const schema = `My "schema" 1.0`;
  await using pair = await freshPair({
    schema,
    tables: [config('MixedCase')],
    sourceSql: tableSql('MixedCase'),
  });
  await pair.setEnv({ DEST_SCHEMA: 'copy of %s' });
  await sync(pair);
  await expectSameRows(pair, 'MixedCase', { destinationSchema: 'copy of %s' });
});

slowTest.each(oneIn(2, ['x'.repeat(60), 'copy of users']))(
  'a table "%s_stg" that is not ours is refused, and stays as it is',
  async (name) => {
    await using pair = await freshPair({
      tables: [config(name), config('fine')],
      sourceSql: `${tableSql(name)}; ${tableSql('fine')}`,
    });
    await sync(pair, 'fine');
    const staging = name.length > 59 ? await stagingNameOf(pair, name) : `${name}_stg`;
    await pair.destination.query(`CREATE TABLE ${id(staging)} AS SELECT 42 AS precious`);
    const result = await trySync(pair);
    expect(result.exitCode).toBe(3);
    expect(result.table(name).error?.code).toBe('STAGING_NAME_CONFLICT');
    expect(result.table(name).error?.message).toContain(
      `${staging} exists at the destination, and increp did not create it`,
    );
    expect(result.table('fine').status).toBe('ok');
    expect((await pair.destination.query(`SELECT * FROM ${id(staging)}`)).rows).toEqual([{ precious: 42 }]);
  },
);

/** Only increp knows how it cuts and hashes; it tells by making one. */
async function stagingNameOf(pair: Awaited<ReturnType<typeof freshPair>>, name: string): Promise<string> {
  await sync(pair, name);
  await pair.source.query(`INSERT INTO ${id(name)} VALUES (77)`);
  await sync(pair, name);
  const { rows } = await pair.destination.query<{ relname: string }>(
    `SELECT relname FROM pg_class WHERE relname LIKE '%\\_stg' AND relname LIKE $1`,
    [`${name.slice(0, 20)}%`],
  );
  const staging = rows[0]?.relname ?? '';
  await pair.destination.query(`DROP TABLE ${id(staging)}`);
  return staging;
}

test('a source table that is called as the staging table of another is refused, not mixed up', async () => {
  await using pair = await freshPair({
    tables: [config('a'), config('a_stg')],
    sourceSql: `${tableSql('a', 3)}; ${tableSql('a_stg', 5)}`,
  });
  const refused = await increp('sync', pair);
  expect(refused.exitCode).toBe(78);
  expect(refused.stderr).toContain('"a_stg" is the staging table of');
  await pair.writeTables([config('a'), config('a_stg', { dest_name: 'b' })]);
  for (let run = 0; run < 2; run += 1) {
    await sync(pair);
    await expectSameRows(pair, 'a');
    await expectSameRows(pair, 'a_stg', { destinationTable: 'b' });
  }
});
