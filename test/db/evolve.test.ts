/** `on_schema_change: "evolve"`: the copy takes the shape of its source where it stands. */
import { expect, test } from 'vitest';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const config = (name: string, more: object = {}) => ({
  name,
  replication_key: 'changed',
  unique_cols: ['id'],
  initial_load: 'copy',
  on_schema_change: 'evolve',
  ...more,
});

/** A table with types of its own, so that many of them can change in one pair of databases. */
const sqlOf = (name: string) => `
  CREATE TYPE ${name}_mood AS ENUM ('sad', 'ok'); CREATE TYPE ${name}_pair AS (a int, b text);
  CREATE DOMAIN ${name}_cents AS numeric(8,2);
  CREATE TABLE ${name} (id int PRIMARY KEY, changed timestamptz(3) NOT NULL DEFAULT now(), n int, small smallint,
    word varchar(20) NOT NULL, price numeric(8,2), m ${name}_mood, p ${name}_pair, c ${name}_cents, f real, day date,
    moment timestamp(2), flags bit varying(8), label text, bare varchar, spans varchar(5)[]);
  INSERT INTO ${name} SELECT i, timestamptz '2026-01-01' + i * interval '1 min', i, i, 'w' || i, i / 3.0, 'sad', ROW(i, 'x')::${name}_pair, 1, i / 3.0,
    date '2026-01-01' + i, timestamp '2026-01-01 10:00:00.12' + i * interval '0.07s', B'101', 'l' || i, 'b', '{a,b}'
    FROM generate_series(1, 9) i;`;

const query = async (pair: Pair, sql: string) =>
  (await pair.destination.query<Record<string, unknown>>(sql)).rows;

/** Which rows of the copy have been written by which transaction. */
const writers = async (pair: Pair, table: string, where = 'true') =>
  query(pair, `SELECT id, xmin::text FROM ${table} WHERE ${where} ORDER BY id`);

interface Change {
  readonly what: string;
  readonly sql: string;
  /** Rows that are copied by a column of theirs; all of nine unless told. */
  readonly filled: number;
  /** Whether rows have to be written at all. */
  readonly isRewritten?: boolean;
}

