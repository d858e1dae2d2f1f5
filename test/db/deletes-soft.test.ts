/** Deleted rows that are marked: `"deletes": "soft"`, turned on and off, through full refreshes. */
import { expect, test } from 'vitest';
import { HARD, orders } from '../support/deletes.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { ORDERS_CONFIG } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const SOFT = { deletes: 'soft', deletes_every: '0s' };

/** Ids at the destination by whether they are marked. */
async function marksOf(pair: Pair): Promise<{ live: number[]; marked: number[] }> {
  const { rows } = await pair.destination.query<{ id: string; isMarked: boolean }>(
    'SELECT id, _deleted_at IS NOT NULL AS "isMarked" FROM orders ORDER BY id',
  );
  const ids = (wanted: boolean) =>
    rows.filter(({ isMarked }) => isMarked === wanted).map(({ id }) => Number(id));
  return { live: ids(false), marked: ids(true) };
}

test('"soft" marks what is gone, keeps the time of it, and clears the mark when the row returns', async () => {
  await using pair = await freshPair(orders(SOFT));
  await pair.source.query(`UPDATE orders SET updated_at = now() - interval '1 day' WHERE id < 10;
    CREATE TABLE saved AS TABLE orders`);
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id IN (2, 5, 7)');
  expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 3 });
  expect(await marksOf(pair)).toEqual({ live: [1, 3, 4, 6, 8, 9, 10], marked: [2, 5, 7] });
  await expectSameRows(pair, 'orders', { where: 'id <> ALL (ARRAY[2, 5, 7])' });

  const times = () =>
    pair.destination.query('SELECT id, _deleted_at FROM orders WHERE _deleted_at IS NOT NULL ORDER BY id');
  const before = (await times()).rows;
  expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 0, rows_updated: 0 });
  expect((await times()).rows).toEqual(before);

  // One returns with a new key, one as a backup had it, with its old key far below the window.
  await pair.source.query(`INSERT INTO orders (id, note) VALUES (2, 'back');
    INSERT INTO orders SELECT * FROM saved WHERE id = 5`);
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 1, rows_deleted: 0 });
  expect((await marksOf(pair)).marked).toEqual([7]);
  await expectSameRows(pair, 'orders', { where: 'id <> 7' });
});

slowTest('"soft" may be turned on later, and off again', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id = 2');
  await pair.writeTables([{ ...ORDERS_CONFIG, ...SOFT }]);
  // The column is not there yet, and neither of these makes it.
  expect((await increp('plan', pair)).exitCode).toBe(0);
  const verified = await increp('verify --json', pair);
  expect(verified.json<{ tables: object[] }>().tables[0]).toMatchObject({ status: 'different', extra: 1 });
  await pair.source.query(`UPDATE orders SET note = 'changed', updated_at = now() WHERE id = 3`);
  expect((await sync(pair)).table()).toMatchObject({
    action: 'incremental',
    rows_updated: 1,
    rows_deleted: 1,
  });
  expect((await marksOf(pair)).marked).toEqual([2]);
  await pair.writeTables([{ ...ORDERS_CONFIG, ...HARD }]);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_deleted: 1 });
  await expectSameRows(pair, 'orders');
});

