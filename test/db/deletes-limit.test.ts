/** No more rows are removed than `delete_limit` allows, unless that is forced. */
import { expect, test } from 'vitest';
import { HARD, idsAtDestination, orders } from '../support/deletes.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

test('more than half of a table is not removed by mistake; everything else of that sync is kept', async () => {
  await using pair = await freshPair(orders(HARD));
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id <= 7');
  await insertOrders(pair, 2);
  await pair.source.query(`UPDATE orders SET note = 'changed', updated_at = now() WHERE id = 8`);
  const refused = await trySync(pair);
  expect(refused.exitCode).toBe(1);
  expect(refused.table()).toMatchObject({
    status: 'failed',
    rows_inserted: 2,
    rows_updated: 1,
    rows_deleted: 0,
    error: {
      code: 'DELETE_LIMIT_EXCEEDED',
      hint: expect.stringContaining('increp sync orders --deletes --force'),
    },
  });
  expect(refused.table().error?.message).toMatch(
    /^public\.orders has at least 7 of 12 rows that the source no .*delete_limit \(0\.5\)/,
  );
  await expectSameRows(pair, 'orders', { where: 'id > 7' });
  expect(await idsAtDestination(pair)).toHaveLength(12);
  expect((await increp('status', pair)).stdout).toMatch(/^failing\(1\)/m);
  // The plan cannot foresee it, so it repeats it.
  expect((await increp('plan', pair)).stdout).toMatch(
    /last sync: FAILED \d s ago: public\.orders has at least 7 of 12 rows .*\n +next: .*\n +increp verify orders\n.*\n +increp sync orders --deletes --force$/m,
  );
  expect((await increp('plan', pair)).stdout).toMatch(
    /deletes: due now \(the last comparison failed \d s ago, every 0s\); it compares all keys again, and fails again/,
  );
  const verified = await increp('verify', pair);
  expect(verified.stdout).toMatch(
    /DIFFERENT orders: a repair removes 7 of 12 rows, .* may remove these rows: increp verify orders --repair --force\n$/,
  );
  expect(verified.stdout.match(/--force/g)).toHaveLength(1);
  // Nothing of the window is read again as new, and it is refused as long as it is so.
  expect((await trySync(pair)).table()).toMatchObject({
    status: 'failed',
    rows_inserted: 0,
    rows_updated: 0,
  });
  expect((await sync(pair, '--deletes --force')).table()).toMatchObject({ rows_deleted: 7, error: null });
  await expectSameRows(pair, 'orders');
  expect((await sync(pair)).table().rows_deleted).toBe(0);
});

test('a repair answers the refusal to remove rows, and a later difference ends that', async () => {
  await using pair = await freshPair(orders(HARD));
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id <= 7');
  expect((await trySync(pair)).table().error?.code).toBe('DELETE_LIMIT_EXCEEDED');
  const equal = /A later comparison found the table equal, so the next successful sync ends\s+this failure/;
  const repaired = await increp('verify --repair --force', pair);
  expect(repaired.stdout).toMatch(equal);
  for (const command of ['status', 'plan', 'check']) {
    const { stdout } = await increp(command, pair);
    expect(stdout, command).toMatch(equal);
    expect(stdout, command).not.toContain('--force');
  }
  await pair.destination.query('DELETE FROM orders WHERE id = 8');
  expect((await increp('verify', pair)).exitCode).toBe(2);
  expect((await increp('status', pair)).stdout).not.toMatch(equal);
});

test('of rows that leave "where", no message says that the source has lost them', async () => {
  await using pair = await freshPair({
    ...orders({ ...HARD, where: 'NOT EXISTS (SELECT FROM public.old_rows)' }),
    sourceSql: `${String(ordersPreset.sourceSql)}; CREATE TABLE old_rows (is_old boolean)`,
  });
  await sync(pair);
  await pair.source.query('INSERT INTO old_rows DEFAULT VALUES');
  const back =
    /no rows match where any more \(the largest was .*\), so rows may be gone there or no longer match where/;
  expect((await increp('plan --json', pair)).stdout).toMatch(back);
  const refused = await trySync(pair, '--deletes');
  expect(refused.table().error?.message).toMatch(
    /10 of 10 rows that the source no longer has or that no longer match where, which is over delete_limit/,
  );
  expect(refused.table().error?.hint).toContain(
    'If the source and "where" in tables-config.json are right, run',
  );
  expect((await increp('verify', pair)).stdout.replaceAll(/\s+/g, ' ')).toContain(
    '(deleted at the source, no longer matching where, or inserted at the destination)',
  );
});

slowTest('an emptied source empties the copy only when that is asked for', async () => {
  await using pair = await freshPair(orders(HARD));
  await sync(pair);
  await pair.source.query('TRUNCATE orders');
  expect((await trySync(pair)).table()).toMatchObject({
    status: 'failed',
    error: { code: 'DELETE_LIMIT_EXCEEDED' },
  });
  expect(await idsAtDestination(pair)).toHaveLength(10);
  await pair.writeTables([{ ...ORDERS_CONFIG, ...HARD, delete_limit: 1 }]);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_deleted: 10 });
  expect(await idsAtDestination(pair)).toEqual([]);
  await insertOrders(pair, 3);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 3, rows_deleted: 0 });
  await expectSameRows(pair, 'orders');
});
