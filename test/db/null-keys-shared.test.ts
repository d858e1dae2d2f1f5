/** `null_keys: "include"` where several rows of the source share a unique key: the newest is kept. */
import { expect, test } from 'vitest';
import { freshPair } from '../support/pair.ts';
import { sync } from '../support/sync.ts';
import { oneIn } from '../support/tier.ts';

const SQL = `
  CREATE TYPE colour AS ENUM ('red', 'green');
  CREATE TABLE t (rid serial, id int NOT NULL, part text, paint colour, n text, updated_at timestamptz);
  CREATE INDEX ON t (updated_at);
  INSERT INTO t (id, part, paint, n, updated_at) VALUES
    (1, 'a', 'red', 'newest', now() - interval '1 day'), (1, 'a', 'red', 'older', now() - interval '2 days'),
    (1, 'a', 'red', 'null row', NULL), (2, NULL, 'green', 'newest', now() - interval '1 day'),
    (2, NULL, 'green', 'null row', NULL), (3, 'c', NULL, 'only null', NULL), (4, 'd', 'red', 'x', now())`;

const OPTIONS = { name: 't', replication_key: 'updated_at', null_keys: 'include' };

test.each(
  oneIn(3, [
    ['a column that is not NULL', { unique_cols: ['id'] }, 'sync'],
    ['columns that may be NULL', { unique_cols: ['id', 'part'] }, 'sync'],
    ['a type of their own', { unique_cols: ['id', 'paint'] }, 'sync'],
    ['a verified sync', { unique_cols: ['id'] }, '--verify'],
    ['a load in chunks', { unique_cols: ['id'], chunk: '2 rows', initial_load: 'copy' }, ''],
    ['a selection', { unique_cols: ['id'], where: 'id < 100', transform: { n: 'n' } }, ''],
    ['newer rows that win', { unique_cols: ['id'], on_conflict: 'last_update_wins' }, ''],
  ] as const),
)('a row without a replication key replaces none that has one: %s', async (_, options, args) => {
  await using pair = await freshPair({ tables: [{ ...OPTIONS, ...options }], sourceSql: SQL });
  const rows = async () =>
    (await pair.destination.query('SELECT id, n FROM t WHERE id < 4 ORDER BY id')).rows;
  const flags = args === 'sync' ? '' : args;
  await sync(pair, flags);
  const newest = [
    { id: 1, n: 'newest' },
    { id: 2, n: 'newest' },
    { id: 3, n: 'only null' },
  ];
  expect(await rows()).toEqual(newest);
  await pair.source.query(`INSERT INTO t (id, n, updated_at) VALUES (5, 'y', now())`);
  await sync(pair, flags);
  expect(await rows()).toEqual(newest);
  await pair.source.query(`UPDATE t SET n = 'changed' WHERE id = 3`);
  await sync(pair, flags);
  expect(await rows()).toEqual([newest[0], newest[1], { id: 3, n: 'changed' }]);
});
