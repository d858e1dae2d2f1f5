/** METRICS_TEXTFILE: what stands in the file after runs that succeed, fail, meet and are stopped. */
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { waitForCopy } from '../support/activity.ts';
import { parseExposition, valueOf, type Series } from '../support/exposition.ts';
import { heldRun } from '../support/held-run.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { expectPromtoolClean, testWithPromtool } from '../support/promtool.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const two: PairOptions = {
  tables: ['orders', 'others'].map((name) => ({ ...ORDERS_CONFIG, name })),
  sourceSql: `${ordersPreset.sourceSql}; CREATE TABLE others (LIKE orders INCLUDING ALL)`,
};

const pathOf = (pair: Pair) => join(pair.directory, 'metrics', 'increp.prom');

async function measured(options: PairOptions | 'orders'): Promise<Pair> {
  const pair = await freshPair(options);
  await mkdir(join(pair.directory, 'metrics'));
  await pair.setEnv({ METRICS_TEXTFILE: 'metrics/increp.prom', PIPELINE_NAME: 'shop' });
  return pair;
}

const textOf = (pair: Pair) => readFile(pathOf(pair), 'utf8');
const seriesOf = async (pair: Pair): Promise<Series[]> => parseExposition(await textOf(pair));

/** Looks one value up by its metric and the table it is about. */
async function reader(pair: Pair) {
  const series = await seriesOf(pair);
  return (name: string, table?: string, operation?: string) =>
    valueOf(series, `increp_${name}`, { ...(table && { table }), ...(operation && { operation }) });
}

test('counters rise over the runs, and say what the summaries said', async () => {
  await using pair = await measured('orders');
  const first = await sync(pair);
  await insertOrders(pair, 3);
  await pair.source.query(`UPDATE orders SET total = 1, updated_at = now() WHERE id <= 2`);
  const second = await sync(pair);
  const value = await reader(pair);
  const sum = (pick: (table: ReturnType<typeof first.table>) => number) =>
    pick(first.table()) + pick(second.table());
  expect(value('table_rows_total', 'orders', 'inserted')).toBe(13);
  expect(value('table_rows_total', 'orders', 'updated')).toBe(2);
  expect(value('table_rows_total', 'orders', 'deleted')).toBe(0);
  expect(value('table_rows_total', 'orders', 'unchanged')).toBe(sum((table) => table.rows_unchanged));
  expect(value('table_rows_read_total', 'orders')).toBe(sum((table) => table.rows_read));
  expect(value('table_bytes_total', 'orders')).toBe(sum((table) => table.bytes));
  expect(value('last_run_success')).toBe(1);
  expect(value('last_run_exit_code')).toBe(0);
  expect(value('table_lag_seconds', 'orders')).toBeLessThan(60);
  const { mode } = await stat(pathOf(pair));
  expect(mode & 0o777).toBe(0o644);
  expect(await readdir(join(pair.directory, 'metrics'))).toEqual(['increp.prom']);
});

slowTest(
  'a failure keeps the times of the last success and counts up; the next success counts from 0',
  async () => {
    await using pair = await measured(two);
    await sync(pair);
    const good = await reader(pair);
    await pair.source.query('ALTER TABLE others RENAME TO elsewhere');
    await trySync(pair);
    await trySync(pair);
    const bad = await reader(pair);
    expect(bad('last_run_success')).toBe(0);
    expect(bad('last_run_exit_code')).toBe(3);
    expect(bad('last_run_timestamp_seconds')).toBeGreaterThan(good('last_run_timestamp_seconds') ?? 0);
    expect(bad('last_success_timestamp_seconds')).toBe(good('last_success_timestamp_seconds'));
    expect(bad('table_consecutive_failures', 'others')).toBe(2);
    expect(bad('table_consecutive_failures', 'orders')).toBe(0);
    for (const name of ['table_last_success_timestamp_seconds', 'table_complete_timestamp_seconds']) {
      expect(bad(name, 'others'), name).toBe(good(name, 'others'));
      expect(bad(name, 'orders'), name).toBeGreaterThan(good(name, 'orders') ?? 0);
    }
    expect(bad('table_lag_seconds', 'others')).toBeGreaterThan(good('table_lag_seconds', 'others') ?? 0);
    await pair.source.query('ALTER TABLE elsewhere RENAME TO others');
    await sync(pair);
    expect((await reader(pair))('table_consecutive_failures', 'others')).toBe(0);
  },
);

