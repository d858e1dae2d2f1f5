/** `sync --adopt` and `sync --replace`: a table with rows that increp did not write is kept and repaired, or loaded again. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { rowsThere, withTable } from '../support/table-there.ts';
import { oneIn, slowTest } from '../support/tier.ts';

test('the flags need the names of tables, and do not go together', async () => {
  await using pair = await withTable();
  for (const [args, words] of [
    ['sync --adopt', '--adopt needs the names of the tables'],
    ['sync --adopt', 'Check the names, then run:\n          increp sync orders --adopt'],
    ['sync ord* --adopt', 'Check the names, then run:\n          increp sync orders --adopt'],
    ['sync --replace', '--replace needs the names of the tables'],
    ['plan --replace', '--replace needs the names of the tables'],
    ['sync ord* --replace', '"ord*" is a pattern'],
    ['sync orders --replace --adopt', 'contradict each other'],
    ['sync orders --adopt --full-refresh', 'contradict each other'],
    ['sync orders --replace --watch 1s', 'contradict each other'],
  ] as const) {
    const { exitCode, stderr } = await increp(args, pair);
    expect(exitCode, args).toBe(64);
    expect(stderr, args).toContain(words);
  }
  expect(await rowsThere(pair)).toEqual(['100000']);
});

test('--adopt keeps the table and repairs what differs, and the next sync goes on from there', async () => {
  await using pair = await withTable({ destinationSql: ORDERS_SQL });
  await pair.destination.query(`
    ALTER TABLE orders ADD COLUMN mine text DEFAULT 'kept';
    INSERT INTO orders SELECT id, id * 1.25, 'order ' || id, now() FROM generate_series(1, 8) id;
    INSERT INTO orders VALUES (77, 1, 'only here', now());
    CREATE VIEW large AS SELECT * FROM orders WHERE total > 5`);
  const { rows } = await pair.destination.query(`SELECT 'orders'::regclass::oid AS oid`);
  const now = await pair.source.query<{ at: string }>(`SELECT updated_at::text AS at FROM orders LIMIT 1`);
  await pair.destination.query('UPDATE orders SET updated_at = $1 WHERE id < 8', [now.rows[0]?.at]);
  const plan = await increp('plan orders --adopt', pair);
  expect(plan.stdout).toMatch(/initial +the destination table is adopted: compared with the source by key/);
  expect((await sync(pair, 'orders --adopt')).table()).toMatchObject({
    action: 'initial',
    loader: null,
    rows_read: 3,
    rows_inserted: 2,
    rows_updated: 1,
    rows_unchanged: 7,
    rows_deleted: 1,
  });
  expect((await pair.destination.query(`SELECT 'orders'::regclass::oid AS oid`)).rows).toEqual(rows);
  expect((await pair.destination.query('SELECT FROM large')).rowCount).toBe(6);
  await expectSameRows(pair, 'orders');
  await insertOrders(pair, 1);
  expect((await sync(pair, 'orders --adopt')).table()).toMatchObject({
    action: 'incremental',
    rows_inserted: 1,
  });
  await expectSameRows(pair, 'orders');
});

slowTest('--replace loads it again, whatever its shape', async () => {
  await using pair = await withTable({
    destinationSql: `CREATE TABLE orders (id text, other int); INSERT INTO orders VALUES ('100000', 1)`,
  });
  const hint = (await trySync(pair)).table().error?.hint;
  expect(hint).toMatch(
    /"dest_name"\.\nincrep cannot keep orders and repair its rows \(--adopt\): column "id" is text/,
  );
  expect(hint).toMatch(/run "increp sync orders --replace"\.$/);
  expect(hint).not.toContain('orders --adopt');
  expect((await increp('sync --adopt', pair)).stderr).toContain('none of these tables can be adopted');
  const plan = await increp('plan orders --replace', pair);
  expect(plan.stdout).toMatch(/the\s+destination\s+table\s+and\s+its\s+1\s+row\s+are\s+replaced/);
  const adopt = await trySync(pair, 'orders --adopt');
  expect(adopt.table().error).toMatchObject({ code: 'DESTINATION_NOT_OURS' });
  expect(adopt.table().error?.message).toContain('cannot be adopted as it is: column "id" is text');
  expect((await sync(pair, 'orders --replace')).table()).toMatchObject({
    action: 'initial',
    rows_inserted: 10,
  });
  await expectSameRows(pair, 'orders');
  const again = await sync(pair, 'orders --replace');
  expect(again.table().action).toBe('incremental');
  expect(again.table().reason).toContain('--replace has no effect; to load the table again, run');
});

slowTest(
  'a table without the index of the key is given one, and one with doubles is not adopted',
  async () => {
    await using pair = await withTable({
      destinationSql: `CREATE TABLE orders (id bigint, total numeric(12,2), note text, updated_at timestamptz);
      INSERT INTO orders VALUES (1, 1, 'twice', now()), (1, 2, 'twice', now())`,
    });
    const { error } = (await trySync(pair, 'orders --adopt')).table();
    expect(error).toMatchObject({ code: 'MERGE_KEY_NOT_UNIQUE' });
    expect(error?.hint).toContain('increp sync orders --replace');
    await pair.destination.query('DELETE FROM orders WHERE total = 2');
    await sync(pair, 'orders --adopt --verify');
    await expectSameRows(pair, 'orders');
    await insertOrders(pair, 1);
    expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_inserted: 1 });
  },
);

const MODES = [
  [{ mode: 'incremental-append' }, 11],
  [{ on_conflict: 'last_update_wins' }, 11],
  [{ metadata_columns: ['_source'] }, 10],
  [{ deletes: 'soft' }, 11],
  [{ mode: 'full-refresh' }, 10],
  [{ mode: 'full-refresh', unique_cols: undefined }, 10],
] as const;

const IN_EACH_MODE = ['--adopt', '--replace'].flatMap((flag) =>
  MODES.map(([more, left]) => ({ flag, more, left, what: JSON.stringify(more) })),
);

test.each(oneIn(12, IN_EACH_MODE))('$flag in each mode: $what', async ({ flag, more, left }) => {
  const { replication_key, ...plain } = ORDERS_CONFIG;
  const config = 'mode' in more && more.mode === 'full-refresh' ? plain : { ...plain, replication_key };
  await using pair = await withTable({ tables: [{ ...config, ...more }] });
  expect((await trySync(pair)).table().error?.code).toBe('DESTINATION_NOT_OURS');
  expect(await rowsThere(pair)).toEqual(['100000']);
  // The one row that is there is above any limit.
  const result = await trySync(pair, `orders ${flag} --force`);
  expect(result.exitCode, result.stdout).toBe(0);
  expect(await rowsThere(pair)).toHaveLength(left);
  expect((await trySync(pair)).exitCode).toBe(0);
});
