/** The source table changes shape: it is noticed, told, and the copy is a copy again. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

/** By COPY, because two processes a table take their time. */
const config = (name: string) => ({
  name,
  replication_key: 'changed',
  unique_cols: ['id'],
  initial_load: 'copy',
});

const CONFIG = config('t');

/** A table with types of its own, so that many of them can change in one pair of databases. */
const sqlOf = (name: string) => `
  CREATE TYPE ${name}_mood AS ENUM ('sad', 'ok'); CREATE TYPE ${name}_pair AS (a int, b text);
  CREATE DOMAIN ${name}_cents AS numeric(8,2); CREATE TYPE ${name}_tone AS ENUM ('low', 'high');
  CREATE TYPE ${name}_song AS (n int, tone ${name}_tone);
  CREATE TABLE ${name} (id int PRIMARY KEY, changed timestamptz NOT NULL DEFAULT now(), n int,
    word varchar(20) NOT NULL, price numeric(8,2), m ${name}_mood, p ${name}_pair, c ${name}_cents, twice int, label text,
    songs ${name}_song[]);
  INSERT INTO ${name} SELECT i, '2026-01-01', i, 'w' || i, i / 3.0, 'sad', ROW(i, 'x')::${name}_pair, 1, 2, 'l',
    ARRAY[ROW(1, 'low')]::${name}_song[]
    FROM generate_series(1, 9) i;`;

const SQL = sqlOf('t');

interface PlanJson {
  readonly tables: readonly { readonly action: string; readonly reason: string; readonly error: unknown }[];
}

const planOf = async (pair: Pair) => (await increp('plan --json', pair)).json<PlanJson>().tables[0];

/** What happens to a table, the statement, and the sentence that tells it. */
const CHANGES: readonly (readonly [what: string, statement: string, sentence: string])[] = [
  [
    'a column is added',
    'ALTER TABLE t ADD COLUMN more int',
    'column "more" (integer) was added at the source',
  ],
  [
    'a column is added with a default',
    `ALTER TABLE t ADD COLUMN more text DEFAULT 'x'`,
    'column "more" (text) was added at the source',
  ],
  [
    'a column is added with a changing default',
    'ALTER TABLE t ADD COLUMN more uuid NOT NULL DEFAULT gen_random_uuid()',
    'column "more" (uuid) was added at the source',
  ],
  ['a column is dropped', 'ALTER TABLE t DROP COLUMN label', 'column "label" was dropped at the source'],
  [
    'a column is renamed',
    'ALTER TABLE t RENAME COLUMN label TO lbl',
    'column "label" was dropped at the source; column "lbl" (text) was added at the source',
  ],
  [
    'a column is widened',
    'ALTER TABLE t ALTER n TYPE bigint',
    'column "n" changed type from integer to bigint at the source',
  ],
  [
    'a column is narrowed',
    'ALTER TABLE t ALTER n TYPE smallint',
    'column "n" changed type from integer to smallint at the source',
  ],
  [
    'a column becomes text',
    'ALTER TABLE t ALTER n TYPE text',
    'column "n" changed type from integer to text at the source',
  ],
  [
    'a length is changed',
    'ALTER TABLE t ALTER word TYPE varchar(30)',
    'column "word" changed type from character varying(20) to character varying(30) at the source',
  ],
  [
    'a length is lifted',
    'ALTER TABLE t ALTER word TYPE text',
    'column "word" changed type from character varying(20) to text at the source',
  ],
  [
    'a scale is changed',
    'ALTER TABLE t ALTER price TYPE numeric(9,3)',
    'column "price" changed type from numeric(8,2) to numeric(9,3) at the source',
  ],
  [
    'NOT NULL is dropped',
    'ALTER TABLE t ALTER word DROP NOT NULL',
    'column "word" changed nullability from NOT NULL to nullable at the source',
  ],
  [
    'NOT NULL is set',
    'ALTER TABLE t ALTER n SET NOT NULL',
    'column "n" changed nullability from nullable to NOT NULL at the source',
  ],
  [
    'a collation is changed',
    'ALTER TABLE t ALTER label TYPE text COLLATE "C"',
    'column "label" changed collation from the default to pg_catalog."C" at the source',
  ],
  [
    'an identity is added',
    'ALTER TABLE t ALTER id ADD GENERATED ALWAYS AS IDENTITY',
    'column "id" changed identity from no identity to GENERATED ALWAYS identity at the source',
  ],
  [
    'a column is dropped and added again',
    'ALTER TABLE t DROP COLUMN label, ADD COLUMN label text',
    'column "label" was dropped and added again at the source',
  ],
  [
    'two columns go and one comes back with another type',
    'ALTER TABLE t DROP COLUMN label, DROP COLUMN n, ADD COLUMN n date',
    'column "label" was dropped at the source; column "n" changed type from integer to date at the source',
  ],
  [
    'a column becomes generated',
    'ALTER TABLE t DROP COLUMN twice, ADD COLUMN twice int GENERATED ALWAYS AS (id * 2) STORED',
    'column "twice" changed generation from an ordinary column to a stored generated column at the source',
  ],

  [
    'an enum label is renamed',
    `ALTER TYPE t_mood RENAME VALUE 'sad' TO 'blue'`,
    `type public.t_mood of column "m" no longer has the label 'sad'`,
  ],
  [
    'a composite type loses a field',
    'ALTER TYPE t_pair DROP ATTRIBUTE b',
    'type public.t_pair of column "p" no longer has the field b text',
  ],
  [
    'a composite type gets a field',
    'ALTER TYPE t_pair ADD ATTRIBUTE c int',
    'type public.t_pair of column "p" has other fields than before',
  ],
  [
    'a type is renamed',
    'ALTER TYPE t_mood RENAME TO t_feeling',
    'column "m" changed type from public.t_mood to public.t_feeling at the source',
  ],
  [
    'a label of an enum within a composite type is renamed',
    `ALTER TYPE t_tone RENAME VALUE 'low' TO 'deep'`,
    `type public.t_song[] of column "songs" no longer has the label 'low' of public.t_tone`,
  ],
];