slowTest('a run that ends before any table is written too, and takes nothing from the tables', async () => {
  await using pair = await measured('orders');
  await sync(pair);
  const good = await reader(pair);
  await trySync(pair, '', { env: { SOURCE_PASSWORD: 'wrong password' } });
  const bad = await reader(pair);
  expect(bad('last_run_exit_code')).toBe(77);
  expect(bad('last_success_timestamp_seconds')).toBe(good('last_success_timestamp_seconds'));
  expect(bad('table_rows_total', 'orders', 'inserted')).toBe(10);
  expect(bad('table_consecutive_failures', 'orders')).toBe(1);
  expect(bad('table_last_success_timestamp_seconds', 'orders')).toBe(
    good('table_last_success_timestamp_seconds', 'orders'),
  );
});

test('a table with known differences is different until a comparison finds it equal', async () => {
  await using pair = await measured('orders');
  const different = async () => {
    await sync(pair);
    return (await reader(pair))('table_different', 'orders');
  };
  expect(await different()).toBe(0);
  await pair.destination.query('DELETE FROM orders WHERE id = 1');
  await increp('verify', pair);
  expect(await different()).toBe(1);
  await increp('verify --repair', pair);
  expect(await different()).toBe(0);
});

test('before the first success there is no time of one, and no NaN', async () => {
  await using pair = await measured('orders');
  await trySync(pair, '', { env: { SOURCE_PASSWORD: 'wrong password' } });
  const value = await reader(pair);
  expect(value('last_run_success')).toBe(0);
  expect(value('last_success_timestamp_seconds')).toBeUndefined();
  expect(value('table_last_success_timestamp_seconds')).toBeUndefined();
  expect(value('table_rows_total', 'orders', 'inserted')).toBe(0);
  expect(await textOf(pair)).not.toMatch(/NaN|undefined|null/);
});

test('a copy with a name of its own has its lag and its times under the name that is configured', async () => {
  await using pair = await measured({
    ...ordersPreset,
    tables: [{ ...ORDERS_CONFIG, dest_name: 'sales', initial_load: 'copy' }],
  });
  await sync(pair);
  const value = await reader(pair);
  expect(value('table_lag_seconds', 'orders')).toBeLessThan(60);
  expect(value('table_complete_timestamp_seconds', 'orders')).toBeGreaterThan(1_700_000_000);
});

slowTest(
  'a run over some of the tables keeps the others; what is not configured any more disappears',
  async () => {
    await using pair = await measured(two);
    await sync(pair);
    const before = await reader(pair);
    await sync(pair, 'orders');
    const after = await reader(pair);
    const success = 'table_last_success_timestamp_seconds';
    expect(after(success, 'others')).toBe(before(success, 'others'));
    expect(after(success, 'orders')).toBeGreaterThan(before(success, 'orders') ?? 0);
    await pair.writeTables([{ ...ORDERS_CONFIG, max_staleness: '1h' }]);
    await sync(pair);
    expect(await textOf(pair)).not.toContain('others');
    expect((await reader(pair))('table_max_staleness_seconds', 'orders')).toBe(3600);
    await pair.writeTables([{ ...ORDERS_CONFIG, enabled: false }]);
    await sync(pair);
    expect(await textOf(pair)).not.toContain('orders');
  },
);

slowTest('runs that end at the same moment lose nothing of each other', async () => {
  const names = ['a', 'b', 'c', 'd'];
  await using pair = await measured({
    tables: names.map((name) => ({ ...ORDERS_CONFIG, name })),
    sourceSql: `${ordersPreset.sourceSql}; ${names.map((name) => `CREATE TABLE ${name} AS SELECT * FROM orders`).join('; ')}`,
  });
  await Promise.all(names.map((name) => sync(pair, name)));
  const value = await reader(pair);
  expect(names.map((name) => value('table_rows_total', name, 'inserted'))).toEqual([10, 10, 10, 10]);
});

