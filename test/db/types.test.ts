/** Every kind of value, carried as it is: by both loaders, and by an incremental sync. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { sync } from '../support/sync.ts';
import { changesOf, corpusFor, createExtensions, type CorpusTable } from '../support/type-tables.ts';
import { LOADERS_TRIED, oneIn, slowTest } from '../support/tier.ts';

const all = (...texts: string[]) => texts.map((text) => `'${text.replaceAll("'", "''")}'`);

const config = ({ name }: CorpusTable, loader: string) => ({
  name,
  replication_key: 'changed',
  unique_cols: ['id'],
  initial_load: loader,
});

/** More than a hundred tables, each with a dump of its own. */
const TIMEOUT = 180_000;

async function expectAllSame(
  pair: Pair,
  tables: readonly Pick<CorpusTable, 'name' | 'type'>[],
  how: string,
): Promise<void> {
  for (const { name, type } of tables) {
    await expectSameRows(pair, name).catch((error: unknown) => {
      throw new Error(`${type}, ${how}: ${String(error)}`, { cause: error });
    });
  }
}

testWithPgDump.each(LOADERS_TRIED)(
  'every type survives a load by %s and an incremental sync',
  async (loader) => {
    await using pair = await freshPair();
    const { setup, tables: whole } = await corpusFor(pair.source);
    const tables = oneIn(10, whole);
    await pair.source.query(`${setup} ${tables.map(({ sql }) => sql).join(';\n')}`);
    await pair.writeTables(tables.map((table) => config(table, loader)));
    const first = await sync(pair, '', { timeout: TIMEOUT });
    for (const { name, type } of tables) expect(first.table(name).loader, type).toBe(loaderOf(type, loader));
    await expectAllSame(pair, tables, `loaded by ${loader}`);
    await pair.source.query(tables.map(changesOf).join(';'));
    const second = await sync(pair, '', { timeout: TIMEOUT });
    for (const { name, type } of tables) expect(second.table(name).action, type).toBe('incremental');
    await expectAllSame(pair, tables, 'incremental');
    const third = await sync(pair, '', { timeout: TIMEOUT });
    for (const { name, rows_inserted: inserted, rows_updated: updated } of third.summary.tables) {
      expect({ name, inserted, updated }).toEqual({ name, inserted: 0, updated: 0 });
    }
  },
  TIMEOUT,
);

/** What pg_dump prints of it is another value: in the locale of the server, or without what stands in front. */
const loaderOf = (type: string, loader: string) => (/^(money|xml)$/.test(type) ? 'copy' : loader);

/** What identifies rows may be of any type that Postgres can order. */
slowTest('merge keys of every kind of type: merged, compared, repaired, and deleted rows found', async () => {
  await using pair = await freshPair();
  const { extensions } = await corpusFor(pair.source);
  const keys = KEYS.filter(([, , extension]) => extension === undefined || extensions.includes(extension));
  await pair.source
    .query(`${createExtensions(extensions)} CREATE TYPE mood AS ENUM ('sad', 'ok', 'fine', 'best');
    CREATE DOMAIN word AS text; CREATE TYPE pair AS (n int, w text); CREATE DOMAIN moment AS timestamptz(3) NOT NULL;
    ${keys
      .map(
        ([type, values], place) => `CREATE TABLE k${place} (k ${type} PRIMARY KEY, changed moment, w text);
        INSERT INTO k${place} VALUES ${all(...values)
          .map((value, row) => `(${value}, timestamptz '2026-01-01' + ${row} * interval '1 day', 'w')`)
          .join(', ')}`,
      )
      .join(';')}`);
  await pair.writeTables(
    keys.map((_, place) => ({
      ...{ name: `k${place}`, replication_key: 'changed', unique_cols: ['k'], initial_load: 'copy' },
      ...{ deletes: 'hard', deletes_every: '0s' },
    })),
  );
  const tables = keys.map(([type], place) => ({ name: `k${place}`, type }));
  await sync(pair, '', { timeout: TIMEOUT });
  await expectAllSame(pair, tables, 'loaded');
  for (const [place, [, [first, second, third]]] of keys.entries()) {
    await pair.source.query(
      `UPDATE k${place} SET w = 'new', changed = now() WHERE k::text = '${first}';
       UPDATE k${place} SET w = 'unseen', changed = '2020-01-01' WHERE k::text = '${second}';
       DELETE FROM k${place} WHERE k::text = '${third}'`,
    );
  }
  const second = await sync(pair, '', { timeout: TIMEOUT });
  for (const [place, [type]] of keys.entries())
    expect(second.table(`k${place}`), type).toMatchObject({ rows_updated: 1, rows_deleted: 1 });
  expect((await increp('verify', pair)).exitCode).toBe(2);
  const repaired = await increp('verify --repair', pair, { timeout: TIMEOUT });
  expect(repaired.exitCode, repaired.stdout + repaired.stderr).toBe(0);
  await expectAllSame(pair, tables, 'repaired');
});

