/** Tables that are compared together, and how many round trips a comparison costs. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { PairOptions } from '../support/pair.ts';
import { countWaits } from '../support/round-trips.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';
import { oldOrders, type TableVerdict, verify } from '../support/verify.ts';

slowTest('thousands of differences cost few round trips, in a report and in a removal', async () => {
  await using pair = await freshPair(oldOrders(12_000, { deletes: 'hard', delete_limit: 1 }));
  await sync(pair);
  await pair.destination.query(`UPDATE orders SET note = 'other'`);
  const comparing = await countWaits(pair, async () => {
    expect(await verify(pair)).toMatchObject({ exitCode: 2, table: { changed: 12_000 } });
  });
  // With 500 rows of one side in each round trip, there would be 48 more.
  expect(comparing).toBeLessThanOrEqual(35);
  await pair.source.query('DELETE FROM orders WHERE id % 2 = 0');
  const removing = await countWaits(pair, async () => {
    expect((await sync(pair, '--deletes')).table().rows_deleted).toBe(6000);
  });
  // One for each thousand of keys, in place of five.
  expect(removing).toBeLessThanOrEqual(45);
});

/** Tables of one row. */
const rowsIn = (names: readonly string[], pad = ''): PairOptions => ({
  tables: names.map((name) => ({ name, replication_key: 'updated_at', unique_cols: ['id'] })),
  sourceSql: names
    .map(
      (name) =>
        `CREATE TABLE ${name} (id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now(), pad text DEFAULT '${pad}') WITH (autovacuum_enabled = false); INSERT INTO ${name} VALUES (1)`,
    )
    .join('; '),
});

slowTest('more small tables without differences cost no more round trips', async () => {
  await using pair = await freshPair(rowsIn(['a', 'b', 'c', 'd']));
  await sync(pair);
  const waits = async (args: string) =>
    countWaits(pair, async () => expect((await increp(`verify ${args}`, pair)).exitCode).toBe(0));
  const one = await waits('a');
  expect(await waits('')).toBeLessThanOrEqual(one);
});

test('tables that are compared together have the results of tables that are compared alone', async () => {
  const names = ['same', 'missing', 'extra', 'changed', 'pending', 'held', 'gone', 'empty'];
  await using pair = await freshPair(rowsIn(names));
  await pair.source.query('DELETE FROM empty; INSERT INTO missing VALUES (2)');
  await sync(pair);
  await pair.destination.query(`DELETE FROM missing WHERE id = 2; INSERT INTO extra VALUES (2, '2020-01-01');
    UPDATE changed SET pad = 'x'; DROP TABLE gone`);
  await pair.source.query('INSERT INTO pending VALUES (2)');
  const holder = await pair.source.connect();
  await holder.query('BEGIN; LOCK TABLE held');
  const compare = async (args: string) => {
    const result = await increp(`verify --json ${args}`, pair, {
      timing: { lockTimeout: 0.2, sweepLock: 0.1 },
    });
    return result.json<{ tables: TableVerdict[] }>().tables.map((table) => ({ ...table, duration_s: 0 }));
  };
  const together = await compare('');
  const alone = [];
  for (const name of names) alone.push(...(await compare(name)));
  await holder.query('ROLLBACK');
  const withoutPid = (verdicts: readonly TableVerdict[]): unknown =>
    JSON.parse(JSON.stringify(verdicts).replaceAll(/pid \d+|\d+ s\b/g, 'pid'));
  expect(withoutPid(together)).toEqual(withoutPid(alone));
  expect(together.map(({ status }) => status)).toEqual([
    ...['equal', 'different', 'different', 'different', 'equal', 'failed', 'failed', 'equal'],
  ]);
});

slowTest('tables whose size the catalogs do not know are read in full', async () => {
  await using pair = await freshPair(rowsIn(['a', 'b'], 'x'.repeat(1500)));
  await pair.source.query('INSERT INTO a SELECT generate_series(2, 1000)');
  await sync(pair);
  const { tables } = await verify(pair);
  expect(tables).toMatchObject([
    { status: 'equal', rows_source: 1000, rows_destination: 1000 },
    { status: 'equal', rows_source: 1, rows_destination: 1 },
  ]);
  await pair.destination.query(`UPDATE a SET pad = '' WHERE id = 700`);
  expect(await verify(pair)).toMatchObject({ exitCode: 2, table: { changed: 1 } });
});
