/** Rows that are gone from the source: found by comparing keys, removed or marked, and never too many by mistake. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { digestGroups } from '../../src/sql/compare.ts';
import { textOf } from '../../src/sql/search-path.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions, TableConfig } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const HARD = { deletes: 'hard', deletes_every: '0s' };
const SOFT = { deletes: 'soft', deletes_every: '0s' };

/** The ten orders. */
const orders = (more: object): PairOptions => ({ ...ordersPreset, tables: [{ ...ORDERS_CONFIG, ...more }] });

const items = (columns: string, unique: readonly string[], more: object = HARD): PairOptions => ({
  tables: [{ name: 'items', replication_key: 'at', unique_cols: unique, ...more }] as TableConfig[],
  sourceSql: `CREATE TABLE items (${columns}, at timestamptz DEFAULT now())`,
});

const manyOrders = (rows: number, more: object = HARD): PairOptions => ({
  tables: [{ ...ORDERS_CONFIG, ...more }],
  sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, total, note)
    SELECT i, i, repeat('note ', 20) || i FROM generate_series(1, ${rows}) i;
    UPDATE orders SET updated_at = now() - (${rows} - id) * interval '1 min'; ANALYZE orders`,
});

/** Ids at the destination by whether they are marked. */
async function marksOf(pair: Pair): Promise<{ live: number[]; marked: number[] }> {
  const { rows } = await pair.destination.query<{ id: string; isMarked: boolean }>(
    'SELECT id, _deleted_at IS NOT NULL AS "isMarked" FROM orders ORDER BY id',
  );
  const ids = (wanted: boolean) =>
    rows.filter(({ isMarked }) => isMarked === wanted).map(({ id }) => Number(id));
  return { live: ids(false), marked: ids(true) };
}

/** Between increp and its source. */
async function throughProxy(pair: Pair) {
  const proxy = await faultProxy(pair.login('source'));
  await pair.setEnv({ SOURCE_HOST: proxy.host, SOURCE_PORT: String(proxy.port) });
  return proxy;
}

const idsAtDestination = async (pair: Pair, table = 'orders') =>
  (await pair.destination.query<{ id: string }>(`SELECT id::text FROM ${table} ORDER BY id`)).rows.map(
    ({ id }) => id,
  );

test('"hard" removes what is gone, counts it, and leaves the rest alone', async () => {
  await using pair = await freshPair(orders(HARD));
  expect((await sync(pair)).table()).toMatchObject({ action: 'initial', rows_deleted: 0 });
  await pair.source.query('DELETE FROM orders WHERE id IN (2, 5)');
  await insertOrders(pair, 1);
  expect((await sync(pair)).table()).toMatchObject({
    action: 'incremental',
    rows_inserted: 1,
    rows_updated: 0,
    rows_deleted: 2,
    warnings: [],
  });
  await expectSameRows(pair, 'orders');
  expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 0, rows_inserted: 0, rows_updated: 0 });
});

test('"ignore" keeps what is gone', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id = 2');
  expect((await sync(pair, '--deletes')).table().rows_deleted).toBe(0);
  expect(await idsAtDestination(pair)).toHaveLength(10);
});

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

slowTest('deletes_every says how often, --deletes forces it, and the plan says when it is due', async () => {
  await using pair = await freshPair(orders({ deletes: 'hard' }));
  const planned = async (args = '') =>
    (await increp(`plan ${args} --json`, pair)).json<{ tables: [{ looks_for_deletes: boolean }] }>().tables[0]
      .looks_for_deletes;
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id = 2');
  // The load itself was a comparison.
  expect(await planned()).toBe(false);
  expect((await increp('plan', pair)).stdout).toMatch(
    /deletes: not due \(last load or comparison \d+ s ago, every 1d\)/,
  );
  expect((await increp('status orders', pair)).stdout).toMatch(
    /^ {4}deleted rows: last load or comparison \d+ s ago, next comparison in 24 h$/m,
  );
  expect((await sync(pair)).table().rows_deleted).toBe(0);
  expect(await planned('--deletes')).toBe(true);
  expect((await sync(pair, '--deletes')).table().rows_deleted).toBe(1);
  await expectSameRows(pair, 'orders');

  await pair.source.query('DELETE FROM orders WHERE id = 3');
  await pair.destination.query(`UPDATE _increp_state SET record = record ||
    jsonb_build_object('deletesCheckedAt', to_json(now() - interval '25 hours'))`);
  expect(await planned()).toBe(true);
  expect((await increp('plan', pair)).stdout).toMatch(
    /deletes: due now .*; to count the rows to remove:\n +increp verify orders$/m,
  );
  expect((await increp('plan --exit-code', pair)).exitCode).toBe(2);
  expect((await sync(pair)).table().rows_deleted).toBe(1);
  expect(await planned()).toBe(false);
});

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

test('keys that are changed, swapped or used again leave no ghost', async () => {
  await using pair = await freshPair(orders(HARD));
  await sync(pair);
  await pair.source.query(`UPDATE orders SET id = 101, updated_at = now() WHERE id = 1`);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, rows_deleted: 1 });
  await expectSameRows(pair, 'orders');
  await pair.source.query(`UPDATE orders SET id = -id, updated_at = now() WHERE id IN (2, 3);
    UPDATE orders SET id = CASE id WHEN -2 THEN 3 ELSE 2 END, updated_at = now() WHERE id IN (-2, -3)`);
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 2, rows_deleted: 0 });
  await expectSameRows(pair, 'orders');
  await pair.source.query(
    `DELETE FROM orders WHERE id = 4; INSERT INTO orders (id, note) VALUES (4, 'again')`,
  );
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 1, rows_deleted: 0 });
  await expectSameRows(pair, 'orders');
});

slowTest(
  'rows that came without a sign are not fetched by comparing keys, but they are told of',
  async () => {
    await using pair = await freshPair(orders(HARD));
    await pair.source.query(`UPDATE orders SET updated_at = now() - interval '1 day' WHERE id < 10;
    CREATE TABLE saved AS TABLE orders; ALTER TABLE orders ALTER updated_at DROP NOT NULL`);
    await sync(pair);
    await pair.source.query('DELETE FROM orders WHERE id = 2');
    expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 1, warnings: [] });
    // Restored as a backup had it, and written without a key.
    await pair.source.query(`INSERT INTO orders SELECT * FROM saved WHERE id = 2;
    INSERT INTO orders VALUES (50, 1, 'no key', NULL)`);
    const noKey = expect.stringMatching(/^1 row has no updated_at/);
    expect((await sync(pair)).table().warnings).toEqual([
      noKey,
      expect.stringMatching(
        /^2 rows of the source are missing in the destination table, .*"increp verify orders --repair"/,
      ),
    ]);
    expect((await increp('verify orders --repair', pair)).exitCode).toBe(0);
    await expectSameRows(pair, 'orders');
    expect((await sync(pair)).table().warnings).toEqual([noKey]);
  },
);

test('a composite key with NULLs', async () => {
  await using pair = await freshPair(items('a int, b text, n int', ['a', 'b'], { ...HARD, delete_limit: 1 }));
  await pair.source.query(`INSERT INTO items SELECT a, b, 1 FROM unnest(ARRAY[1, 2, NULL]) a,
    unnest(ARRAY['', 'x', NULL]) b`);
  await sync(pair);
  for (const gone of [
    `a IS NULL AND b = ''`,
    `a = 1 AND b IS NULL`,
    `a IS NULL AND b IS NULL`,
    `a = 2 AND b = ''`,
  ]) {
    await pair.source.query(`DELETE FROM items WHERE ${gone}`);
    expect((await sync(pair)).table(), gone).toMatchObject({
      rows_deleted: 1,
      rows_inserted: 0,
      rows_updated: 0,
    });
    await expectSameRows(pair, 'items');
  }
});

/** Values of a key's type, of which the second is deleted. */
const KEYS: readonly (readonly [type: string, setup: string, values: readonly string[]])[] = [
  ['text', '', [`''`, `'a "b" \\ ,{}'`, `E'tab\\tnew\\nline'`, `'é'`, `U&'e\\0301'`]],
  ['char(5)', '', [`'a'`, `'b  '`, `''`]],
  ['uuid', '', [`'00000000-0000-0000-0000-000000000001'`, `'00000000-0000-0000-0000-00000000000A'`]],
  ['mood', `CREATE TYPE mood AS ENUM ('ok', 'not "ok"', '')`, [`'ok'`, `'not "ok"'`, `''`]],
  ['bytea', '', [`'\\x00'`, `'\\xff00'`, `''`]],
  ['numeric', '', ['1', '2.50', `'NaN'`]],
  ['float8', '', ['0.1', '1e300', `'-Infinity'`]],
  ['date', '', [`'2026-01-01'`, `'infinity'`, `'0044-03-15 BC'`]],
  ['timestamptz', '', [`'2026-01-01 12:00:00.000001+02'`, `'2026-01-01 12:00:00.000002+02'`]],
  ['interval', '', [`'1 day'`, `'-1 mon +2 days'`]],
  ['int[]', '', [`'{}'`, `'{1,NULL}'`, `'{{1},{2}}'`]],
  ['inet', '', [`'10.0.0.1'`, `'10.0.0.1/8'`]],
  ['boolean', '', ['true', 'false']],
  ['jsonb', '', [`'{"a": "\\" "}'`, `'null'`]],
];

slowTest('keys of every kind of type', async () => {
  const name = (place: number) => `items_${place}`;
  const rowsOf = (values: readonly string[]) => values.map((value) => `(${value})`).join(', ');
  await using pair = await freshPair({
    tables: KEYS.map((_, place) => ({
      name: name(place),
      replication_key: 'at',
      unique_cols: ['k'],
      ...HARD,
    })),
    sourceSql: KEYS.map(
      ([type, setup, values], place) => `${setup};
        CREATE TABLE ${name(place)} (k ${type} PRIMARY KEY, at timestamptz DEFAULT now());
        INSERT INTO ${name(place)} VALUES ${rowsOf(values)}`,
    ).join('; '),
  });
  await sync(pair);
  for (const [place, [, , values]] of KEYS.entries()) {
    await pair.source.query(`DELETE FROM ${name(place)} WHERE k = ${values[1]}`);
  }
  const result = await sync(pair);
  for (const [place, [type]] of KEYS.entries()) {
    const counts = { rows_deleted: 1, rows_inserted: 0, rows_updated: 0, warnings: [] };
    expect(result.table(name(place)), type).toMatchObject(counts);
    await expectSameRows(pair, name(place));
  }
});

slowTest('rows that appear at the source during the comparison are never touched', async () => {
  await using pair = await freshPair(manyOrders(20_000));
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id % 4000 = 0');
  await using proxy = await throughProxy(pair);
  proxy.delay(60);
  await using running = startIncrep('sync --json -v', pair);
  await running.waitForPhase('deletes');
  await insertOrders(pair, 50);
  await pair.source.query('UPDATE orders SET id = -id, updated_at = now() WHERE id <= 50');
  const { exitCode, ...result } = await running.wait();
  expect(exitCode, result.stderr).toBe(0);
  // Not even the old keys of those rows: in the snapshot they were still there.
  const { rows } = await pair.destination.query('SELECT count(*)::int AS rows FROM orders WHERE id <= 50');
  expect(rows).toEqual([{ rows: 50 }]);
  await proxy.resume();
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 100, rows_deleted: 50 });
  await expectSameRows(pair, 'orders');
});

/** An index-only scan needs pages that all can see, and autovacuum's own snapshot may keep VACUUM from saying so. */
async function vacuum(source: Pair['source'], table: string): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    await source.query(`VACUUM ANALYZE ${table}`);
    const { rows } = await source.query(
      'SELECT relallvisible >= relpages AS done FROM pg_class WHERE relname = $1',
      [table],
    );
    if (rows[0]?.done === true) return;
    await sleep(100);
  }
  throw new Error(`some snapshot keeps the pages of ${table} from being visible to all`);
}

slowTest('little moves where little differs, and only keys are read', async () => {
  await using pair = await freshPair(manyOrders(20_000));
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id IN (77, 7777, 17777)');
  await vacuum(pair.source, 'orders');
  await using proxy = await throughProxy(pair);
  // The keys alone would be more than a megabyte.
  proxy.when({ from: 'server', afterBytes: 250_000, fault: 'cut' });
  expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 3, rows_read: 0 });
  expect(proxy.fired).toBe(0);
  await expectSameRows(pair, 'orders');
  const digests = digestGroups({
    from: { schema: 'public', table: 'orders' },
    mergeKey: ['id'],
    columns: null,
    where: 'true',
    isPending: 'false',
    version: null,
    groups: 40,
  });
  const plan = await pair.source.query(`EXPLAIN ${textOf(digests)}`);
  expect(JSON.stringify(plan.rows)).toContain('Index Only Scan');
});

test('--deletes says that it has no effect on tables that keep deleted rows', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const warning = '--deletes has no effect: "deletes" is "ignore" for every table of this run';
  expect((await sync(pair, '--deletes')).summary.warnings).toEqual([warning]);
  await pair.writeTables([{ ...ORDERS_CONFIG, deletes: 'hard' }]);
  expect((await sync(pair, '--deletes')).summary.warnings).toEqual([]);
});
