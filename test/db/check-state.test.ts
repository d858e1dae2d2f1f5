/** Findings of `check` about the failure of the last sync, and about the saved state. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { check } from '../support/check.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

test('an error that stops the run now is not repeated as the last failure of each table', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const { user } = pair.login('destination', 'increp');
  await pair.destination.query(`ALTER ROLE ${user} SET default_transaction_read_only = on`);
  expect((await trySync(pair)).exitCode).not.toBe(0);
  expect(await check(pair)).toMatchObject({ errors: ['READ_ONLY'], warnings: [] });
  await pair.destination.query(`ALTER ROLE ${user} RESET default_transaction_read_only`);
  expect((await check(pair)).warnings).toEqual(['LAST_SYNC_FAILED']);
});

slowTest('state of the older script, and state that is out of step', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 1);
  const file = join(pair.directory, 'sync-state', 'orders.json');
  await writeFile(file, 'torn');
  expect(await check(pair)).toMatchObject({ exitCode: 0, warnings: ['STATE'] });
  await sync(pair);
  expect((await check(pair)).warnings).toEqual([]);

  await using other = await freshPair({ ...ordersPreset, destinationSql: String(ordersPreset.sourceSql) });
  await mkdir(join(other.directory, 'sync-state'));
  await writeFile(join(other.directory, 'sync-state', 'orders.txt'), '2020-01-01T00:00:00.001Z');
  const found = await check(other);
  expect(found.find('LEGACY_STATE')?.message).toContain('2020-01-01T00:00:00.001Z');
  expect(found.exitCode).toBe(0);
});

test('a reset answers the failure before it', async () => {
  const tables = [{ ...ORDERS_CONFIG, on_schema_change: 'fail' }];
  await using pair = await freshPair({ ...ordersPreset, tables });
  await sync(pair);
  await pair.source.query('ALTER TABLE orders ADD gift boolean');
  expect((await trySync(pair)).exitCode).toBe(1);
  await increp('reset orders', pair);
  expect((await check(pair)).warnings).not.toContain('LAST_SYNC_FAILED');
  for (const command of ['plan', 'verify'])
    expect((await increp(command, pair)).stdout).not.toContain('last sync: FAILED');
  expect((await increp('status', pair)).stdout).not.toContain('next:');
  await sync(pair);
});

test('after a setting is put back, a refused schema change has no next step', async () => {
  const table = { ...ORDERS_CONFIG, on_schema_change: 'fail' };
  await using pair = await freshPair({ ...ordersPreset, tables: [table] });
  await sync(pair);
  await pair.writeTables([{ ...table, exclude_columns: ['note'] }]);
  expect((await trySync(pair)).table().error?.code).toBe('SCHEMA_CHANGE_REFUSED');
  expect((await increp('status', pair)).stdout).toContain('next: on_schema_change is "fail"');
  await pair.writeTables([table]);
  const found = (await check(pair)).find('LAST_SYNC_FAILED');
  expect(found).toMatchObject({ level: 'note', action: null });
  expect(found?.message).toContain('; the cause no longer applies, so the next sync continues');
  for (const command of ['plan', 'status']) {
    const { stdout } = await increp(command, pair);
    expect(stdout).toMatch(/the\s+cause\s+no\s+longer\s+applies/);
    expect(stdout).not.toContain('next:');
  }
  expect((await increp('status --no-source', pair)).stdout).toMatch(
    /the\s+configuration\s+changed\s+after\s+this\s+failure/,
  );
  await sync(pair);
});

slowTest(
  'a state directory in memory, and files in it that belong neither to a table nor to the pipeline',
  async () => {
    await using pair = await freshPair('orders');
    const directory = await mkdtemp('/dev/shm/increp-check-');
    try {
      await sync(pair, '', { env: { STATE_DIR: directory, METRICS_TEXTFILE: 'increp.prom' } });
      for (const name of ['orders.json.unreadable-2026', 'gone.json', '.gitignore', 'orders.json.tmp-7'])
        await writeFile(join(directory, name), '');
      const { find } = await check(pair, '', { env: { STATE_DIR: directory } });
      expect(find('STATE_FILESYSTEM')?.message).toMatch(/is on tmpfs, which loses its files at a restart$/);
      expect(find('STATE_UNKNOWN_FILES')?.message).toMatch(/: gone\.json, orders\.json\.unreadable-2026$/);
    } finally {
      await rm(directory, { recursive: true });
    }
  },
);

test('a table whose last sync failed is a warning, until a sync succeeds', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('ALTER TABLE orders ADD CONSTRAINT small CHECK (id < 5000)');
  await pair.source.query('INSERT INTO orders (id) VALUES (9999)');
  await trySync(pair);
  const found = await check(pair);
  expect(found.findings.find(({ code }) => code === 'LAST_SYNC_FAILED')).toMatchObject({
    level: 'warning',
    table: 'orders',
    message: expect.stringMatching(/^the last sync failed \d+ s ago: .*CONSTRAINT_VIOLATED, SQLSTATE 23514/),
    action: expect.stringContaining('DROP CONSTRAINT "small"'),
  });
  expect((await increp('check', pair)).stdout).toMatch(
    /: the last sync failed for 1 table; check the warnings\.\n$/,
  );
  await pair.destination.query('ALTER TABLE orders DROP CONSTRAINT small');
  await sync(pair);
  expect((await check(pair)).warnings).not.toContain('LAST_SYNC_FAILED');
});
