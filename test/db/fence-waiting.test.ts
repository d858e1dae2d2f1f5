/** What the fence waits for, how long, and what it says of those it did not wait for. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

test('a short transaction is waited for, and its rows come with the same run', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const late = await pair.source.connect();
  await late.query(`BEGIN; INSERT INTO orders (id) VALUES (100)`);
  await insertOrders(pair, 1);
  await using running = startIncrep('sync --json -v', pair);
  await running.waitForPhase('fence');
  await sleep(500);
  await late.query('COMMIT');
  late.release();
  const result = await running.wait();
  expect(result.lines().at(-1)).toMatchObject({ tables: [{ rows_inserted: 2, warnings: [] }] });
  await expectSameRows(pair, 'orders');
});

slowTest('a session that sits idle in a transaction is named and does not block', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, dest_name: 'again', name: 'again' }],
    sourceSql: `${ordersPreset.sourceSql}; CREATE TABLE again AS TABLE orders`,
  });
  const idle = await pair.source.connect();
  await idle.query(`SET application_name = 'forgotten'; BEGIN; SELECT FROM orders`);
  const { rows } = await idle.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const started = performance.now();
  const result = await sync(pair, '--wait-transactions 1s');
  // Once for the run, not once for each table.
  expect(performance.now() - started).toBeLessThan(5000);
  for (const table of ['orders', 'again']) {
    expect(result.table(table).warnings.join('\n')).toMatch(
      new RegExp(`1 transaction is open at the source \\(pid ${rows[0]?.pid}, user \\w+, forgotten`),
    );
  }
  await idle.query('COMMIT');
  idle.release();
  await sync(pair);
  expect((await sync(pair)).table().warnings).toEqual([]);
});

test('its age is told to a role that may see it', async () => {
  await using pair = await freshPair('orders');
  await pair.source.query(`GRANT pg_read_all_stats TO ${pair.login('source', 'increp').user}`);
  const idle = await pair.source.connect();
  await idle.query('BEGIN; SELECT FROM orders');
  expect((await sync(pair, '--wait-transactions 50ms')).table().warnings.join()).toMatch(/open for \d+ s/);
  idle.release(true);
});

test.for([true, false])(
  'LAG counts from the start of an open transaction, if it is visible: %s',
  async (isVisible) => {
    await using pair = await freshPair('orders');
    if (isVisible)
      await pair.source.query(`GRANT pg_read_all_stats TO ${pair.login('source', 'increp').user}`);
    await pair.source.query(`ALTER TABLE orders ALTER updated_at TYPE timestamp`);
    await pair.source.query(`UPDATE orders SET updated_at = now() - interval '1 hour'`);
    await sync(pair);
    await sleep(2000);
    const idle = await pair.source.connect();
    await idle.query('BEGIN; UPDATE orders SET updated_at = now() WHERE id = 1');
    await pair.source.query('UPDATE orders SET updated_at = now() WHERE id = 2');
    await sync(pair, '--wait-transactions 50ms');
    const before = Date.now();
    const [table] = (await increp('status --json', pair)).json<{
      tables: { lag_seconds: number; open_since: string; open_after: string }[];
    }>().tables;
    const start = Date.parse(table!.open_after);
    expect(table!.lag_seconds).toBeGreaterThanOrEqual((before - start) / 1000);
    expect(table!.lag_seconds).toBeLessThanOrEqual((Date.now() - start) / 1000);
    expect(table!.lag_seconds).toBeLessThan(60);
    expect(Date.parse(table!.open_since) - start < 1).toBe(isVisible);
    await idle.query('ROLLBACK');
    idle.release();
  },
);

test('sync, plan and status say since when a transaction is open, without a privilege too', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const idle = await pair.source.connect();
  await idle.query('BEGIN; INSERT INTO orders (id) VALUES (500)');
  const next = async (id: number) => {
    await pair.source.query(`INSERT INTO orders (id) VALUES (${id})`);
    return (await sync(pair, '--wait-transactions 50ms')).table().warnings.join();
  };
  expect(await next(501)).toMatch(/is open at the source \(pid \d+[^)]*\)/);
  await sleep(1100);
  expect(await next(502)).toMatch(/, open for more than \d+ s\)/);
  expect((await increp('plan', pair)).stdout).toMatch(
    /note: 1 transaction is open [^]*open\s+for\s+more\s+than\s+\d+ s/,
  );
  const status = await increp('status', pair);
  expect(status.stdout).toMatch(/\(the\s+oldest\s+began\s+(between\s+\d+ s\s+and\s+)?\d+ s\s+ago\)/);
  idle.release(true);
});

test('other databases, autovacuum and sessions without a transaction are not waited for', async () => {
  await using pair = await freshPair('orders');
  await using other = await freshPair('orders');
  const prepared = `elsewhere ${other.login('source').database}`;
  await other.source.query(`BEGIN; SAVEPOINT a; DELETE FROM orders; PREPARE TRANSACTION '${prepared}'`);
  const elsewhere = await other.source.connect();
  await elsewhere.query('BEGIN; INSERT INTO orders (id) VALUES (100)');
  const idle = await pair.source.connect();
  await idle.query('SELECT FROM orders');
  expect((await sync(pair, '--wait-transactions 50ms')).table().warnings).toEqual([]);
  await other.source.query(`ROLLBACK PREPARED '${prepared}'`);
  elsewhere.release(true);
  idle.release();
});