/** After these no old row prints otherwise, so nothing has to be loaded again. */
const HARMLESS: readonly (readonly [what: string, statement: string])[] = [
  ['a label is added deep within a type', `ALTER TYPE t_tone ADD VALUE 'mid'`],
  ['an enum label is added', `ALTER TYPE t_mood ADD VALUE 'glad' BEFORE 'sad'`],
  ['a domain gets another constraint', 'ALTER DOMAIN t_cents ADD CHECK (VALUE > 0)'],
  ['a default is changed', `ALTER TABLE t ALTER label SET DEFAULT 'z'`],
  ['an index is added', 'CREATE INDEX ON t (label)'],
  ['a comment is written', `COMMENT ON TABLE t IS 'words'`],
];

/** The same for table number `place`. */
const at = (place: number, text: string) =>
  text
    .replaceAll('TABLE t', `TABLE t${place}`)
    .replaceAll('ON t ', `ON t${place} `)
    .replaceAll('t_', `t${place}_`);

test('every change of shape is told in one sentence, and the copy is a copy again', async () => {
  const changes = oneIn(3, CHANGES);
  const names = changes.map((_change, place) => `t${place}`);
  await using pair = await freshPair({ tables: names.map(config), sourceSql: names.map(sqlOf).join('') });
  await sync(pair);
  for (const [place, [, statement]] of changes.entries()) await pair.source.query(at(place, statement));
  const plan = (await increp('plan --json', pair)).json<PlanJson>().tables;
  const result = await sync(pair);
  for (const [place, [what, , sentence]] of changes.entries()) {
    const expected = { action: 'reset', reason: at(place, sentence) };
    expect(plan[place], what).toMatchObject(expected);
    expect(result.table(`t${place}`), what).toMatchObject(expected);
    await expectSameRows(pair, `t${place}`);
  }
  const next = await sync(pair);
  expect(next.summary.tables.map(({ action }) => action)).toEqual(names.map(() => 'incremental'));
  for (const name of names) await expectSameRows(pair, name);
});

