/** Databases of other encodings than UTF8: text arrives as the text that it is, or the table is refused. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn } from '../support/tier.ts';

const LOADERS = ['pg_dump', 'copy'] as const;

/** `text` can be written in the encoding. */
const ENCODINGS = [
  { encoding: 'LATIN1', text: 'Größe ÿ ½ ¿', name: 'größe' },
  { encoding: 'WIN1252', text: 'Zehn € – “gut” …', name: 'größe €' },
  { encoding: 'EUC_JP', text: '日本語とカタカナ', name: '表' },
] as const;

const nameOf = (loader: string, name: string) => `${name} ${loader}`;

const tablesOf = (name: string) =>
  LOADERS.map((loader) => ({
    name: nameOf(loader, name),
    replication_key: 'updated_at',
    unique_cols: [name],
    initial_load: loader,
    deletes: 'hard',
  }));

/** The key is text of that encoding too. */
const sourceSql = (name: string, text: string) =>
  LOADERS.map(
    (loader) => /* sql */ `
    CREATE TABLE "${nameOf(loader, name)}" ("${name}" text PRIMARY KEY, id int, doc json, words text[], code varchar(40),
      updated_at timestamptz NOT NULL DEFAULT now());
    INSERT INTO "${nameOf(loader, name)}" SELECT i || '${text}', i, to_json('${text}'::text), ARRAY['${text}', 'x'], '${text}'
      FROM generate_series(1, 300) i`,
  ).join(';');

const expectCopies = async (pair: Pair, name: string) => {
  for (const loader of LOADERS) await expectSameRows(pair, nameOf(loader, name), { orderBy: 'id' });
};

async function expectFollowed(pair: Pair, name: string): Promise<void> {
  const env = { PGCLIENTENCODING: 'SQL_ASCII' };
  for (const loader of LOADERS)
    expect((await sync(pair, '', { env })).table(nameOf(loader, name))).toMatchObject({ warnings: [] });
  await expectCopies(pair, name);
  for (const loader of LOADERS) {
    const table = `"${nameOf(loader, name)}"`;
    await pair.source.query(`UPDATE ${table} SET code = "${name}", updated_at = now() WHERE id <= 3;
      DELETE FROM ${table} WHERE id = 200; INSERT INTO ${table} ("${name}", id) VALUES ('new', 1000)`);
  }
  for (const table of (await sync(pair, '--deletes', { env })).summary.tables)
    expect(table).toMatchObject({
      action: 'incremental',
      rows_inserted: 1,
      rows_updated: 3,
      rows_deleted: 1,
    });
  await expectCopies(pair, name);
  const verified = await increp('verify', pair, { env });
  expect(verified.exitCode, verified.stdout).toBe(0);
  expect((await sync(pair, '--verify', { env })).exitCode).toBe(0);
}

const PAIRS = [
  ...ENCODINGS.flatMap(({ encoding }) => [
    [encoding, 'UTF8'],
    ['UTF8', encoding],
  ]),
  ['LATIN1', 'LATIN1'],
  ['EUC_JP', 'SQL_ASCII'],
] as const;

for (const [from = '', to = ''] of oneIn(14, PAIRS)) {
  const { text, name } =
    ENCODINGS.find(({ encoding }) => encoding === from || encoding === to) ?? ENCODINGS[0];
  testWithPgDump(`${from} to ${to}: names, keys and values arrive as they are`, async () => {
    await using pair = await freshPair({
      encodings: { source: from, destination: to },
      tables: tablesOf(name),
      sourceSql: sourceSql(name, text),
    });
    await expectFollowed(pair, name);
  });
}