for (const deletes of oneIn(2, ['keep', 'ignore', 'hard'])) {
  test(`"soft" to "${deletes}": a row at the source loses its mark`, async () => {
    await using pair = await freshPair(orders(SOFT));
    await sync(pair);
    await pair.source.query('DELETE FROM orders WHERE id IN (2, 5, 7)');
    await sync(pair);
    await pair.writeTables([{ ...ORDERS_CONFIG, deletes }]);
    await pair.source.query(`INSERT INTO orders (id, note) VALUES (2, 'back')`);
    const { stdout } = await increp('sync', pair);
    expect(stdout).toContain('note: column "_deleted_at" of the destination table stays; ');
    const gone = deletes === 'hard' ? [] : [5, 7];
    expect((await marksOf(pair)).marked).toEqual(gone);
    expect((await increp('sync', pair)).stdout).not.toContain('_deleted_at');

    const mark = () => pair.destination.query('UPDATE orders SET _deleted_at = now() WHERE id = 3');
    await mark();
    const verified = await increp('verify --json', pair);
    expect(verified.json<{ tables: object[] }>().tables[0]).toMatchObject({
      status: 'different',
      changed: 1,
    });
    // A load compares the rows, and so does --repair. A comparison of the keys finds the mark, too.
    const args =
      deletes === 'hard' ? 'sync --deletes' : deletes === 'keep' ? 'verify --repair' : 'sync --full-refresh';
    expect((await increp(args, pair)).exitCode).toBe(0);
    expect((await marksOf(pair)).marked).toEqual(deletes === 'keep' ? gone : []);
    await increp('reset orders', pair);
    await mark();
    expect((await sync(pair)).table()).toMatchObject({ action: 'reset', rows_updated: 1 });
    expect((await marksOf(pair)).marked).toEqual(deletes === 'keep' ? gone : []);
    expect((await increp('verify', pair)).exitCode).toBe(0);
  });
}

test('a column "_deleted_at" of the source has the values of the source', async () => {
  await using pair = await freshPair(orders(SOFT));
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id = 2');
  await sync(pair);
  const KEPT = { ...ORDERS_CONFIG, deletes: 'keep' };
  await pair.writeTables([KEPT]);
  await sync(pair);
  await pair.source.query(`ALTER TABLE orders ADD _deleted_at timestamptz;
    UPDATE orders SET _deleted_at = '2020-01-01', updated_at = now() WHERE id = 5`);
  for (const note of ['with it', 'without it']) {
    await pair.source.query(`UPDATE orders SET note = '${note}', updated_at = now() WHERE id = 5`);
    await sync(pair);
    expect((await marksOf(pair)).marked).toEqual([2, 5]);
    expect((await increp('verify', pair)).exitCode).toBe(0);
    await pair.source.query('ALTER TABLE orders DROP COLUMN IF EXISTS _deleted_at');
    await sync(pair);
  }
});

for (const way of oneIn(2, ['', '--full-refresh'])) {
  test(`marks survive a ${way === '' ? 'swap, when a column is added' : 'full refresh'}`, async () => {
    await using pair = await freshPair(orders(SOFT));
    await sync(pair);
    await pair.source.query('DELETE FROM orders WHERE id IN (2, 5)');
    await sync(pair);
    const marks = 'SELECT id, note, _deleted_at FROM orders WHERE id IN (2, 5) ORDER BY id';
    const before = (await pair.destination.query(marks)).rows;
    // Gone since the last comparison: marked by the load itself.
    await pair.source.query('DELETE FROM orders WHERE id = 7');
    if (way === '') await pair.source.query(`ALTER TABLE orders ADD extra int DEFAULT 7`);
    const table = (await sync(pair, way)).table();
    expect(table.action).toBe(way === '' ? 'reset' : 'full-refresh');
    expect((await pair.destination.query(marks)).rows).toEqual(before);
    expect((await marksOf(pair)).marked).toEqual([2, 5, 7]);
    await pair.source.query(`INSERT INTO orders (id, note) VALUES (2, 'back')`);
    expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_updated: 1 });
    expect((await marksOf(pair)).marked).toEqual([5, 7]);
    expect((await increp('verify', pair)).exitCode).toBe(0);
  });
}

slowTest('exactly half is removed, and marks count as rows that are gone already', async () => {
  await using pair = await freshPair(orders(SOFT));
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id <= 5');
  expect((await sync(pair)).table().rows_deleted).toBe(5);
  await pair.source.query('DELETE FROM orders WHERE id <= 8');
  const refused = await trySync(pair);
  expect(refused.table().error?.message).toMatch(/has at least 3 of 5 rows/);
  expect((await marksOf(pair)).marked).toEqual([1, 2, 3, 4, 5]);
});