/** Done in place. */
const IN_PLACE: readonly Change[] = [
  { what: 'a column is added', sql: 'ALTER TABLE t ADD COLUMN more int', filled: 0 },
  { what: 'with a default', sql: `ALTER TABLE t ADD COLUMN more text DEFAULT 'x'`, filled: 9 },
  {
    what: 'with a changing default',
    sql: 'ALTER TABLE t ADD COLUMN more uuid NOT NULL DEFAULT gen_random_uuid()',
    filled: 9,
  },
  {
    what: 'and some rows got a value',
    sql: 'ALTER TABLE t ADD COLUMN more xml; UPDATE t SET more = \'<?xml version="1.0"?><a/>\' WHERE id < 4',
    filled: 3,
  },
  { what: 'a column is dropped', sql: 'ALTER TABLE t DROP COLUMN label', filled: 0 },
  { what: 'a column is renamed', sql: 'ALTER TABLE t RENAME COLUMN label TO lbl', filled: 9 },
  { what: 'an integer is widened', sql: 'ALTER TABLE t ALTER n TYPE bigint', filled: 0, isRewritten: true },
  { what: 'to numeric', sql: 'ALTER TABLE t ALTER n TYPE numeric(12,2)', filled: 0, isRewritten: true },
  { what: 'smallint', sql: 'ALTER TABLE t ALTER small TYPE int', filled: 0, isRewritten: true },
  { what: 'the key is widened', sql: 'ALTER TABLE t ALTER id TYPE bigint', filled: 0, isRewritten: true },
  {
    what: 'with another value',
    sql: 'ALTER TABLE t ALTER n TYPE bigint USING n * 10',
    filled: 9,
    isRewritten: true,
  },
  { what: 'a length grows', sql: 'ALTER TABLE t ALTER word TYPE varchar(30)', filled: 0 },
  { what: 'a length is lifted', sql: 'ALTER TABLE t ALTER word TYPE text', filled: 0 },
  { what: 'upper case', sql: 'ALTER TABLE t ALTER word TYPE text USING upper(word)', filled: 9 },
  { what: 'varchar', sql: 'ALTER TABLE t ALTER bare TYPE text', filled: 0 },
  { what: 'an array', sql: 'ALTER TABLE t ALTER spans TYPE varchar(9)[]', filled: 0, isRewritten: true },
  { what: 'a precision grows', sql: 'ALTER TABLE t ALTER price TYPE numeric(10,2)', filled: 0 },
  { what: 'a scale grows', sql: 'ALTER TABLE t ALTER price TYPE numeric(9,3)', filled: 0, isRewritten: true },
  { what: 'no limit', sql: 'ALTER TABLE t ALTER price TYPE numeric', filled: 0 },
  { what: 'real', sql: 'ALTER TABLE t ALTER f TYPE double precision', filled: 0, isRewritten: true },
  { what: 'date', sql: 'ALTER TABLE t ALTER day TYPE timestamp', filled: 0, isRewritten: true },
  { what: 'moment', sql: 'ALTER TABLE t ALTER moment TYPE timestamp(4)', filled: 0 },
  { what: 'the replication key', sql: 'ALTER TABLE t ALTER changed TYPE timestamptz', filled: 0 },
  { what: 'bits', sql: 'ALTER TABLE t ALTER flags TYPE bit varying', filled: 0 },
  { what: 'NOT NULL is dropped', sql: 'ALTER TABLE t ALTER word DROP NOT NULL', filled: 0 },
  { what: 'NOT NULL is set', sql: 'ALTER TABLE t ALTER n SET NOT NULL', filled: 0 },
  { what: 'a collation', sql: 'ALTER TABLE t ALTER label TYPE text COLLATE "C"', filled: 0 },
  { what: 'an identity', sql: 'ALTER TABLE t ALTER id ADD GENERATED ALWAYS AS IDENTITY', filled: 0 },
  { what: 'dropped and added', sql: 'ALTER TABLE t DROP COLUMN label, ADD COLUMN label text', filled: 9 },
  {
    what: 'with another type',
    sql: `ALTER TABLE t DROP COLUMN n, ADD COLUMN n inet DEFAULT '::1'`,
    filled: 9,
  },
  {
    what: 'generated',
    sql: 'ALTER TABLE t DROP COLUMN n, ADD COLUMN n int GENERATED ALWAYS AS (id * 2) STORED',
    filled: 9,
  },
  { what: 'a label is renamed', sql: `ALTER TYPE t_mood RENAME VALUE 'sad' TO 'blue'`, filled: 9 },
  { what: 'a field is gone', sql: 'ALTER TYPE t_pair DROP ATTRIBUTE b', filled: 9 },
  { what: 'a type is renamed', sql: 'ALTER TYPE t_mood RENAME TO t_feeling', filled: 0 },
  { what: 'a domain is left', sql: 'ALTER TABLE t ALTER c TYPE numeric(8,2)', filled: 0 },
];

/** Not without a new load, and why. */
const RESETS: readonly (readonly [what: string, sql: string, why: string])[] = [
  ['narrowed', 'ALTER TABLE t ALTER n TYPE smallint', 'cannot become smallint in place'],
  ['to text', 'ALTER TABLE t ALTER n TYPE text', 'cannot become text in place'],
  ['shorter', 'ALTER TABLE t ALTER word TYPE varchar(10)', 'cannot become character varying(10) in place'],
  ['another key', 'ALTER TABLE t ALTER id TYPE bigint USING id + 100', 'no longer identifies the rows'],
  [
    'the key is made anew',
    'ALTER TABLE t DROP COLUMN id, ADD COLUMN id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY',
    'column "id" of unique_cols is not the same column as before',
  ],
  [
    'the replication key is another kind',
    'ALTER TABLE t ALTER changed TYPE timestamp',
    'column "changed" of replication_key has another order than before',
  ],
  [
    'the key of changes holds other values',
    `ALTER TABLE t ALTER changed TYPE timestamptz(6) USING changed - interval '1 day'`,
    'holds other values than before',
  ],
  [
    'the table is another one',
    'CREATE TABLE o (LIKE t INCLUDING ALL); INSERT INTO o SELECT * FROM t; DROP TABLE t; ALTER TABLE o RENAME TO t; GRANT SELECT ON t TO PUBLIC',
    'dropped and created again',
  ],
];

