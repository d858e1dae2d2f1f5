/** A worker that loses its network in the middle of a sync. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { controlPlace } from '../support/service.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';

const SERVE = 'serve --no-worker --listen 127.0.0.1:0';

test('without a network to the queue, a worker finishes its table, begins nothing, and recovers alone', async () => {
  await using pair = await freshPair({ sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id) VALUES (1)` });
  await pair.writeTables({ schedule: { every: '1s' }, tables: [ORDERS_CONFIG] });
  await sync(pair);
  await using control = await controlPlace();
  await control.add('shop', pair);
  control.start(SERVE);
  await control.until('SELECT FROM schedules');
  const { hostname: host, port } = new URL(control.url);
  await using queue = await faultProxy({ host, port: Number(port) });
  const url = control.url.replace(`${host}:${port}`, `${queue.host}:${queue.port}`);
  // A transaction at the source holds the sync while the network goes.
  const open = await pair.source.connect();
  await pair.source.query(`INSERT INTO orders (id, note) VALUES (2, 'new')`);
  await open.query('BEGIN; SELECT FROM orders');
  const worker = control.start('work --drain 0s', {
    url,
    timing: { transactionWait: 40, serve: { query: 1, claimPoll: 0.05, beat: 1, heartbeat: 10, monitor: 1 } },
  });
  await control.until(`SELECT FROM attempts WHERE table_name = 'orders' AND state = 'running'`);
  queue.reset();
  await queue.refuse();
  await worker.waitForLog('"code":"CONNECTION_');
  await open.query('COMMIT');
  open.release();
  // The sync ends at the destination, although the queue hears nothing of it.
  await expect
    .poll(async () => (await pair.destination.query('SELECT FROM orders')).rowCount, { timeout: 20_000 })
    .toBe(2);
  const attempts = () => control.rows(`SELECT state FROM attempts WHERE table_name = 'orders'`);
  await sleep(500);
  expect(await attempts()).toEqual([{ state: 'running' }]);
  await queue.resume();
  await worker.waitForLog('the control database answers again');
  await control.until(`SELECT FROM attempts WHERE table_name = 'orders' AND state = 'done'`);
  await expectSameRows(pair, 'orders');
});