slowTest('what changes no old row loads nothing again', async () => {
  const names = HARMLESS.map((_change, place) => `t${place}`);
  await using pair = await freshPair({ tables: names.map(config), sourceSql: names.map(sqlOf).join('') });
  await sync(pair);
  for (const [place, [, statement]] of HARMLESS.entries()) await pair.source.query(at(place, statement));
  for (const name of names) await pair.source.query(`INSERT INTO ${name} (id, word, c) VALUES (70, 'w', 5)`);
  const result = await sync(pair);
  for (const [place, [what]] of HARMLESS.entries()) {
    expect(result.table(`t${place}`), what).toMatchObject({ action: 'incremental', rows_inserted: 1 });
    await expectSameRows(pair, `t${place}`);
  }
});

test('a table that was dropped and created again is loaded again, rows that are gone included', async () => {
  await using pair = await freshPair({ tables: [CONFIG], sourceSql: SQL });
  await sync(pair);
  await pair.source
    .query(`CREATE TABLE other (LIKE t INCLUDING ALL); INSERT INTO other SELECT * FROM t WHERE id > 3;
    DROP TABLE t; ALTER TABLE other RENAME TO t; GRANT SELECT ON t TO PUBLIC`);
  const reason = 'the table was dropped and created again at the source, for example by a restore';
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', reason, rows_deleted: 3 });
  await expectSameRows(pair, 't');
});

test('the order of columns at the destination does not matter', async () => {
  await using pair = await freshPair({ tables: [CONFIG], sourceSql: SQL });
  await sync(pair);
  await pair.destination.query(
    `ALTER TABLE t RENAME n TO old; ALTER TABLE t ADD n int; UPDATE t SET n = old; ALTER TABLE t DROP old`,
  );
  await pair.source.query(`UPDATE t SET n = 100, changed = now() WHERE id = 1`);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_updated: 1 });
  await expectSameRows(pair, 't');
});

test.each(
  oneIn(3, [
    [
      'a column is missing',
      'ALTER TABLE t DROP COLUMN label',
      'column "label" is missing at the destination',
    ],
    [
      'a type is another',
      'ALTER TABLE t ALTER n TYPE text',
      'column "n" is text at the destination and must be integer',
    ],
    [
      'a column forbids NULL',
      `ALTER TABLE t ALTER label SET NOT NULL`,
      'column "label" is NOT NULL at the destination but not at the source',
    ],
  ] as const),
)('when at the destination %s, the table is loaded again', async (_what, statement, sentence) => {
  await using pair = await freshPair({ tables: [CONFIG], sourceSql: SQL });
  await sync(pair);
  await pair.destination.query(statement);
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', reason: sentence });
  await expectSameRows(pair, 't');
});

slowTest('on_schema_change "fail" refuses, says why, and changes nothing', async () => {
  await using pair = await freshPair({ tables: [{ ...CONFIG, on_schema_change: 'fail' }], sourceSql: SQL });
  await sync(pair);
  const state = async () =>
    (
      await pair.destination.query(`SELECT (SELECT json_agg(t ORDER BY id) FROM t) AS rows,
      (SELECT json_agg(s) FROM _increp_state s) AS state, 't'::regclass::oid AS oid`)
    ).rows[0] as unknown;
  const before = await state();
  await pair.source.query(`ALTER TABLE t ADD COLUMN more int; UPDATE t SET n = 0, changed = now()`);
  const result = await trySync(pair);
  expect(result.exitCode).toBe(1);
  expect(result.table()).toMatchObject({ status: 'failed', error: { code: 'SCHEMA_CHANGE_REFUSED' } });
  expect(result.table().error?.message).toContain('column "more" (integer) was added at the source');
  expect(result.table().error?.hint).toContain('increp reset t');
  expect((await planOf(pair))?.action).toBe('refused');
  expect(await state()).toEqual(before);
  expect((await increp('reset t', pair)).exitCode).toBe(0);
  await sync(pair);
  await expectSameRows(pair, 't');
});

test('a replication key or merge key that is changed in the config is a reset', async () => {
  await using pair = await freshPair({ tables: [CONFIG], sourceSql: SQL });
  await sync(pair);
  await pair.writeTables([{ ...CONFIG, replication_key: 'n', unique_cols: ['id', 'word'] }]);
  const reason = 'replication_key changed from "changed" to "n"; unique_cols changed from [id] to [id, word]';
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', reason });
  await expectSameRows(pair, 't');
  expect((await sync(pair)).table().action).toBe('incremental');
});