test('a character that the destination cannot write stops its table, and neither the others nor half of it', async () => {
  const table = (name: string) => ({ name, replication_key: 'updated_at', unique_cols: ['id'] });
  await using pair = await freshPair({
    encodings: { destination: 'LATIN1' },
    tables: [table('euro'), table('plain'), table('later')],
    sourceSql: ['euro', 'plain', 'later']
      .map(
        (
          name,
        ) => /* sql */ `CREATE TABLE ${name} (id int PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
          INSERT INTO ${name} SELECT i, CASE WHEN i = 77 AND '${name}' = 'euro' THEN '€' ELSE 'ü' END FROM generate_series(1, 100) i`,
      )
      .join(';'),
  });
  const refusal = {
    code: 'ENCODING_MISMATCH',
    message: expect.stringMatching(
      /destination .* has no equivalent in encoding "LATIN1".*COPY euro_stg, line 77/,
    ) as string,
    hint: expect.stringContaining('UTF8') as string,
  };
  const first = await trySync(pair);
  expect(first.exitCode).toBe(3);
  expect(first.table('euro').error).toMatchObject(refusal);
  expect((await pair.destination.query(`SELECT to_regclass('euro') AS there`)).rows).toEqual([
    { there: null },
  ]);
  await expectSameRows(pair, 'plain', { orderBy: 'id' });
  // A window with such a row is rolled back as a whole, and comes whole when the text is mended.
  await pair.source.query(
    `INSERT INTO later SELECT i, CASE i WHEN 150 THEN '😀' ELSE 'ok' END FROM generate_series(101, 200) i`,
  );
  expect((await trySync(pair, 'later')).table().error).toMatchObject({ code: 'ENCODING_MISMATCH' });
  expect((await pair.destination.query('SELECT FROM later')).rowCount).toBe(100);
  await pair.source.query(
    `UPDATE later SET note = ':-)' WHERE id = 150; UPDATE euro SET note = 'EUR' WHERE id = 77`,
  );
  await sync(pair);
  for (const name of ['euro', 'plain', 'later']) await expectSameRows(pair, name, { orderBy: 'id' });
});

for (const loader of oneIn(2, LOADERS)) {
  testWithPgDump(`SQL_ASCII by ${loader}: bytes that are UTF8 arrive, others stop the table`, async () => {
    await using pair = await freshPair({
      encodings: { source: 'SQL_ASCII' },
      tables: [
        {
          name: 't',
          replication_key: 'updated_at',
          unique_cols: ['id'],
          initial_load: loader,
          deletes: 'hard',
        },
      ],
      sourceSql: /* sql */ `CREATE TABLE t (id text PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
        INSERT INTO t VALUES ('ä', '日本語'), ('b', 'plain')`,
    });
    await sync(pair, '--verify');
    await expectSameRows(pair, 't');
    expect((await increp('verify', pair)).exitCode).toBe(0);
    await pair.source.query(`INSERT INTO t VALUES ('c', E'\\xfc')`);
    for (const args of ['', '--full-refresh']) {
      const { code, message } = (await trySync(pair, args)).table().error ?? {};
      // pg_dump's failures are told in its own words.
      expect(code).toBe(args !== '' && loader === 'pg_dump' ? 'DUMP_FAILED' : 'ENCODING_MISMATCH');
      expect(message).toContain('invalid byte sequence for encoding "UTF8": 0xfc');
    }
    expect((await pair.destination.query('SELECT FROM t')).rowCount).toBe(2);
    await pair.source.query(`DELETE FROM t WHERE id = 'c'`);
    await sync(pair, '--deletes');
    await expectSameRows(pair, 't');
  });
}

test('a name that is longer in UTF8 than Postgres allows is refused, not cut', async () => {
  const [name, neighbour] = ['ü'.repeat(40), `${'ü'.repeat(39)}a`];
  await using pair = await freshPair({
    encodings: { source: 'LATIN1' },
    tables: [{ name: 't', replication_key: 'updated_at', unique_cols: ['id'] }],
    sourceSql: `CREATE TABLE t (id int PRIMARY KEY, "${name}" int, "${neighbour}" int, updated_at timestamptz DEFAULT now())`,
  });
  const { error } = (await trySync(pair)).table();
  expect(error).toMatchObject({
    code: 'ENCODING_MISMATCH',
    message: expect.stringContaining(name) as string,
  });
  expect((await pair.destination.query(`SELECT to_regclass('t') AS there`)).rows).toEqual([{ there: null }]);
});