slowTest('a table that another run holds has not failed', async () => {
  await using pair = await measured('orders');
  await sync(pair);
  const good = await reader(pair);
  await insertOrders(pair, 1);
  const { running, letGo } = await heldRun(pair);
  await using first = running;
  expect((await trySync(pair)).exitCode).toBe(75);
  const locked = await reader(pair);
  await letGo();
  await first.wait();
  expect(locked('last_run_exit_code')).toBe(75);
  expect(locked('last_success_timestamp_seconds')).toBe(good('last_success_timestamp_seconds'));
  expect(locked('table_consecutive_failures', 'orders')).toBe(0);
  expect((await reader(pair))('last_run_success')).toBe(1);
});

slowTest('an interrupted run is written as such', async () => {
  await using pair = await measured({
    ...ordersPreset,
    sourceSql: `${ordersPreset.sourceSql}; INSERT INTO orders SELECT i, 1, repeat('x', 100) FROM generate_series(100, 40000) i`,
    tables: [{ ...ORDERS_CONFIG, initial_load: 'copy' }],
  });
  await using proxy = await faultProxy(pair.login('source'));
  await pair.setEnv({ SOURCE_HOST: proxy.host, SOURCE_PORT: String(proxy.port) });
  await using running = startIncrep('sync --json', pair);
  await waitForCopy(pair.destination, 'orders_stg');
  proxy.throttle(10_000);
  running.kill('SIGTERM');
  expect((await running.wait()).exitCode).toBe(143);
  const value = await reader(pair);
  expect(value('last_run_exit_code')).toBe(143);
  expect(value('table_consecutive_failures', 'orders')).toBe(0);
});

for (const [what, path, advice] of oneIn(3, [
  ['whose folder is missing', 'nowhere/increp.prom', /nowhere is not a directory; create it/],
  ['whose folder is a file', '.env/increp.prom', /\.env is not a directory; create it/],
  ['that is a folder', 'metrics', /it is a directory; name a file/],
] as const)) {
  test(`a metrics file ${what} is a warning, and changes nothing else`, async () => {
    await using pair = await measured('orders');
    await pair.setEnv({ METRICS_TEXTFILE: path });
    const { stderr, summary } = await sync(pair, '-q');
    expect(summary.status).toBe('ok');
    expect(stderr).toMatch(/"level":"warn".*the metrics were not written to/);
    expect(stderr).toMatch(advice);
  });
}

slowTest('counters that cannot be read begin anew, which Prometheus takes for a restart', async () => {
  await using pair = await measured('orders');
  await sync(pair);
  await writeFile(join(pair.directory, 'sync-state', 'metrics.counters.json'), '{"torn');
  const { stderr } = await sync(pair);
  expect(stderr).toMatch(/metrics\.counters\.json holds no valid counters; increp starts new ones/);
  const value = await reader(pair);
  expect(value('table_rows_total', 'orders', 'inserted')).toBe(0);
  expect(value('table_last_success_timestamp_seconds', 'orders')).toBeGreaterThan(0);
  expect((await sync(pair)).stderr).not.toContain('increp starts new ones');
});

testWithPromtool('promtool has nothing to say, whatever the tables are called', async () => {
  const names = ['back\\slash', 'quo"te', 'new\nline', '{} # 1', '__proto__', 'größe'];
  const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
  await using pair = await measured({
    tables: names.map((name) => ({ ...ORDERS_CONFIG, name, max_staleness: '10m' })),
    sourceSql: `${ordersPreset.sourceSql}; ${names.map((name) => `CREATE TABLE ${quoted(name)} (LIKE orders INCLUDING ALL)`).join('; ')}`,
  });
  await pair.setEnv({ PIPELINE_NAME: String.raw`the "shop" C:\x` });
  await sync(pair);
  await expectPromtoolClean(['check', 'metrics'], await textOf(pair));
  const series = await seriesOf(pair);
  expect(new Set(series.flatMap(({ labels }) => labels['table'] ?? []))).toEqual(new Set(names));
  expect(new Set(series.map(({ labels }) => labels['pipeline']))).toEqual(
    new Set([String.raw`the "shop" C:\x`]),
  );
});
