/** A load takes the rows away that the source no longer has: never more than `delete_limit`, and never without a word. */
import { expect, test } from 'vitest';
import { big, chunksDone } from '../support/chunked.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const rowsThere = async ({ destination }: Pair) => (await destination.query('SELECT FROM orders')).rowCount;

/** The source keeps 1 of 10 rows, or as many as asked for. */
async function purged(options: object = {}, left = 1): Promise<Pair> {
  const pair = await freshPair({ ...ordersPreset, tables: [{ ...ORDERS_CONFIG, ...options }] });
  await sync(pair);
  await pair.source.query(`DELETE FROM orders WHERE id > ${left}`);
  return pair;
}

const ADD_COLUMN = 'ALTER TABLE orders ADD COLUMN more int';

/** How a table comes to be loaded again, after its source was purged. */
const WAYS: readonly [
  name: string,
  again: (pair: Pair) => Promise<unknown>,
  args?: string,
  options?: object,
][] = [
  ['a column was added', ({ source }) => source.query(ADD_COLUMN)],
  [
    'a column was added, in chunks',
    ({ source }) => source.query(ADD_COLUMN),
    '',
    { chunk: '64kB', initial_load: 'copy' },
  ],
  ['a column was renamed', ({ source }) => source.query('ALTER TABLE orders RENAME COLUMN note TO remark')],
  [
    'the key has another type',
    ({ source }) => source.query('ALTER TABLE orders ALTER COLUMN id TYPE integer'),
  ],
  [
    'the key has another name',
    async (pair) => {
      await pair.source.query('ALTER TABLE orders RENAME COLUMN id TO number');
      await pair.writeTables([{ ...ORDERS_CONFIG, unique_cols: ['number'] }]);
    },
  ],
  [
    'the table was made anew',
    ({ source }) =>
      source.query(`CREATE TABLE anew (LIKE orders INCLUDING ALL); INSERT INTO anew SELECT * FROM orders;
    DROP TABLE orders; ALTER TABLE anew RENAME TO orders; GRANT SELECT ON orders TO PUBLIC`),
  ],
  [
    'evolve falls back to a load',
    async (pair) => {
      await pair.source.query(ADD_COLUMN);
      await pair.destination.query('ALTER TABLE orders ALTER COLUMN total TYPE text');
    },
    '',
    { on_schema_change: 'evolve' },
  ],
  ['a reset', (pair) => increp('reset orders', pair)],
  ['a full refresh', () => Promise.resolve(), '--full-refresh'],
  [
    'a full refresh with a view built on it',
    ({ destination }) => destination.query('CREATE VIEW large AS SELECT id FROM orders'),
    '--full-refresh',
  ],
];

for (const [name, again, args = '', options = {}] of oneIn(16, WAYS)) {
  test(`${name}: above the limit the table stops, and --force lets it go on`, async () => {
    await using pair = await purged(options);
    await again(pair);
    const plan = (await increp(`plan ${args}`, pair)).stdout.replaceAll(/\s+/g, ' ');
    expect(plan).toContain('would be refused: loading public.orders would remove 9 of 10 rows');
    const { exitCode, table } = await trySync(pair, args);
    expect(exitCode).toBe(1);
    expect(table().error).toMatchObject({ code: 'DELETE_LIMIT_EXCEEDED' });
    expect(table().error?.message).toContain('would remove 9 of 10 rows that the source no longer has');
    expect(table().error?.hint).toMatch(
      /^If increp may remove these rows, run .* The load is needed, because .+\.$/s,
    );
    expect(await rowsThere(pair)).toBe(10);
    expect((await trySync(pair, args)).table().error?.code).toBe('DELETE_LIMIT_EXCEEDED');
    const forced = (await sync(pair, `${args} --force`)).table();
    expect(forced).toMatchObject({ rows_deleted: 9 });
    expect(forced.warnings.join()).toContain('9 rows that the source no longer has were removed');
    expect(await rowsThere(pair)).toBe(1);
    await expectSameRows(pair, 'orders');
  });
}

