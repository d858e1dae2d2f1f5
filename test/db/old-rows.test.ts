/** Rows whose transaction is more than 2^31 transactions old: 25 days at 1,000 transactions a second. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer } from '../../src/demo/embedded-server.ts';
import type { EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, TableConfig } from '../support/pair.ts';
import { sync } from '../support/sync.ts';

let server: EmbeddedServer;

beforeAll(async () => {
  server = await startServer({ name: 'test-old-rows', settings: { autovacuum: false } });
}, 60_000);

afterAll(() => server.stop());

const PAGE = 8192;
const TRANSACTIONS = 3_000_000_000;

/** Gives each row of a page the transaction ID. A row pointer has its offset in the lower 15 bits; a row begins with its xmin. */
function setWriters(page: Buffer, xid: number): void {
  const end = page.readUInt16LE(12);
  for (let at = 24; at < end; at += 4) page.writeUInt32LE(xid, page.readUInt32LE(at) & 0x7fff);
}

/**
 * Fills the empty table with the rows of `twin`, as if their transaction was that many transactions ago. No test can wait for
 * these, so the rows are written into the file of the table. They are frozen, as they would be by now.
 */
async function fillWithOldRows(source: pg.Pool, table: string, twin: string): Promise<void> {
  await source.query(`VACUUM (FREEZE) ${twin}`);
  await source.query('CHECKPOINT');
  const { rows } = await source.query<{ from: string; to: string; next: string }>(
    `SELECT pg_relation_filepath($1) AS "from", pg_relation_filepath($2) AS "to",
            pg_snapshot_xmax(pg_current_snapshot())::text AS next`,
    [twin, table],
  );
  const { from = '', to = '', next = '0' } = rows[0] ?? {};
  const file = await readFile(join(server.dataDirectory, from));
  const xid = (Number(next) - TRANSACTIONS + 2 ** 32) % 2 ** 32;
  for (let at = 0; at < file.length; at += PAGE) setWriters(file.subarray(at, at + PAGE), xid);
  await writeFile(join(server.dataDirectory, to), file);
  await source.query(`REINDEX TABLE ${table}`);
}

async function pairWithOldRows(table: TableConfig, columns: string, insert: string): Promise<Pair> {
  const pair = await freshPair(
    { tables: [table], sourceSql: `CREATE TABLE ${table.name} (${columns})` },
    {
      sourceServerUrl: server.url('postgres'),
    },
  );
  await pair.source.query(
    `CREATE TABLE twin (LIKE ${table.name} INCLUDING DEFAULTS); INSERT INTO twin ${insert}`,
  );
  await fillWithOldRows(pair.source, table.name, 'twin');
  await pair.source.query('DROP TABLE twin');
  const { rows } = await pair.source.query<{ age: string }>(
    `SELECT ((SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint) - xmin::text::bigint) & 4294967295 AS age FROM ${table.name} LIMIT 1`,
  );
  expect(Number(rows[0]?.age)).toBeGreaterThanOrEqual(TRANSACTIONS);
  return pair;
}

test('skip_unchanged skips a table of old rows', async () => {
  await using pair = await pairWithOldRows(
    { name: 'items', mode: 'full-refresh', unique_cols: ['id'], skip_unchanged: true },
    'id int PRIMARY KEY, note text',
    'SELECT i FROM generate_series(1, 100) i',
  );
  await sync(pair);
  expect((await sync(pair)).table()).toMatchObject({ action: 'skipped', rows_read: 0 });
  await pair.source.query(`UPDATE items SET note = 'x' WHERE id = 1`);
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 100, rows_updated: 1 });
  await expectSameRows(pair, 'items');
});

test('a window of rows that were written since the last sync leaves old rows out', async () => {
  await using pair = await pairWithOldRows(
    { name: 'items', replication_key: 'id', unique_cols: ['id'] },
    'id bigint PRIMARY KEY',
    'SELECT i FROM generate_series(1001, 1100) i',
  );
  // The sequence gives numbers to each session in advance, so a window also holds rows below the cursor.
  await pair.source.query(
    `CREATE SEQUENCE ids CACHE 50 OWNED BY items.id; SELECT setval('ids', 1100);
     ALTER TABLE items ALTER id SET DEFAULT nextval('ids')`,
  );
  await sync(pair);
  await pair.source.query('INSERT INTO items VALUES (7)');
  // The new row, and the row of the cursor.
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 2, rows_inserted: 1 });
  await expectSameRows(pair, 'items');
});

test('a table of old rows in which nothing was written is quiet', async () => {
  await using pair = await pairWithOldRows(
    { name: 'items', replication_key: 'updated_at', unique_cols: ['id'], lookback: '1h' },
    'id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now()',
    'SELECT i FROM generate_series(1, 100) i',
  );
  await sync(pair);
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 0 });
  await pair.source.query('UPDATE items SET updated_at = now() WHERE id = 1');
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 1, rows_updated: 1 });
  await expectSameRows(pair, 'items');
});
