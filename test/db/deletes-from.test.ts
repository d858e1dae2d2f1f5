/** `deletes_from`: the source records deleted keys, and each sync removes these rows without comparing both sides. */
import { describe, expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { insertOrders, ordersPreset, ORDERS_CONFIG } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const logging = (change: object = {}): PairOptions => ({
  ...ordersPreset,
  tables: [
    { ...ORDERS_CONFIG, initial_load: 'copy', deletes: 'hard', deletes_from: 'orders_deleted', ...change },
  ],
});

/** The owner runs what increp prints. */
async function record(pair: Pair): Promise<void> {
  const { stdout, exitCode } = await increp('deletes-sql orders', pair);
  expect(exitCode).toBe(0);
  await pair.source.query(stdout.slice(0, stdout.indexOf('-- Run this once a day')));
}

const prune = async (pair: Pair): Promise<string> => {
  const { stdout } = await increp('deletes-sql orders', pair);
  return stdout.slice(stdout.indexOf('-- Run this once a day'));
};

/** With a log that is filled, after a load and the one sync that still compares the keys. */
async function synced(change: object = {}): Promise<Pair> {
  const pair = await freshPair(logging(change));
  await record(pair);
  await sync(pair);
  await sync(pair);
  return pair;
}

const remove = (pair: Pair, where: string) => pair.source.query(`DELETE FROM orders WHERE ${where}`);
const idsMarked = async (pair: Pair) =>
  (
    await pair.destination.query<{ id: number }>(
      'SELECT id::int FROM orders WHERE _deleted_at IS NOT NULL ORDER BY 1',
    )
  ).rows.map(({ id }) => id);

test('deleted and moved rows go at the next sync, without a comparison; a row that came back stays', async () => {
  await using pair = await synced();
  await remove(pair, 'id IN (1, 2)');
  await pair.source.query('UPDATE orders SET id = 300, updated_at = now() WHERE id = 3');
  await pair.source.query(`INSERT INTO orders (id, total, updated_at) VALUES (2, 7, now())`);
  const plan = await increp('plan', pair);
  expect(plan.stdout).toMatch(/at each sync from public\.orders_deleted; comparison not due/);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_deleted: 2 });
  await expectSameRows(pair, 'orders');
  expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 0 });
  await remove(pair, 'id = 300');
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 0, rows_deleted: 1 });
  await expectSameRows(pair, 'orders');

  await pair.writeTables([{ ...ORDERS_CONFIG, deletes: 'hard' }]);
  await pair.source.query('UPDATE orders SET updated_at = now() WHERE id = 4');
  const [note] = (await sync(pair)).table().warnings;
  expect(note).toMatch(/^increp no longer reads public\.orders_deleted, .* run at the source: DROP FUNCTION/);
  await pair.source.query(/run at the source: (.*)$/.exec(note ?? '')?.[1] ?? '');
  await remove(pair, 'id = 5');
  expect((await sync(pair, '--deletes')).table()).toMatchObject({ rows_deleted: 1, warnings: [] });
});

slowTest('soft: they are marked, and a row that comes back is unmarked', async () => {
  await using pair = await synced({ deletes: 'soft' });
  await remove(pair, 'id IN (4, 5)');
  expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 2 });
  expect(await idsMarked(pair)).toEqual([4, 5]);
  await pair.source.query(`INSERT INTO orders (id, total, updated_at) VALUES (4, 7, now())`);
  await sync(pair);
  expect(await idsMarked(pair)).toEqual([5]);
});

