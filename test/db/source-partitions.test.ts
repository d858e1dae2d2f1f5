/** Partitions and child tables of the source: attached, detached, and locked. */
import { LOCK_NEEDS } from '../../src/sql/lock-needs.ts';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { pairOf, STAMP, tableOf } from '../support/source-kinds.ts';
import { sync } from '../support/sync.ts';

test('the locks that a table with partitions needs are counted without taking them', async () => {
  await using pair = await freshPair({
    tables: [tableOf('orders')],
    sourceSql: `CREATE TABLE orders (id int PRIMARY KEY, updated_at timestamptz DEFAULT now()) PARTITION BY RANGE (id);
      CREATE INDEX ON orders (updated_at);
      CREATE TABLE low PARTITION OF orders FOR VALUES FROM (0) TO (10);
      CREATE TABLE high PARTITION OF orders FOR VALUES FROM (10) TO (90) PARTITION BY RANGE (id);
      CREATE TABLE highest PARTITION OF high FOR VALUES FROM (50) TO (90); CREATE INDEX ON highest (id, updated_at)`,
  });
  const { rows } = await pair.source.query<{ oid: string }>(`SELECT 'orders'::regclass::oid::text AS oid`);
  const needs = await pair.source.query(LOCK_NEEDS, [rows.map(({ oid }) => oid)]);
  expect(needs.rows).toMatchObject([{ tables: 4, indexes: 9, perTransaction: 64 }]);
});

const DIVIDED = /* sql */ `
  CREATE TABLE t (id int PRIMARY KEY, note text, ${STAMP}) PARTITION BY RANGE (id);
  CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (200);
  CREATE TABLE t3 (note text, id int PRIMARY KEY, updated_at timestamptz NOT NULL);
  INSERT INTO t3 SELECT 'old', i, '2020-01-01' FROM generate_series(200, 204) i;
  INSERT INTO t (id) SELECT i FROM generate_series(1, 30) i; INSERT INTO t (id) SELECT i FROM generate_series(101, 104) i`;

test('the rows of an attached partition arrive, and a sync with deletes removes those of a detached one at once', async () => {
  await using pair = await pairOf(DIVIDED, { deletes_every: '7d' });
  await sync(pair);
  await pair.source.query(
    'ALTER TABLE t ATTACH PARTITION t3 FOR VALUES FROM (200) TO (300); ALTER TABLE t DETACH PARTITION t2',
  );
  const { table } = await sync(pair);
  expect(table()).toMatchObject({
    ...{ action: 'incremental', rows_deleted: 4, rows_inserted: 5, warnings: [] },
    reason: expect.stringMatching(
      /a partition was attached with older rows \(t3\), .*; 1 partition of public\.t was detached .* \(t2\), so/,
    ),
  });
  await expectSameRows(pair, 't');
  // A new partition for new rows costs no comparison.
  await pair.source.query(
    `CREATE TABLE t4 PARTITION OF t FOR VALUES FROM (300) TO (400); INSERT INTO t (id) VALUES (301)`,
  );
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, reason: 'the cursor is known' });
  await expectSameRows(pair, 't');
});

test('without deletes, a sync says once that the rows of detached partitions stay, and status until they are gone', async () => {
  await using pair = await pairOf(
    `${DIVIDED}; CREATE TABLE t4 PARTITION OF t DEFAULT; COMMIT; INSERT INTO t (id) VALUES (300)`,
    { deletes: 'ignore' },
  );
  await sync(pair);
  await pair.source.query('ALTER TABLE t DETACH PARTITION t1; DROP TABLE t2');
  const warning =
    '2 partitions of public.t were detached or dropped at the source (t1, and 1 that does not exist any more); rows of them stay in the destination table. To count them, with the command that removes them, run "increp verify t". To keep them, set "deletes": "keep"';
  const printed = warning.replace(', run "increp verify t".', ': increp verify t');
  expect((await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ')).toContain(printed);
  expect((await sync(pair)).table().warnings).toEqual([warning]);
  expect((await increp('plan', pair)).stdout).toContain(' increp verify t\n');
  const { summary } = await sync(pair);
  expect([...summary.warnings, ...summary.tables.flatMap(({ warnings }) => warnings)]).toEqual([]);
  const condition = async () => {
    const { json } = await increp('status --json', pair);
    return json<{ tables: { state: string; difference: unknown }[] }>().tables[0];
  };
  expect(await condition()).toMatchObject({ state: 'different', difference: { message: warning } });
  await pair.writeTables([tableOf('t', { deletes: 'keep' })]);
  expect(await condition()).toMatchObject({ state: 'ok', difference: null });
  await pair.writeTables([tableOf('t', { deletes: 'ignore' })]);
  expect((await increp('verify t --repair --force', pair)).exitCode).toBe(0);
  expect(await condition()).toMatchObject({ state: 'ok', difference: null });
  await expectSameRows(pair, 't');
});

test('child tables count as partitions, whose rows arrive and go', async () => {
  await using pair = await pairOf(`CREATE TABLE t (id int PRIMARY KEY, note text, ${STAMP});
    CREATE TABLE old () INHERITS (t); CREATE TABLE older (LIKE t INCLUDING ALL);
    INSERT INTO t (id) VALUES (1); INSERT INTO old (id) VALUES (2); INSERT INTO older VALUES (3, 'x', '2020-01-01')`);
  await sync(pair);
  await pair.source.query('ALTER TABLE older INHERIT t; ALTER TABLE old NO INHERIT t');
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, rows_deleted: 1 });
  await expectSameRows(pair, 't');
});

test('rows of children that share their key with one of the parent are told of', async () => {
  await using pair = await pairOf(`CREATE TABLE t (id int PRIMARY KEY, note text, ${STAMP});
    CREATE TABLE child () INHERITS (t); INSERT INTO t VALUES (1, 'older', '2026-01-01'), (2, 'alone', '2026-01-01');
    INSERT INTO child VALUES (1, 'newer', '2026-01-02')`);
  expect((await sync(pair)).table().warnings.join()).toContain('unique_cols (id) do not identify rows');
  const { rows } = await pair.destination.query('SELECT note FROM t ORDER BY id');
  expect(rows).toEqual([{ note: 'newer' }, { note: 'alone' }]);
});
