/** A destination table with rows that increp did not write: no run touches it before somebody has said what is to become of it. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { expectRefusal } from '../support/refusal.ts';
import { freshSeveral } from '../support/several.ts';
import { ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { ONLY_HERE, rowsThere, THERE, withTable } from '../support/table-there.ts';
import { slowTest } from '../support/tier.ts';

test('sync, plan and check stop at it, with both addresses and the two ways on, and write nothing', async () => {
  await using pair = await withTable();
  const said = {
    exitCode: 1,
    code: 'DESTINATION_NOT_OURS',
    what: ['public.orders at the destination has 1 row, and increp has no state of it'],
    next: /^[^]*Rows go from [^ ]+:\d+\/\w+ to [^ ]+:\d+\/\w+\. If that is the wrong direction[^]*sync orders --adopt["\n][^]*sync orders --replace["\n]/,
  };
  for (const args of ['sync', 'sync --full-refresh', 'sync orders --full-refresh', 'sync --deletes --force'])
    await expectRefusal(pair, said, args);
  const plan = await increp('plan', pair);
  expect(plan.exitCode).toBe(1);
  expect(plan.stdout.replaceAll(/\s+/g, ' ')).toMatch(
    /refused .*has 1 row, and increp has no state .* would replace its rows .*--adopt/,
  );
  const check = await increp('check --json', pair);
  expect(check.exitCode).toBe(1);
  expect(check.stdout).toContain('"DESTINATION_NOT_OURS"');
  expect(await rowsThere(pair)).toEqual(['100000']);
});

test('a table without the columns of the key is not ours either, and --replace loads it', async () => {
  await using pair = await withTable({
    destinationSql: `CREATE TABLE orders (x int, other text); INSERT INTO orders VALUES (1, 'only here')`,
  });
  for (const args of ['check', 'plan', 'sync', 'sync --full-refresh', 'sync orders --adopt']) {
    const { stdout, stderr } = await increp(`${args} --json`, pair);
    expect(stdout).toContain('"DESTINATION_NOT_OURS"');
    expect(stdout + stderr).not.toMatch(/DROP|SCHEMA_CHANGE_REFUSED/);
  }
  expect((await sync(pair, 'orders --replace')).table()).toMatchObject({ rows_inserted: 10 });
  await expectSameRows(pair, 'orders');
  // Now the column of a user is in a table of increp.
  await pair.destination.query(`UPDATE orders SET other = 'mine'; ALTER TABLE orders DROP id CASCADE`);
  expect((await trySync(pair)).table().error?.code).toBe('SCHEMA_CHANGE_REFUSED');
});

test('a reset does not make it ours', async () => {
  await using pair = await withTable();
  for (let time = 0; time < 2; time += 1) {
    const reset = await increp('reset orders', pair);
    expect(reset.stdout).toContain('orders: there was no saved state');
    expect((await trySync(pair)).table().error?.code).toBe('DESTINATION_NOT_OURS');
  }
  expect(await rowsThere(pair)).toEqual(['100000']);
  // The sides may be swapped, and a table of increp at the source would make the next advice wrong.
  const { rows } = await pair.destination.query(`SELECT to_regclass('_increp_state') AS state`);
  expect(rows).toEqual([{ state: null }]);
});

slowTest(
  'an empty table is filled as ever, and a table whose state is gone on both sides is not ours any more',
  async () => {
    await using pair = await withTable({ destinationSql: ORDERS_SQL });
    await sync(pair);
    await rm(join(pair.directory, 'sync-state'), { recursive: true });
    await pair.destination.query('DELETE FROM _increp_state');
    expect((await trySync(pair)).table().error?.code).toBe('DESTINATION_NOT_OURS');
    expect((await sync(pair, 'orders --adopt')).table()).toMatchObject({ rows_unchanged: 10, rows_read: 0 });
  },
);

test('the other tables of the run are synced', async () => {
  await using pair = await withTable({
    tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'other' }],
    sourceSql: `${String(ordersPreset.sourceSql)}; CREATE TABLE other (LIKE orders INCLUDING ALL); INSERT INTO other SELECT * FROM orders`,
  });
  const { exitCode, table } = await trySync(pair);
  expect(exitCode).toBe(3);
  expect(table('orders').error?.code).toBe('DESTINATION_NOT_OURS');
  expect(table('other')).toMatchObject({ status: 'ok', rows_inserted: 10 });
});

slowTest('by whatever name and in whatever schema it stands there, and by a pattern', async () => {
  for (const [tables, place] of [
    [[{ ...ORDERS_CONFIG, dest_name: 'bills' }], 'bills'],
    [[{ ...ORDERS_CONFIG, dest_schema: 'away' }], 'away.orders'],
    [[{ ...ORDERS_CONFIG, name: 'ord*' }], 'orders'],
    [[{ ...ORDERS_CONFIG, chunk: '64kB', initial_load: 'copy' }], 'orders'],
  ] as const) {
    await using pair = await freshPair({ ...ordersPreset, tables: [...tables] });
    const { user } = pair.login('destination', 'increp');
    await pair.destination.query(`CREATE SCHEMA away AUTHORIZATION ${user};
      CREATE TABLE ${place} (id bigint PRIMARY KEY, total numeric(12,2), note text, updated_at timestamptz);
      ALTER TABLE ${place} OWNER TO ${user}; ${ONLY_HERE.replace('orders', place)}`);
    expect((await trySync(pair)).table().error?.code).toBe('DESTINATION_NOT_OURS');
    expect(await rowsThere(pair, place)).toEqual(['100000']);
    await sync(pair, 'orders --replace');
    expect(await rowsThere(pair, place)).toHaveLength(10);
  }
});

slowTest('of several destinations only the one that has such a table stops', async () => {
  await using pair = await freshSeveral('orders');
  await pair
    .copy('two')
    .pool.query(`${THERE}; ALTER TABLE orders OWNER TO ${pair.copy('two').side.increp.user}`);
  const { exitCode, summary } = await trySync(pair);
  expect(exitCode).toBe(3);
  expect(summary.tables.map(({ error }) => error?.code)).toEqual([undefined, 'DESTINATION_NOT_OURS']);
  await sync(pair, 'orders --adopt --force');
  await pair.expectAllSame('orders');
});