describe('a deletion that is committed late', () => {
  test('is found although the syncs before it read later entries', async () => {
    await using pair = await synced({ lookback: '0s' });
    const late = await pair.source.connect();
    try {
      await late.query('BEGIN; DELETE FROM orders WHERE id = 6');
      for (const id of [7, 8]) {
        await remove(pair, `id = ${id}`);
        expect((await sync(pair, '--wait-transactions 0s')).table()).toMatchObject({ rows_deleted: 1 });
      }
      await late.query('COMMIT');
    } finally {
      late.release();
    }
    expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 1 });
    await expectSameRows(pair, 'orders');
  });

  slowTest('also if it is the only deletion', async () => {
    await using pair = await synced({ lookback: '0s' });
    const late = await pair.source.connect();
    try {
      await late.query('BEGIN; DELETE FROM orders WHERE id = 6');
      await insertOrders(pair, 1);
      await sync(pair, '--wait-transactions 0s');
      await insertOrders(pair, 1);
      await sync(pair, '--wait-transactions 0s');
      await late.query('COMMIT');
    } finally {
      late.release();
    }
    expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 1 });
    await expectSameRows(pair, 'orders');
  });
});

slowTest(
  'a TRUNCATE, and a log that was pruned past the last sync, make increp compare the keys',
  async () => {
    await using pair = await synced({ delete_limit: 1 });
    await pair.source.query('TRUNCATE orders; INSERT INTO orders VALUES (1, 1, NULL, now())');
    expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 9 });
    await expectSameRows(pair, 'orders');
    await insertOrders(pair, 3);
    await sync(pair);
    await remove(pair, 'id > 1');
    // As if the last sync were 31 days ago and the entries 30 days and a bit.
    await pair.source.query(`UPDATE orders_deleted SET deleted_at = now() - interval '30 days 1 hour'`);
    await pair.destination.query(
      `UPDATE _increp_state SET record = jsonb_set(record::jsonb, '{deletions,from}', to_jsonb((now() - interval '31 days')::text))`,
    );
    await pair.source.query(await prune(pair));
    const { rows } = await pair.source.query('SELECT FROM orders_deleted WHERE id IS NOT NULL');
    expect(rows).toHaveLength(0);
    expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 3 });
    await expectSameRows(pair, 'orders');
  },
);

slowTest(
  'the limit protects from a log that names too many rows; then the position stays, and --force goes on',
  async () => {
    await using pair = await synced();
    await remove(pair, 'id <= 9');
    await insertOrders(pair, 1);
    const { exitCode, table } = await trySync(pair);
    expect(exitCode).toBe(1);
    expect(table().error).toMatchObject({ code: 'DELETE_LIMIT_EXCEEDED' });
    expect(table()).toMatchObject({ rows_inserted: 1, rows_deleted: 0 });
    expect((await trySync(pair)).table().error).toMatchObject({ code: 'DELETE_LIMIT_EXCEEDED' });
    expect((await sync(pair, '--deletes --force')).table()).toMatchObject({ rows_deleted: 9 });
    await expectSameRows(pair, 'orders');
  },
);

slowTest('a log that is new or another one: the keys are compared once', async () => {
  await using pair = await freshPair(logging({ deletes_from: undefined }));
  await sync(pair);
  await record(pair);
  await remove(pair, 'id = 1');
  await pair.writeTables(logging().tables ?? []);
  expect((await increp('plan', pair)).stdout).toMatch(/deletes: +due now/);
  expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 1 });
  expect((await increp('plan', pair)).stdout).toMatch(/at each sync from public\.orders_deleted/);
});

slowTest(
  'a log that was made anew lacks earlier deletions, so the keys are compared, also by a quiet table',
  async () => {
    await using pair = await synced();
    await pair.source.query('DROP FUNCTION orders_deleted_fill CASCADE; DROP TABLE orders_deleted');
    await remove(pair, 'id IN (1, 2)');
    expect((await increp('sync', pair)).exitCode).not.toBe(0);
    await record(pair);
    expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 2 });
    await remove(pair, 'id = 3');
    expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 1 });
    await expectSameRows(pair, 'orders');
  },
);

