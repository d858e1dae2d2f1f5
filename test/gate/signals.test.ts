/** A run that is asked to stop: it rolls back, says so, and is gone within ten seconds. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { waitForCopy } from '../support/activity.ts';
import { startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';
import { webhookServer } from '../support/webhook-server.ts';

const MANY = 40_000;
const orders = (loader: string) => ({
  tables: [{ ...ORDERS_CONFIG, initial_load: loader }],
  sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, note)
    SELECT i, repeat('note ', 20) || i FROM generate_series(1, ${MANY}) i`,
});

async function slowSource(pair: Pair) {
  const proxy = await faultProxy(pair.login('source'));
  await pair.setEnv({ SOURCE_HOST: proxy.host, SOURCE_PORT: String(proxy.port) });
  return proxy;
}

for (const [signal, exitCode, loader] of oneIn(3, [
  ['SIGINT', 130, 'copy'],
  ['SIGTERM', 143, 'copy'],
  ['SIGINT', 130, 'pg_dump'],
  ['SIGTERM', 143, 'pg_dump'],
] as const)) {
  test(`${signal} in the middle of a load by ${loader} rolls back and exits with ${exitCode}`, async () => {
    await using pair = await freshPair(orders(loader));
    await using proxy = await slowSource(pair);
    await using running = startIncrep('sync --json', pair);
    await waitForCopy(pair.destination, 'orders_stg');
    proxy.throttle(10_000);
    const started = performance.now();
    running.kill(signal);
    const result = await running.wait();
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(result.exitCode, result.stderr).toBe(exitCode);
    expect(result.lines().at(-1)).toMatchObject({
      type: 'summary',
      status: 'failed',
      tables: [{ name: 'orders', status: 'failed', error: { code: 'INTERRUPTED' } }],
    });
    const history = await pair.destination.query('SELECT status, error_code FROM _increp_runs');
    expect(history.rows).toEqual([{ status: 'failed', error_code: 'INTERRUPTED' }]);
    await proxy.resume();
    expect((await sync(pair)).table()).toMatchObject({ action: 'initial', rows_inserted: MANY });
    await expectSameRows(pair, 'orders');
  });
}

slowTest('SIGTERM while waiting for open transactions and for a lock ends at once', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 1);
  const open = await pair.source.connect();
  await open.query('BEGIN; SELECT FROM orders');
  await using fenced = startIncrep('sync -v --wait-transactions 40s', pair);
  await fenced.waitForPhase('fence');
  await using locked = startIncrep('sync -v --wait-lock 40s', pair);
  await locked.waitForPhase('lock');
  const started = performance.now();
  for (const running of [locked, fenced]) {
    running.kill('SIGTERM');
    expect((await running.wait()).exitCode).toBe(143);
  }
  expect(performance.now() - started).toBeLessThan(5000);
  open.release(true);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
});

test('an interrupted run tells the webhook once, and does not wait for an answer that never comes', async () => {
  await using pair = await freshPair(orders('copy'));
  await using hook = await webhookServer('hang');
  await pair.setEnv({ WEBHOOK_URL: hook.url });
  await using proxy = await slowSource(pair);
  await using running = startIncrep('sync', pair);
  await waitForCopy(pair.destination, 'orders_stg');
  proxy.throttle(10_000);
  const started = performance.now();
  running.kill('SIGTERM');
  expect((await running.wait()).exitCode).toBe(143);
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(hook.requests.map((request) => request.json()['type'])).toEqual(['run.failed']);
});

slowTest('a webhook that hangs does not keep a run that is told to stop', async () => {
  await using pair = await freshPair(orders('copy'));
  await using hook = await webhookServer('hang');
  await pair.setEnv({ WEBHOOK_URL: hook.url });
  await using running = startIncrep('sync', pair);
  await hook.waitForRequests(1);
  const started = performance.now();
  running.kill('SIGTERM');
  // The work was done and the commit made before the signal came.
  expect((await running.wait()).exitCode).toBe(0);
  expect(performance.now() - started).toBeLessThan(8000);
  await expectSameRows(pair, 'orders');
});

test('a second signal ends a run at once, whatever it is doing', async () => {
  await using pair = await freshPair(orders('copy'));
  await using hook = await webhookServer('hang');
  await pair.setEnv({ WEBHOOK_URL: hook.url });
  await using running = startIncrep('sync', pair);
  await hook.waitForRequests(1);
  running.kill('SIGTERM');
  await sleep(200);
  running.kill('SIGTERM');
  expect((await running.wait()).signal).toBe('SIGTERM');
});

slowTest('a terminal that hangs up is a signal like the others', async () => {
  await using pair = await freshPair(orders('copy'));
  await using proxy = await slowSource(pair);
  await using running = startIncrep('sync', pair);
  await waitForCopy(pair.destination, 'orders_stg');
  proxy.throttle(10_000);
  running.kill('SIGHUP');
  expect((await running.wait()).exitCode).toBe(129);
  await proxy.resume();
  await sync(pair);
  await expectSameRows(pair, 'orders');
});

slowTest('a signal during verify says nothing of a sync', async () => {
  await using pair = await freshPair(orders('copy'));
  await sync(pair);
  const holder = await pair.source.connect();
  await holder.query('BEGIN; LOCK TABLE orders');
  await using running = startIncrep('verify', pair);
  await expect.poll(async () => (await waitingAt(pair)).length, { timeout: 10_000 }).toBe(1);
  running.kill('SIGINT');
  const { exitCode, stderr } = await running.wait();
  await holder.query('ROLLBACK');
  expect(exitCode).toBe(130);
  expect(stderr).toContain('next: Nothing was changed. Run the command again.');
  expect(stderr).not.toContain('increp sync');
});

const waitingAt = async (pair: Pair) =>
  (await pair.source.query(`SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'orders'::regclass`))
    .rows;
