/** Tables without changes are found before any table is synced, and nothing is written for them. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const stateRow = async (pair: Pair, table = 'orders') =>
  (
    await pair.destination.query<{ generation: string; at: Date; record: Record<string, unknown> }>(
      'SELECT generation, updated_at AS at, record FROM _increp_state WHERE table_name = $1',
      [table],
    )
  ).rows[0];

const runRows = async (pair: Pair) =>
  (
    await pair.destination.query<{ table_name: string; tables: string[] | null }>(
      'SELECT table_name, tables FROM _increp_runs ORDER BY started_at, table_name',
    )
  ).rows;

const fileTime = async (pair: Pair) =>
  (await stat(join(pair.directory, 'sync-state', 'orders.json'))).mtimeMs;

const SEVERAL = ['a', 'b', 'c'];
const severalTables = (): Promise<Pair> =>
  freshPair({
    tables: SEVERAL.map((name) => ({ ...ORDERS_CONFIG, name })),
    sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id) SELECT generate_series(1, 10);
      ${SEVERAL.map((name) => `CREATE TABLE ${name} (LIKE orders INCLUDING ALL); INSERT INTO ${name} TABLE orders`).join(';')}`,
  });

test('nothing is written for a table without changes, and no lock is taken', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const [row, file] = [await stateRow(pair), await fileTime(pair)];
  await using destination = await faultProxy(pair.login('destination'));
  await pair.setEnv({ DEST_PORT: String(destination.port) });
  expect((await sync(pair)).table()).toMatchObject({ status: 'ok', action: 'incremental', rows_read: 0 });
  expect([await stateRow(pair), await fileTime(pair)]).toEqual([row, file]);
  expect(destination.heard(/pg_try_advisory_xact_lock\(/)).toBe(0);
});

test('the tables without changes share one record of the run', async () => {
  await using pair = await severalTables();
  await sync(pair);
  await pair.source.query('INSERT INTO b (id) VALUES (50)');
  const { run_id } = (await sync(pair)).summary;
  const rows = (await runRows(pair)).slice(SEVERAL.length);
  expect(rows).toEqual([
    { table_name: '', tables: ['a', 'c'] },
    { table_name: 'b', tables: null },
  ]);
  for (const local of ['', '--local']) {
    const { runs } = (await increp(`history --json ${local}`, pair)).json<{ runs: object[] }>();
    expect(runs.at(-1), local).toMatchObject({
      run_id,
      status: 'ok',
      tables_ok: 3,
      tables: expect.arrayContaining([
        expect.objectContaining({ name: 'a', status: 'ok', rows_inserted: 0 }),
        expect.objectContaining({ name: 'b', status: 'ok', rows_inserted: 1 }),
      ]) as unknown,
    });
    const ofOne = (await increp(`history c --json ${local}`, pair)).json<{ runs: { tables: object[] }[] }>();
    expect(ofOne.runs.map(({ tables }) => tables)).toEqual([
      [expect.objectContaining({ name: 'c', rows_inserted: 10 })],
      [expect.objectContaining({ name: 'c', rows_inserted: 0 })],
    ]);
  }
});

slowTest('such a table is as fresh as the last run that looked at it', async () => {
  await using pair = await freshPair('orders');
  await pair.writeTables([{ ...ORDERS_CONFIG, max_staleness: '1h' }]);
  await sync(pair);
  const old = `record || '{"syncedAt":"2020-01-01T00:00:00Z"}'`;
  const metrics = join(pair.directory, 'increp.prom');
  await pair.setEnv({ METRICS_TEXTFILE: metrics });
  const { started_at } = (await sync(pair)).summary;
  for (const local of ['', '--local --no-source']) {
    const { tables } = (await increp(`status --json ${local}`, pair)).json<{
      tables: { state: string; last_success_at: string; lag_seconds: number; last_run: object }[];
    }>();
    const [table] = tables;
    expect(table, local).toMatchObject({ state: 'ok', last_run: { status: 'ok', action: 'incremental' } });
    const looked = Date.parse(table?.last_success_at ?? '');
    expect(looked, local).toBeGreaterThanOrEqual(Date.parse(started_at));
    expect(table?.lag_seconds, local).toBeLessThanOrEqual((Date.now() - looked) / 1000);
  }
  // A state of long ago is saved again.
  await pair.destination.query(`UPDATE _increp_state SET record = ${old}`);
  await sync(pair);
  expect(await stateRow(pair)).toMatchObject({ generation: '2' });
});

test('rows of a transaction that was open meanwhile are not lost', async () => {
  await using pair = await freshPair('orders');
  await pair.writeTables([{ ...ORDERS_CONFIG, lookback: '0s' }]);
  await sync(pair);
  const late = await pair.source.connect();
  await late.query('BEGIN; SELECT now()');
  // It has no row yet that the run could see, and the run does not wait for it.
  const begun = performance.now();
  expect((await sync(pair, '--wait-transactions 1h')).table()).toMatchObject({ rows_read: 0, warnings: [] });
  expect(performance.now() - begun).toBeLessThan(60_000);
  await late.query(`INSERT INTO orders (id, note) VALUES (100, 'late')`);
  expect((await sync(pair)).table().rows_read).toBe(0);
  await late.query('COMMIT');
  late.release();
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
  await expectSameRows(pair, 'orders');
});

slowTest(
  'a table of a fence is quiet while its transaction is open, and is synced once when that has ended',
  async () => {
    await using pair = await freshPair('orders');
    await pair.writeTables([{ ...ORDERS_CONFIG, lookback: '0s' }]);
    await sync(pair);
    const late = await pair.source.connect();
    await late.query('BEGIN; SELECT now()');
    await insertOrders(pair, 1);
    expect((await sync(pair, '--wait-transactions 50ms')).table()).toMatchObject({
      rows_inserted: 1,
      warnings: [/1 transaction is open/],
    });
    await late.query('ROLLBACK');
    late.release();
    const before = await stateRow(pair);
    expect(before?.record).toMatchObject({ fences: [{}] });
    await sync(pair);
    expect((await stateRow(pair))?.record).toMatchObject({ fences: [] });
  },
);

test('rows that come back below the largest key are found', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'n', replication_key: 'id', unique_cols: ['id'] }],
    sourceSql: `CREATE TABLE n (id int PRIMARY KEY, v text); INSERT INTO n SELECT i, 'old' FROM generate_series(1, 20) i`,
  });
  await sync(pair);
  expect((await sync(pair)).table().rows_read).toBe(0);
  await pair.source.query('DELETE FROM n WHERE id > 15');
  await sync(pair);
  await pair.source.query(`INSERT INTO n VALUES (16, 'new')`);
  await sync(pair);
  const { rows } = await pair.destination.query('SELECT v FROM n WHERE id = 16');
  expect(rows).toEqual([{ v: 'new' }]);
});

test('a locked table does not hold up the others', async () => {
  await using pair = await severalTables();
  await sync(pair);
  const locker = await pair.source.connect();
  await locker.query('BEGIN; LOCK TABLE b IN ACCESS EXCLUSIVE MODE');
  const result = await trySync(pair, '', {
    timing: { lockTimeout: 0.2, retryDelay: { base: 0.01, max: 0.01 } },
  });
  await locker.query('ROLLBACK');
  locker.release();
  expect(result.table('a')).toMatchObject({ status: 'ok', rows_read: 0 });
  expect(result.table('c')).toMatchObject({ status: 'ok', rows_read: 0 });
  expect(result.table('b').status).toBe('failed');
});

slowTest('rows without a key are warned of at every run', async () => {
  await using pair = await freshPair({
    tables: [ORDERS_CONFIG],
    sourceSql: `${ORDERS_SQL}; ALTER TABLE orders ALTER updated_at DROP NOT NULL; INSERT INTO orders (id, updated_at) VALUES (1, NULL), (2, now())`,
  });
  const warning = /1 row has no updated_at \(NULL\)/;
  expect((await sync(pair)).table().warnings).toEqual([expect.stringMatching(warning)]);
  expect((await sync(pair)).table().warnings).toEqual([expect.stringMatching(warning)]);
  expect(await runRows(pair)).toHaveLength(2);
});

slowTest('many quiet tables are counted, and the others have their lines', async () => {
  const names = Array.from({ length: 12 }, (_, index) => `t${index}`);
  await using pair = await freshPair({
    tables: names.map((name) => ({ ...ORDERS_CONFIG, name })),
    sourceSql: `${ORDERS_SQL}; ${names.map((name) => `CREATE TABLE ${name} (LIKE orders INCLUDING ALL)`).join(';')}`,
  });
  await increp('sync', pair);
  await pair.source.query('INSERT INTO t7 (id) VALUES (1)');
  const { stdout } = await increp('sync', pair);
  expect(stdout).toMatch(/t7 .*1 inserted/);
  expect(stdout).not.toMatch(/\bt3\b/);
  expect(stdout).toMatch(/12 tables ok \(11 without changes\) in /);
});