test('a log that cannot be read is named, and nothing of the table is synced', async () => {
  await using pair = await synced();
  await insertOrders(pair, 1);
  const message = async () => (await trySync(pair)).table().error;
  await pair.source.query('ALTER TABLE orders_deleted RENAME deleted_at TO at');
  expect(await message()).toMatchObject({
    code: 'COLUMN_NOT_FOUND',
    message: expect.stringMatching(/^"deletes_from" of "orders" \(public\.orders_deleted\): .*deleted_at/),
    hint: expect.stringContaining('run "increp deletes-sql orders"'),
  });
  await pair.writeTables(logging({ deletes_from: { table: '*_deleted', deleted_at: 'at' } }).tables ?? []);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
  await pair.source.query(
    `ALTER TABLE orders_deleted ALTER at DROP DEFAULT, ALTER at TYPE timestamp USING now()`,
  );
  await insertOrders(pair, 1);
  expect(await message()).toMatchObject({
    code: 'SQL_INVALID',
    message: expect.stringContaining('must be timestamptz'),
  });
  const { user } = pair.login('source', 'increp');
  await pair.source.query(`REVOKE SELECT ON orders_deleted FROM ${user}`);
  const grant = `GRANT SELECT ON "public"."orders_deleted" TO "${user}"`;
  expect(await message()).toMatchObject({
    code: 'PRIVILEGE_MISSING',
    hint: `Nothing of "orders" was synced. At the source, run: ${grant}`,
  });
  const planned = async () => (await increp('plan --json', pair)).stdout;
  expect(JSON.parse(await planned())).toMatchObject({
    tables: [
      { action: 'refused', error: { code: 'PRIVILEGE_MISSING', hint: `At the source, run: ${grant}` } },
    ],
  });
  await pair.source.query('DROP TABLE orders_deleted CASCADE');
  expect(await message()).toMatchObject({ code: 'TABLE_NOT_FOUND' });
  expect(JSON.parse(await planned())).toMatchObject({ tables: [{ error: { code: 'TABLE_NOT_FOUND' } }] });
  const { stdout } = await increp('check', pair);
  expect(stdout).toMatch(/"deletes_from" of "orders": the source has no table public\.orders_deleted/);
});

test('deletes-sql completes an existing log: the entries stay, and the keys are compared once', async () => {
  await using pair = await synced();
  await pair.source.query('DROP TRIGGER orders_deleted_row ON orders');
  const { stdout } = await increp('check', pair);
  expect(stdout.replaceAll(/\s+/g, ' ')).toContain('the log keeps its entries: increp deletes-sql orders');
  await remove(pair, 'id IN (1, 2)');
  await pair.source.query('INSERT INTO orders_deleted VALUES (77)');
  await record(pair);
  const indexes = `SELECT FROM pg_indexes WHERE tablename = 'orders_deleted'`;
  expect((await pair.source.query(indexes)).rows).toHaveLength(1);
  expect((await pair.source.query('SELECT FROM orders_deleted WHERE id = 77')).rows).toHaveLength(1);
  expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 2 });
  await remove(pair, 'id = 3');
  expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 1 });
});

slowTest(
  'a renamed key does not stop the deletes of the application, and sync names the log that lacks it',
  async () => {
    await using pair = await synced();
    await pair.source.query('ALTER TABLE orders RENAME id TO nr');
    await remove2(pair);
    const { rows } = await pair.source.query('SELECT FROM orders_deleted WHERE id IS NULL');
    expect(rows).toHaveLength(1);
    await pair.writeTables(logging({ unique_cols: ['nr'], rename: { nr: 'id' } }).tables ?? []);
    expect((await trySync(pair)).table().error).toMatchObject({ code: 'COLUMN_NOT_FOUND' });
  },
);

const remove2 = (pair: Pair) => pair.source.query('DELETE FROM orders WHERE nr = 2');