slowTest('a load in chunks is held to the limit at its end, and its chunks are kept', async () => {
  await using pair = await freshPair(big());
  await sync(pair);
  const { rows } = await pair.source.query<{ n: number }>('SELECT count(*)::int AS n FROM big');
  const all = rows[0]?.n ?? 0;
  await pair.source.query('DELETE FROM big WHERE id % 10 > 0; ALTER TABLE big ADD COLUMN more int');
  const { error } = (await trySync(pair)).table();
  expect(error?.code).toBe('DELETE_LIMIT_EXCEEDED');
  expect(error?.hint).toContain('increp sync big --force');
  expect(await chunksDone(pair)).toBeGreaterThan(1);
  expect((await pair.destination.query('SELECT FROM big')).rowCount).toBe(all);
  const forced = (await sync(pair, '--force')).table();
  expect(forced.reason).toContain('continues an interrupted load');
  expect(forced.rows_deleted).toBeGreaterThan(all / 2);
  await expectSameRows(pair, 'big');
});

slowTest('below the limit rows go, and plan, check and the summary say how many', async () => {
  for (const again of [ADD_COLUMN, undefined]) {
    await using pair = await purged({}, 8);
    if (again === undefined) await increp('reset orders', pair);
    else await pair.source.query(again);
    const plan = await increp('plan', pair);
    expect(plan.stdout).toContain('removes: 2 of 10 rows of the destination that the source no longer has');
    const json = (await increp('plan --json', pair)).json<{ tables: { rows_gone: number }[] }>();
    expect(json.tables[0]?.rows_gone).toBe(2);
    const check = await increp('check --json', pair);
    expect(check.exitCode).toBe(0);
    expect(check.stdout).toContain('"LOAD_REMOVES"');
    const { table, stdout } = await sync(pair);
    expect(table(), stdout).toMatchObject({ rows_deleted: 2 });
    await expectSameRows(pair, 'orders');
  }
});

test('check says beforehand that a load would be refused', async () => {
  await using pair = await purged();
  expect((await increp('check', pair)).exitCode).toBe(0);
  await pair.source.query(ADD_COLUMN);
  const check = await increp('check --json', pair);
  expect(check.exitCode).toBe(1);
  expect(check.stdout).toContain('"DELETE_LIMIT_EXCEEDED"');
});

slowTest('rows that are marked count as well, and those that were marked before do not', async () => {
  await using pair = await purged({ deletes: 'soft' }, 6);
  await sync(pair, '--deletes');
  await pair.source.query(`DELETE FROM orders WHERE id > 2; ${ADD_COLUMN}`);
  const { error } = (await trySync(pair)).table();
  expect(error?.message).toContain('would mark 4 of 6 rows');
  const { table } = await sync(pair, '--force');
  expect(table()).toMatchObject({ rows_deleted: 4, warnings: [] });
  const { rows } = await pair.destination.query(
    'SELECT count(*)::int AS n, count(_deleted_at)::int AS marked FROM orders',
  );
  expect(rows).toEqual([{ n: 10, marked: 8 }]);
});

slowTest('delete_limit decides, and rows of other pipelines and histories are no concern of it', async () => {
  for (const options of [
    { delete_limit: 1 },
    { mode: 'incremental-append', deletes: 'keep' },
    { on_conflict: 'last_update_wins' },
  ]) {
    await using pair = await purged(options);
    await pair.source.query(ADD_COLUMN);
    await sync(pair);
    expect(await rowsThere(pair), JSON.stringify(options)).toBe('delete_limit' in options ? 1 : 10);
  }
  await using pair = await purged({ metadata_columns: ['_source'] }, 9);
  await pair.destination.query(
    `INSERT INTO orders SELECT id + 1000, total, note, updated_at, 'other' FROM orders`,
  );
  await increp('reset orders', pair);
  expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 1 });
  expect(await rowsThere(pair)).toBe(19);
});

/** The limit of mode full-refresh, rows of the source from ten on, and whether the load is refused. */
const REFRESHES: readonly (readonly [limit: number | undefined, left: number, isRefused: boolean])[] = [
  [undefined, 0, true],
  [undefined, 1, false],
  [0.2, 7, true],
  [0.2, 8, false],
  [1, 0, false],
];

