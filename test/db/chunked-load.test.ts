/** A table too large for one go: loaded in chunks, each of which is kept. */
import { expect, test } from 'vitest';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { sync } from '../support/sync.ts';

const STAMP = 'updated_at timestamptz NOT NULL DEFAULT now()';
const chunked = (name: string, more: object = {}) => ({
  name,
  replication_key: 'updated_at',
  unique_cols: ['id'],
  initial_load: 'copy',
  chunk: '256kB',
  ...more,
});

const fill = (table: string, rows: number) => `
  INSERT INTO ${table} (id, note, updated_at)
    SELECT i, repeat('note ', 20) || i, now() - interval '1 day' + i * interval '1 ms' FROM generate_series(1, ${rows}) i`;

test('a table arrives byte for byte, chunk by chunk', async () => {
  await using pair = await freshPair({
    tables: [chunked('big')],
    sourceSql: `CREATE TABLE big (id bigint PRIMARY KEY, note text, ${STAMP}); ${fill('big', 20_000)}`,
  });
  await sync(pair, '-v');
  await expectSameRows(pair, 'big');
  expect((await pair.destination.query('SELECT FROM _increp_loads')).rowCount).toBe(0);
});