slowTest('check says which triggers are missing, disabled or silent, and which index', async () => {
  await using pair = await synced();
  const findings = async () => (await increp('check', pair)).stdout.replaceAll(/\s+/g, ' ');
  expect(await findings()).not.toContain('DELETION_LOG');
  await pair.source.query('ALTER TABLE orders ENABLE TRIGGER orders_deleted_row');
  expect(await findings()).toMatch(/"orders_deleted_row" do not fire .*ENABLE ALWAYS TRIGGER/);
  await pair.source.query(
    'ALTER TABLE orders DISABLE TRIGGER orders_deleted_key; DROP TRIGGER orders_deleted_all ON orders; DROP INDEX orders_deleted_deleted_at_idx',
  );
  expect(await findings()).toMatch(
    /no index of public\.orders_deleted begins with "deleted_at".*no enabled trigger of public\.orders records UPDATE of the key and TRUNCATE/,
  );
  await pair.source.query('DROP FUNCTION orders_deleted_fill CASCADE');
  expect(await findings()).toContain('no trigger of public.orders fills public.orders_deleted');
});

test('a query, renamed columns and a key of several columns with NULLs', async () => {
  await using pair = await freshPair({
    sourceSql: `
      CREATE TABLE parts ("Shop" text, nr int, note text, updated_at timestamptz NOT NULL DEFAULT now());
      INSERT INTO parts SELECT nullif(i % 3, 0)::text, i, 'n' FROM generate_series(1, 30) i;
      CREATE TABLE audit (what text, key jsonb, at timestamptz NOT NULL DEFAULT now())`,
    tables: [
      {
        name: 'parts',
        replication_key: 'updated_at',
        unique_cols: ['Shop', 'nr'],
        rename: { Shop: 'store' },
        initial_load: 'copy',
        deletes: 'hard',
        deletes_from: {
          query: `SELECT key->>'Shop' AS "Shop", (key->>'nr')::bigint AS nr, at FROM public.audit WHERE what = 'parts'`,
          deleted_at: 'at',
        },
      },
    ],
  });
  await sync(pair);
  await pair.source.query(`
    WITH gone AS (DELETE FROM parts WHERE nr IN (3, 4, 6) RETURNING "Shop", nr)
    INSERT INTO audit SELECT 'parts', to_jsonb(gone) FROM gone`);
  expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 3 });
  await expectSameRows(pair, 'parts', { columns: ['nr', 'note', 'updated_at'] });
});

test('without deletes it is refused, and so it is in mode full-refresh', async () => {
  await using pair = await freshPair(logging({ deletes: 'ignore' }));
  expect((await increp('sync', pair)).stderr).toContain('has no effect while deletes is "ignore"');
  await pair.writeTables(
    logging({ mode: 'full-refresh', deletes: 'ignore', replication_key: undefined }).tables ?? [],
  );
  expect((await increp('sync', pair)).stderr).toContain('a full refresh removes deleted rows at each sync');
});

slowTest('a partitioned table, several destinations and a load in chunks', async () => {
  await using pair = await freshPair({
    sourceSql: `
      CREATE TABLE orders (id int PRIMARY KEY, total int, updated_at timestamptz NOT NULL DEFAULT now()) PARTITION BY RANGE (id);
      CREATE TABLE orders_a PARTITION OF orders FOR VALUES FROM (0) TO (500);
      CREATE TABLE orders_b PARTITION OF orders FOR VALUES FROM (500) TO (5000);
      INSERT INTO orders SELECT i, i FROM generate_series(1, 1000) i`,
    tables: [
      {
        ...{ name: 'orders', replication_key: 'updated_at', unique_cols: ['id'], initial_load: 'copy' },
        ...{ chunk: '200 rows', deletes: 'hard', deletes_from: 'orders_deleted' },
      },
    ],
  });
  await record(pair);
  await sync(pair);
  await pair.source.query(
    `DELETE FROM orders WHERE id % 10 = 0; UPDATE orders SET id = id + 2000 WHERE id < 5`,
  );
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_deleted: 104 });
  await expectSameRows(pair, 'orders');
});
