/** Commands tell two tables of one name apart, and name the former table if `dest_name` changed. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseExposition, valueOf } from '../support/exposition.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { inSchema, twoSchemas, UNSET, stateFiles } from '../support/schemas.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

test('a new "dest_name" creates a new table, and the former one is named', async () => {
  await using pair = await freshPair(ordersPreset);
  await sync(pair);
  await pair.writeTables([{ ...ORDERS_CONFIG, dest_name: 'sales' }]);
  const rename = 'ALTER TABLE "public"."orders" RENAME TO "sales"';
  const planned = await increp('plan', pair);
  expect(planned.stdout).toContain('the former destination table public.orders stays at the destination');
  expect(planned.stdout).toContain(rename);
  const { stdout } = await increp('check', pair);
  expect(stdout).toMatch(/are the state of former destination tables: orders\.json \[STATE_UNKNOWN_FILES\]/);
  await pair.writeTables([{ ...ORDERS_CONFIG, dest_schema: 'lake' }]);
  expect((await increp('plan', pair)).stdout).toContain('ALTER TABLE "public"."orders" SET SCHEMA "lake"');
  await pair.writeTables([{ ...ORDERS_CONFIG, dest_name: 'sales' }]);
  await pair.destination.query(rename);
  const { table } = await sync(pair, 'orders --adopt');
  expect(table('orders')).toMatchObject({ rows_inserted: 0, warnings: [] });
  await pair.writeTables([{ ...ORDERS_CONFIG, dest_name: 'bills' }]);
  const { warnings } = (await sync(pair)).table('orders');
  expect(warnings).toEqual([
    'the former destination table public.sales stays at the destination and is no longer synced. If it is not needed, drop it.',
  ]);
  expect((await sync(pair)).table('orders')).toMatchObject({ action: 'incremental', warnings: [] });
});

slowTest('deletes, repair and sync --verify work on the right one of two tables of one name', async () => {
  await using pair = await twoSchemas({ deletes: 'hard', deletes_every: '0s' }, UNSET);
  await sync(pair, '--verify');
  await pair.source.query('DELETE FROM billing.orders WHERE id = 1; DELETE FROM public.orders WHERE id = 2');
  const { table } = await sync(pair, '--verify');
  expect(table('billing.orders')).toMatchObject({ rows_deleted: 1 });
  expect(table('orders')).toMatchObject({ rows_deleted: 0 });
  await pair.destination.query(`UPDATE billing.orders SET note = 'wrong' WHERE id = 3`);
  const found = await increp('verify --json', pair);
  expect(found.exitCode).toBe(2);
  expect(found.json<{ tables: unknown[] }>().tables).toMatchObject([
    { name: 'orders', extra: 1, changed: 0 },
    { name: 'billing.orders', extra: 0, changed: 1 },
  ]);
  expect((await increp('verify --repair billing.orders', pair)).exitCode).toBe(0);
  await expectSameRows(inSchema(pair, 'billing'), 'orders', { destinationSchema: 'billing' });
  expect((await increp('verify orders', pair)).exitCode).toBe(2);
});

interface Listed {
  readonly tables: readonly {
    readonly name: string;
    readonly state: string;
    readonly cursor: string | null;
  }[];
}

slowTest('status, history, metrics and reset tell two tables of one name apart', async () => {
  await using pair = await twoSchemas(
    {},
    { ...UNSET, METRICS_TEXTFILE: 'increp.prom', PIPELINE_NAME: 'shop' },
  );
  await sync(pair);
  await pair.source.query('DROP TABLE billing.orders');
  const failed = await trySync(pair);
  expect(failed.exitCode).toBe(3);
  expect(failed.table('orders')).toMatchObject({ status: 'ok' });
  expect(failed.table('billing.orders')).toMatchObject({
    status: 'failed',
    error: { code: 'TABLE_NOT_FOUND' },
  });

  for (const args of ['status --json', 'status --json --local'])
    expect((await increp(args, pair)).json<Listed>().tables, args).toMatchObject([
      { name: 'orders', state: 'ok', failures_since_success: 0 },
      { name: 'billing.orders', state: 'failing', failures_since_success: 1 },
    ]);
  for (const args of ['history --json billing.orders', 'history --json --local billing.orders']) {
    const { runs } = (await increp(args, pair)).json<{
      runs: { tables: { name: string; status: string }[] }[];
    }>();
    expect(
      runs.map(({ tables }) => tables.map(({ name, status }) => `${name} ${status}`)),
      args,
    ).toEqual([['billing.orders ok'], ['billing.orders failed']]);
  }
  const { rows } = await pair.destination.query(
    `SELECT name AS table_name, count(*)::int AS runs
     FROM _increp_runs, unnest(coalesce(tables, ARRAY[table_name])) name GROUP BY 1 ORDER BY 1`,
  );
  expect(rows).toEqual([
    { table_name: 'billing.orders', runs: 2 },
    { table_name: 'orders', runs: 2 },
  ]);
  const series = parseExposition(await readFile(join(pair.directory, 'increp.prom'), 'utf8'));
  expect(valueOf(series, 'increp_table_consecutive_failures', { table: 'billing.orders' })).toBe(1);
  expect(valueOf(series, 'increp_table_consecutive_failures', { table: 'orders' })).toBe(0);
  for (const table of ['orders', 'billing.orders'])
    expect(valueOf(series, 'increp_table_lag_seconds', { table })).toBeLessThan(120);

  expect((await increp('reset billing.orders', pair)).stdout).toContain(
    'billing.orders: reset. The source no longer has a table of this name',
  );
  const states = await pair.destination.query(
    `SELECT table_name, record -> 'reset' IS NOT NULL AS is_reset FROM _increp_state
     UNION ALL SELECT 'billing', record -> 'reset' IS NOT NULL FROM billing._increp_state`,
  );
  expect(states.rows).toEqual([
    { table_name: 'orders', is_reset: false },
    { table_name: 'billing', is_reset: true },
  ]);
  expect(await stateFiles(pair)).toEqual(['metrics.counters.json', 'orders.json']);
});

slowTest('the file of the older script is that of a table of its one schema', async () => {
  await using pair = await twoSchemas({}, UNSET);
  await sync(pair);
  await rm(join(pair.directory, 'sync-state'), { recursive: true });
  await pair.destination.query('DROP TABLE public._increp_state, billing._increp_state');
  await mkdir(join(pair.directory, 'sync-state'), { recursive: true });
  for (const name of ['orders', 'billing.orders'])
    await writeFile(join(pair.directory, 'sync-state', `${name}.txt`), '2020-01-01T00:00:00.000Z');
  const { table } = await trySync(pair);
  expect(table('orders')).toMatchObject({ action: 'incremental', rows_unchanged: 10 });
  expect(table('billing.orders').error?.code).toBe('DESTINATION_NOT_OURS');
});