for (const [limit, left, isRefused] of oneIn(9, REFRESHES)) {
  const words = limit === undefined ? 'without a limit' : `with delete_limit ${limit}`;
  test(`mode full-refresh ${words}: ${left} of 10 rows are ${isRefused ? 'too few' : 'enough'}`, async () => {
    const { replication_key: _, ...config } = ORDERS_CONFIG;
    const tables = [{ ...config, mode: 'full-refresh', ...(limit !== undefined && { delete_limit: limit }) }];
    await using pair = await freshPair({ ...ordersPreset, tables });
    await sync(pair);
    // All keys are new, which is no loss.
    await pair.source.query('UPDATE orders SET id = id + 100');
    expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 10, rows_inserted: 10, warnings: [] });
    await pair.source.query(`DELETE FROM orders WHERE id > ${100 + left}`);
    const plan = await increp('plan', pair);
    expect(plan.stdout).toContain(`removes: at least ${10 - left} of 10 rows of the destination`);
    expect(plan.stdout.includes('would be refused: loading public.orders would')).toBe(isRefused);
    expect((await increp('check', pair)).exitCode).toBe(isRefused ? 1 : 0);
    const { error, rows_deleted: deleted } = (await trySync(pair)).table();
    expect([error?.code, deleted]).toEqual(isRefused ? ['DELETE_LIMIT_EXCEEDED', 0] : [undefined, 10 - left]);
    expect(await rowsThere(pair)).toBe(isRefused ? 10 : left);
    if (isRefused) expect((await increp('verify --repair', pair)).exitCode).toBe(2);
    expect((await sync(pair, '--force')).table().rows_deleted).toBe(isRefused ? 10 - left : 0);
    await expectSameRows(pair, 'orders');
  });
}

slowTest('an adopted table is held to the limit, and a replaced one is not', async () => {
  for (const flag of ['--adopt', '--replace']) {
    await using pair = await freshPair({
      ...ordersPreset,
      destinationSql: `CREATE TABLE orders (id bigint PRIMARY KEY, total numeric(12,2), note text, updated_at timestamptz NOT NULL);
        INSERT INTO orders SELECT g, 1, 'only here', now() FROM generate_series(101, 103) g`,
    });
    const { table } = await trySync(pair, `orders ${flag}`);
    expect(table().error?.code).toBe(flag === '--adopt' ? 'DELETE_LIMIT_EXCEEDED' : undefined);
    if (flag === '--adopt') {
      expect(table().error?.hint).toContain('increp sync orders --adopt --force');
      await sync(pair, 'orders --adopt --force');
    }
    await expectSameRows(pair, 'orders');
  }
});

slowTest('an empty source takes nothing away at a load', async () => {
  await using pair = await purged({}, 0);
  await increp('reset orders', pair);
  expect((await trySync(pair)).table().error?.code).toBe('DELETE_LIMIT_EXCEEDED');
  expect(await rowsThere(pair)).toBe(10);
  await insertOrders(pair, 10);
  await sync(pair);
  await expectSameRows(pair, 'orders');
});

test('new unique_cols that many rows share are refused, and --force keeps the newest of each', async () => {
  await using pair = await freshPair(ordersPreset);
  await pair.source.query("UPDATE orders SET total = id % 3, updated_at = now() + id * interval '1 ms'");
  await sync(pair);
  await pair.writeTables([{ ...ORDERS_CONFIG, unique_cols: ['total'] }]);
  const refused = (await trySync(pair)).table().error;
  expect(refused).toMatchObject({ code: 'DELETE_LIMIT_EXCEEDED' });
  expect(refused?.message).toMatch(/would leave 3 of 10 rows, .* have the same unique_cols \(total\)/);
  expect(await rowsThere(pair)).toBe(10);
  // The plan cannot foresee it.
  expect((await increp('plan', pair)).stdout).toMatch(/last sync: FAILED .* would leave 3 of 10 rows/);
  expect((await sync(pair, 'orders --force')).table()).toMatchObject({
    action: 'reset',
    rows_deleted: 0,
    warnings: [/unique_cols \(total\) do not identify rows at the source/],
  });
  expect(await rowsThere(pair)).toBe(3);
});
