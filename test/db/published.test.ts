/** A destination that is published: a real subscriber goes on, and what would stop it is said beforehand. */
import pg from 'pg';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const keyed = { replication_key: 'updated_at', unique_cols: ['id'], deletes: 'hard', deletes_every: '0s' };
const tables = [
  { name: 'plain', ...keyed },
  { name: 'chunked', ...keyed, initial_load: 'copy', chunk: '500 rows' },
  { name: 'viewed', ...keyed },
  { name: 'twice', ...keyed },
  { name: 'keyless', mode: 'full-refresh' },
];
const COLUMNS = 'id int, note text, updated_at timestamptz NOT NULL DEFAULT now()';
const SOURCE = /* sql */ `
  CREATE TABLE plain (${COLUMNS}, PRIMARY KEY (id)); INSERT INTO plain SELECT i, 'a' FROM generate_series(1, 20) i;
  CREATE TABLE chunked (LIKE plain INCLUDING ALL); INSERT INTO chunked SELECT i, repeat('a', 200) FROM generate_series(1, 2000) i;
  CREATE VIEW viewed AS SELECT id, note, updated_at FROM plain;
  CREATE TABLE twice (${COLUMNS}); INSERT INTO twice VALUES (1, 'a'), (1, 'b'), (2, 'c');
  CREATE TABLE keyless (a int, b text); INSERT INTO keyless VALUES (1, 'x'), (1, 'y'), (1, 'y')`;

/** What a subscriber has to have: the tables, and those of increp. Anything else that it is sent stops it. */
const SUBSCRIBER = /* sql */ `
  CREATE TABLE plain (${COLUMNS}, PRIMARY KEY (id)); CREATE TABLE chunked (LIKE plain INCLUDING ALL);
  CREATE TABLE viewed (${COLUMNS}); CREATE TABLE twice (${COLUMNS}); CREATE TABLE keyless (a int, b text);
  CREATE TABLE _increp_state (table_name text PRIMARY KEY, pipeline text, source_table text, replication_key text,
    cursor text, generation bigint, updated_at timestamptz, record jsonb);
  CREATE TABLE _increp_loads (table_name text PRIMARY KEY, load_id text, pipeline text, began_at timestamptz, chunks int, header jsonb);
  CREATE TABLE _increp_chunks (load_id text, chunk int, rows bigint, bytes bigint, done_at timestamptz)`;

interface Subscriber extends AsyncDisposable {
  readonly rows: (sql: string) => Promise<unknown[]>;
  /** As people do where the publisher has new tables. */
  readonly refresh: () => Promise<unknown>;
}

