/** A server whose OpenSSL allows what FIPS does has no md5(): nothing of ours needs it. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { sync } from '../support/sync.ts';

/** As such a server answers. Built-in functions are each database's own, and databases serve several tests. */
async function forbidMd5(pair: Pair): Promise<AsyncDisposable> {
  const forbidden = (type: string) => /* sql */ `
    ALTER FUNCTION pg_catalog.md5(${type}) RENAME TO md5_as_it_was;
    CREATE FUNCTION pg_catalog.md5(${type}) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
      BEGIN RAISE EXCEPTION 'could not compute MD5 hash: unsupported' USING ERRCODE = 'XX000'; END $$`;
  const allowed = (type: string) => /* sql */ `
    DROP FUNCTION pg_catalog.md5(${type}); ALTER FUNCTION pg_catalog.md5_as_it_was(${type}) RENAME TO md5`;
  const on = async (sql: (type: string) => string) => {
    for (const side of [pair.source, pair.destination])
      await side.query(
        `BEGIN; SET LOCAL allow_system_table_mods = on; ${sql('text')}; ${sql('bytea')}; COMMIT`,
      );
  };
  await on(forbidden);
  return { [Symbol.asyncDispose]: () => on(allowed) };
}

const keyed = { replication_key: 'updated_at', unique_cols: ['id'], deletes: 'hard', deletes_every: '0s' };
const tables = [
  { name: 'plain', ...keyed },
  { name: 'chunked', ...keyed, chunk: '20 rows', initial_load: 'copy' },
  { name: 'evolving', ...keyed, on_schema_change: 'evolve' },
  { name: 'viewed', mode: 'full-refresh', unique_cols: ['id'], skip_unchanged: true },
  { name: 'keyless', mode: 'full-refresh', skip_unchanged: true },
];

const COLUMNS = 'id int PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now()';
const SOURCE = /* sql */ `
  CREATE TABLE plain (${COLUMNS}); INSERT INTO plain SELECT i, 'Zoé ' || i FROM generate_series(1, 100) i;
  CREATE TABLE chunked (LIKE plain INCLUDING ALL); INSERT INTO chunked SELECT * FROM plain;
  CREATE TABLE evolving (LIKE plain INCLUDING ALL); INSERT INTO evolving SELECT * FROM plain;
  CREATE VIEW viewed AS SELECT id, note FROM plain;
  CREATE TABLE keyless (note text); INSERT INTO keyless SELECT 'a' FROM generate_series(1, 3)`;

test('all that hashes rows works without md5()', async () => {
  await using pair = await freshPair({ tables, sourceSql: SOURCE });
  await using _ = await forbidMd5(pair);
  await sync(pair);
  for (const name of ['plain', 'chunked', 'evolving'])
    await pair.source.query(
      `UPDATE ${name} SET note = 'x', updated_at = now() WHERE id < 4; DELETE FROM ${name} WHERE id = 7`,
    );
  await sync(pair);
  await pair.source.query(`ALTER TABLE chunked ALTER COLUMN note TYPE varchar(40)`);
  await pair.source.query(
    `ALTER TABLE evolving ALTER COLUMN id TYPE bigint, ADD COLUMN total int NOT NULL DEFAULT 7`,
  );
  expect((await sync(pair)).table('evolving')).toMatchObject({ action: 'incremental' });
  await pair.destination.query(
    `DELETE FROM chunked WHERE id = 9; UPDATE plain SET note = 'wrong' WHERE id = 50`,
  );
  expect((await increp('verify', pair)).exitCode).toBe(2);
  for (const command of [
    'verify --repair',
    'verify',
    'sync',
    'sync --verify',
    'sync --full-refresh --verify',
    'check',
  ]) {
    const result = await increp(command, pair);
    expect(result.exitCode, `${command}: ${result.stdout}${result.stderr}`).toBe(0);
  }
  for (const { name } of tables) await expectSameRows(pair, name);
});