/** Type, values as they print, extension. */
const KEYS: readonly (readonly [string, readonly [string, string, string, string], string?])[] = [
  ['mood', ['sad', 'ok', 'fine', 'best']],
  ['word', ['', ' ', 'A', 'a']],
  ['pair', ['(1,a)', '(1,A)', '(2,"")', '(,)']],
  ['mood[]', ['{}', '{sad}', '{sad,ok}', '{NULL}']],
  ['numrange', ['empty', '[1.0,2)', '[1.00,3)', '(,)']],
  ['bytea', ['\\x', '\\x00', '\\x5c', '\\xff']],
  ['citext', ['a', 'B', 'Straße', 'ç'], 'citext'],
  ['hstore', ['', '"a"=>"1"', '"a"=>NULL', '"b"=>""'], 'hstore'],
  ['ltree', ['', 'Top', 'Top.Science', 'top'], 'ltree'],
  ['isbn', ['0-393-04002-X', '0-19-853453-1', '0-306-40615-2', '0-7475-3269-9'], 'isn'],
  ['cube', ['(1)', '(1),(2)', '(1, 2)', '(0)'], 'cube'],
];

/** Every extension that the server offers and can make; what it cannot, nobody has a column of. */
const MAKE_EXTENSIONS = /* sql */ `
  DO $$ DECLARE extension text; BEGIN
    FOR extension IN SELECT name FROM pg_available_extensions LOOP
      BEGIN EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I CASCADE', extension);
      EXCEPTION WHEN others THEN NULL; END;
    END LOOP;
  END $$`;

/**
 * Types that a column can have. Left out are pseudo-types (no column has them), arrays (made of each line), and the
 * row types of relations (as many as there are relations: "measured" stands for them).
 */
const COLUMN_TYPES = /* sql */ `
  SELECT t.oid::regtype::text AS type FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
  WHERE t.typtype <> 'p' AND t.typnamespace <> 'information_schema'::regnamespace
    AND (c.oid IS NULL OR c.relkind = 'c')
    AND NOT EXISTS (SELECT FROM pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid)`;

test('the corpus has a line for every type of the server and of every extension that it offers', async () => {
  await using pair = await freshPair();
  const { setup, lines, extensions } = await corpusFor(pair.source);
  await pair.source.query(`${createExtensions(extensions)} ${MAKE_EXTENSIONS}; ${setup}`);
  const { rows: known } = await pair.source.query<{ type: string }>(
    'SELECT to_regtype(name)::text AS type FROM unnest($1::text[]) name',
    [lines.map(([type]) => type)],
  );
  const { rows } = await pair.source.query<{ type: string }>(COLUMN_TYPES);
  expect(rows.length).toBeGreaterThan(100);
  const covered = new Set(known.map(({ type }) => type));
  expect(rows.map(({ type }) => type).filter((type) => !covered.has(type))).toEqual([]);
});