/** A database on the source's server, so that it is another server than the destination. */
async function subscribe(pair: Pair, publication: string): Promise<Subscriber> {
  const [login, publisher] = [pair.login('source'), pair.login('destination')];
  const name = `${publisher.database}_sub`;
  await pair.source.query(`CREATE DATABASE ${name}`);
  const client = new pg.Client({ ...login, database: name });
  await client.connect();
  await client.query(SUBSCRIBER);
  const runs = await pair.destination.query<{ columns: string }>(
    `SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ') AS columns FROM pg_attribute
     WHERE attrelid = to_regclass('_increp_runs') AND attnum > 0`,
  );
  await client.query(
    `CREATE TABLE _increp_runs (${runs.rows[0]?.columns ?? ''}, PRIMARY KEY (run_id, table_name))`,
  );
  const { host, port, user, password, database } = publisher;
  const connection = `host=${host} port=${port} user=${user} password=${password} dbname=${database}`;
  await client.query(`CREATE SUBSCRIPTION ${name} CONNECTION '${connection}' PUBLICATION ${publication}`);
  return {
    rows: async (sql) => (await client.query<Record<string, unknown>>(sql)).rows,
    refresh: () => client.query(`ALTER SUBSCRIPTION ${name} REFRESH PUBLICATION`),
    [Symbol.asyncDispose]: async () => {
      await client.query(`DROP SUBSCRIPTION ${name}`);
      await client.end();
      await pair.source.query(`DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

const CONTENT = (name: string) => `SELECT t::text AS row FROM ${name} t ORDER BY 1`;

async function expectSubscribed(pair: Pair, subscriber: Subscriber): Promise<void> {
  await subscriber.refresh();
  for (const { name } of tables) {
    const { rows } = await pair.destination.query<{ row: string }>(CONTENT(name));
    await expect.poll(() => subscriber.rows(CONTENT(name)), { timeout: 15_000 }).toEqual(rows);
  }
}

test.each(oneIn(2, ['FOR ALL TABLES', 'FOR TABLES IN SCHEMA public']))(
  'a subscriber of a publication %s gets what the tables get',
  async (what) => {
    await using pair = await freshPair({ tables: [], sourceSql: SOURCE });
    const { rows: versions } = await pair.destination.query<{ v: number }>(
      `SELECT current_setting('server_version_num')::int AS v`,
    );
    if (what !== 'FOR ALL TABLES' && (versions[0]?.v ?? 0) < 150000) return;
    // The tables of increp itself are there first, as they would be when somebody subscribes.
    await pair.writeTables([{ name: 'plain', ...keyed }]);
    await sync(pair);
    await pair.destination.query(`DROP TABLE plain; DELETE FROM _increp_state; DELETE FROM _increp_runs`);
    await pair.destination.query(`CREATE PUBLICATION ours ${what}`);
    await using subscriber = await subscribe(pair, 'ours');
    await pair.writeTables(tables);
    await increp('reset plain', pair);
    const first = await sync(pair);
    expect(first.table('chunked').warnings.join()).toContain('the publication "ours"');
    await expectSubscribed(pair, subscriber);
    for (const name of ['plain', 'chunked', 'twice'])
      await pair.source.query(
        `UPDATE ${name} SET note = 'z', updated_at = now() WHERE id = 1; DELETE FROM ${name} WHERE id = 2`,
      );
    await pair.source.query(
      `DELETE FROM twice WHERE ctid = (SELECT min(ctid) FROM twice); UPDATE keyless SET b = 'q' WHERE b = 'x'`,
    );
    await sync(pair);
    const checked = await increp('check --json', pair);
    expect(checked.exitCode, checked.stdout).toBe(0);
    expect(checked.stdout).toContain('PUBLISHED');
    await expectSameRows(pair, 'plain');
    await expectSubscribed(pair, subscriber);
    // Its shape changes by ALTER, because the publication takes the new table for another one.
    await subscriber.rows(`ALTER TABLE plain ADD COLUMN more int`);
    await pair.source.query(`ALTER TABLE plain ADD COLUMN more int DEFAULT 7`);
    expect((await sync(pair)).table('plain')).toMatchObject({ action: 'reset' });
    const { rows } = await pair.destination.query<{ row: string }>(
      `SELECT id, note, more FROM plain ORDER BY id`,
    );
    await expect
      .poll(() => subscriber.rows(`SELECT id, note, more FROM plain ORDER BY id`), { timeout: 15_000 })
      .toEqual(rows);
  },
);

slowTest(
  'a table that was published later, without a replica identity, is named with the statement that helps',
  async () => {
    await using pair = await freshPair({ tables: [{ name: 'viewed', ...keyed }], sourceSql: SOURCE });
    await sync(pair);
    await pair.destination.query(`CREATE PUBLICATION late FOR TABLE viewed`);
    await pair.source.query(`UPDATE plain SET note = 'z', updated_at = now() WHERE id = 1`);
    const statement = 'ALTER TABLE "public"."viewed" REPLICA IDENTITY FULL';
    const checked = await increp('check', pair);
    expect(checked.exitCode).toBe(1);
    expect(checked.stdout).toContain(statement);
    expect((await trySync(pair)).table().error).toMatchObject({ code: 'NO_REPLICA_IDENTITY' });
    await pair.destination.query(statement);
    await sync(pair);
    expect((await increp('check', pair)).exitCode).toBe(0);
    await expectSameRows(pair, 'viewed');
  },
);
