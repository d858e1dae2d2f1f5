/** The destination is changed by hand, and the next sync does what the hand meant. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { waitForCopy } from '../support/activity.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

test('a dropped table is loaded again', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('DROP TABLE orders');
  const expected = { action: 'initial', reason: 'the destination table was dropped', rows_inserted: 10 };
  expect((await sync(pair)).table()).toMatchObject(expected);
  await expectSameRows(pair, 'orders');
  await insertOrders(pair, 1);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_inserted: 1 });
});

slowTest('a dropped staging table is made again, and nothing is loaded again', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 1);
  await sync(pair);
  await pair.destination.query('DROP TABLE orders_stg');
  await insertOrders(pair, 1);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_inserted: 1 });
  const { rows } = await pair.destination.query(
    `SELECT relpersistence FROM pg_class WHERE relname = 'orders_stg'`,
  );
  expect(rows).toEqual([{ relpersistence: 'u' }]);
  await expectSameRows(pair, 'orders');
});

test('a truncated table is loaded again', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('TRUNCATE orders');
  const expected = { action: 'initial', reason: 'the destination table was emptied', rows_inserted: 10 };
  expect((await sync(pair)).table()).toMatchObject(expected);
  await expectSameRows(pair, 'orders');
});

slowTest('table and staging table dropped, and the state with them', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query(
    'DROP TABLE orders, _increp_state, _increp_runs; DROP TABLE IF EXISTS orders_stg',
  );
  expect((await sync(pair)).table().action).toBe('initial');
  await expectSameRows(pair, 'orders');
  expect((await sync(pair)).table().action).toBe('incremental');
});

test('"increp reset" keeps the table serving, and the next sync loads it again', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id = 1');
  expect((await increp('reset orders', pair)).exitCode).toBe(0);
  expect((await pair.destination.query('SELECT FROM orders')).rowCount).toBe(10);
  const { stdout } = await increp('plan', pair);
  expect(stdout).toMatch(/^! orders +reset +it was reset/m);
  expect(stdout).toContain('1 to load again');
  expect((await increp('check', pair)).stdout).not.toContain('DRIFT');
  expect((await increp('status', pair)).stdout).not.toContain('drift:');
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', rows_deleted: 1 });
  await expectSameRows(pair, 'orders');
});

test('a missing schema is created where that is allowed', async () => {
  await using pair = await freshPair('orders');
  await pair.setEnv({ DEST_SCHEMA: 'new "one"' });
  await sync(pair);
  await expectSameRows(pair, 'orders', { destinationSchema: 'new "one"' });
});

slowTest('a missing schema that we may not create is refused with the command that mends it', async () => {
  await using pair = await freshPair('orders');
  const { user, database } = pair.login('destination', 'increp');
  await pair.destination.query(`ALTER DATABASE ${database} OWNER TO CURRENT_USER`);
  await pair.setEnv({ DEST_SCHEMA: 'copies' });
  const { exitCode, table } = await trySync(pair);
  expect(exitCode).toBe(77);
  expect(table().error).toMatchObject({ code: 'PRIVILEGE_MISSING' });
  expect(table().error?.message).toMatch(/^the destination \(database "\w+"\) has no schema "copies"/);
  const [, command = ''] = /run: (.*)$/m.exec(table().error?.hint ?? '') ?? [];
  expect(command).toBe(`CREATE SCHEMA "copies" AUTHORIZATION "${user}"`);
  await pair.destination.query(command);
  await sync(pair);
  await expectSameRows(pair, 'orders', { destinationSchema: 'copies' });
});

slowTest('a schema that we may not create in is refused with the command that mends it', async () => {
  await using pair = await freshPair('orders');
  const { database } = pair.login('destination', 'increp');
  await pair.destination.query(`ALTER DATABASE ${database} OWNER TO CURRENT_USER; CREATE SCHEMA copies`);
  await pair.setEnv({ DEST_SCHEMA: 'copies' });
  const { exitCode, table } = await trySync(pair);
  expect(exitCode).toBe(77);
  expect(table().error?.message).toContain('may not create tables in schema "copies"');
  await pair.destination.query(/run: (.*)$/m.exec(table().error?.hint ?? '')?.[1] ?? '');
  await sync(pair);
  await expectSameRows(pair, 'orders', { destinationSchema: 'copies' });
});

/** Reads all the time; returns every count that was seen, and fails when a read failed. */
async function countsDuring(pair: Pair, work: () => Promise<void>): Promise<Set<number>> {
  const seen = new Set<number>();
  let isOver = false;
  const reading = (async () => {
    while (!isOver) {
      const { rows } = await pair.destination.query<{ n: number }>('SELECT count(*)::int AS n FROM orders');
      seen.add(rows[0]?.n ?? -1);
    }
  })();
  await work().finally(() => (isOver = true));
  await reading;
  return seen;
}

slowTest.each(
  oneIn(2, [
    ['a full refresh', 'SELECT 1', '--full-refresh'],
    ['a change of shape', 'ALTER TABLE orders ADD COLUMN more int DEFAULT 1', ''],
  ] as const),
)('during %s a reader sees the old table or the new one, whole', async (_what, sql, args) => {
  await using pair = await freshPair({ tables: [ORDERS_CONFIG], sourceSql: ORDERS_SQL });
  await insertOrders(pair, 20_000);
  await sync(pair);
  await pair.source.query(`${sql}; DELETE FROM orders WHERE id <= 5000`);
  await using proxy = await faultProxy(pair.login('source'));
  await pair.setEnv({ SOURCE_PORT: String(proxy.port) });
  proxy.throttle(1_500_000);
  const seen = await countsDuring(pair, async () => {
    await using running = startIncrep(`sync ${args}`, pair);
    await waitForCopy(pair.source, 'orders');
    expect((await running.wait()).exitCode).toBe(0);
  });
  expect([...seen].toSorted((a, b) => a - b)).toEqual([15_000, 20_000]);
  await expectSameRows(pair, 'orders');
});

slowTest('"increp status" says that a table that was reset will be loaded again', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const { stdout: before } = await increp('status', pair);
  expect(before).not.toContain('no cursor is known');
  await increp('reset orders', pair);
  expect((await increp('status', pair)).stdout).toMatch(/reset .* ago: the next sync loads the table again/);
  expect((await increp('status --local', pair)).stdout).toContain(
    'no cursor was found, so the next sync may',
  );
});

test('"increp reset" forgets nothing where it cannot forget all', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await writeFile(join(pair.directory, 'blocked'), '');
  const refused = await increp('reset orders', pair, { env: { STATE_DIR: 'blocked' } });
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain('STATE_NOT_WRITABLE');
  const { rows } = await pair.destination.query('SELECT FROM _increp_state');
  expect(rows).toHaveLength(1);
});