/** The same for table number `place`. */
const at = (place: number, text: string) =>
  text
    .replaceAll('TABLE t', `TABLE t${place}`)
    .replaceAll('UPDATE t ', `UPDATE t${place} `)
    .replaceAll(/\b(LIKE|FROM|RENAME TO|ON) t\b/g, `$1 t${place}`)
    .replaceAll(/\bo\b/g, `o${place}`)
    .replaceAll('t_', `t${place}_`);

test('what loses nothing is done in place, in one sync, and writes no row that need not be written', async () => {
  const changes = oneIn(3, IN_PLACE);
  const names = changes.map((_change, place) => `t${place}`);
  await using pair = await freshPair({
    tables: names.map((name) => config(name)),
    sourceSql: names.map(sqlOf).join(''),
  });
  await sync(pair);
  const oids = async () =>
    query(pair, `SELECT relname, oid FROM pg_class WHERE relname = ANY ('{${names.join()}}') ORDER BY 1`);
  const [before, written] = [await oids(), await Promise.all(names.map((name) => writers(pair, name)))];
  for (const [place, { sql }] of changes.entries()) {
    await pair.source.query(at(place, sql));
    await pair.source.query(`UPDATE t${place} SET small = -1, changed = now() WHERE id = 2;`);
  }
  const result = await sync(pair, '--verify');
  for (const [place, { what, filled, isRewritten = false }] of changes.entries()) {
    const label = `${place} ${what}`;
    const table = result.table(`t${place}`);
    expect(table, label).toMatchObject({ action: 'incremental', rows_read: 2, rows_updated: 1 });
    expect(table.reason, label).toMatch(
      new RegExp(`: the destination table (was altered in place|kept its shape), ${filled} row`),
    );
    await expectSameRows(pair, `t${place}`);
    if (filled === 0 && !isRewritten)
      expect(await writers(pair, `t${place}`, 'id <> 2'), label).toEqual(
        written[place]?.filter(({ id }) => id !== 2),
      );
  }
  expect(await oids()).toEqual(before);
  const next = await sync(pair);
  expect(next.summary.tables.map(({ action, rows_read }) => [action, rows_read])).toEqual(
    names.map(() => ['incremental', 0]),
  );
  expect(next.table('t0').reason).toBe('the cursor is known');
});

slowTest('the copy has the types and the nullability of its source', async () => {
  const names = IN_PLACE.map((_change, place) => `t${place}`);
  await using pair = await freshPair({
    tables: names.map((name) => config(name)),
    sourceSql: names.map(sqlOf).join(''),
  });
  await sync(pair);
  for (const [place, { sql }] of IN_PLACE.entries()) await pair.source.query(at(place, sql));
  await sync(pair);
  const shapes = async () =>
    query(
      pair,
      `SELECT attrelid::regclass::text AS table, json_agg(attname || format_type(atttypid, atttypmod) || attnotnull ORDER BY attname) AS columns
       FROM pg_attribute WHERE attrelid::regclass::text = ANY ('{${names.join()}}') AND attnum > 0 AND NOT attisdropped
       GROUP BY 1 ORDER BY 1`,
    );
  const evolved = await shapes();
  await pair.destination.query(`DROP TABLE ${names.join()}`);
  await sync(pair);
  expect(evolved).toEqual(await shapes());
});

slowTest('anything else loads the table again, and says why', async () => {
  const names = RESETS.map((_change, place) => `t${place}`);
  await using pair = await freshPair({
    tables: names.map((name) => config(name)),
    sourceSql: names.map(sqlOf).join(''),
  });
  await sync(pair);
  for (const [place, [, sql]] of RESETS.entries()) await pair.source.query(at(place, sql));
  // Other keys are other rows: more of the old ones go than a load may remove by itself.
  const result = await sync(pair, '--force');
  for (const [place, [what, , why]] of RESETS.entries()) {
    expect(result.table(`t${place}`), what).toMatchObject({ action: 'reset' });
    expect(result.table(`t${place}`).reason, what).toContain(why);
    await expectSameRows(pair, `t${place}`);
  }
});
