/** The clock of the control database jumps while the service works. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { clockServer } from '../support/clock-server.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { controlPlace, waitForRows } from '../support/service.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { slowTest } from '../support/tier.ts';

const SERVE = 'serve --no-worker --listen 127.0.0.1:0';
const WORK = 'work --drain 0s';
const HOUR = 3600;

/** Seconds until shortly before the next minute. */
const almostAMinute = () => 55 - new Date().getUTCSeconds();

/** A service on a control database whose clock can be set. The table `items` has a schedule of its own. */
async function clockedShop(every: string, cron: string, offset: number) {
  await using made = new AsyncDisposableStack();
  const server = made.use(await clockServer());
  const pair = made.use(
    await freshPair({
      ...ordersPreset,
      sourceSql: `${ordersPreset.sourceSql}; ${ORDERS_SQL.replaceAll('orders', 'items')}`,
    }),
  );
  await pair.writeTables({
    schedule: { every },
    tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'items', schedule: { cron } }],
  });
  const control = made.use(await controlPlace({ isOn: server.url('postgres') }));
  await control.add('shop', pair);
  await server.setClock(offset);
  control.start(SERVE);
  await control.until('SELECT FROM schedules');
  const startWorker = () => control.spawn(WORK, { timing: { transactionWait: 60 } });
  /** A transaction at the source keeps the worker at the table. */
  const holdOrders = async () => {
    const open = await pair.source.connect();
    await open.query('BEGIN; SELECT FROM orders');
    await insertOrders(pair, 3);
    return () => open.release(true);
  };
  const owned = made.move();
  return {
    ...{ server, pair, control, startWorker, holdOrders },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const HELD = `SELECT FROM attempts WHERE table_name = 'orders' AND state = 'running' AND phase = 'fence'`;

slowTest(
  'forward by five hours: the due times that were missed become one run, and nothing is lost',
  async () => {
    await using shop = await clockedShop('10m', '0 * * * *', 0);
    const { server, pair, control } = shop;
    shop.startWorker();
    await control.until(`SELECT FROM runs WHERE state = 'ok'`);
    const release = await shop.holdOrders();
    await control.rows(`UPDATE schedules SET due_at = now() WHERE entry = ''`);
    await control.until(HELD);
    await server.setClock(5 * HOUR);
    await control.until(`SELECT count(*) = 2 FROM runs WHERE missed > 0`);
    await sleep(5000);
    release();
    await waitForRows(pair, 'orders', 13);
    await control.until(`SELECT count(*) = 0 FROM runs WHERE finished_at IS NULL`);
    const runs = () => control.rows(`SELECT entry, missed, state FROM runs ORDER BY entry, missed`);
    const all = [
      ...[0, 0, 29].map((missed) => ({ entry: '', missed, state: 'ok' })),
      { entry: 'items', missed: 4, state: 'ok' },
    ];
    expect(await runs()).toEqual(all);
    // A small step back makes no due time come again.
    await server.setClock(5 * HOUR - 120);
    await sleep(3000);
    expect(await runs()).toEqual(all);
    await expectSameRows(pair, 'orders');
  },
);

slowTest('back by five hours: schedules continue, and jobs that wait or were lost are done', async () => {
  await using shop = await clockedShop('2s', '* * * * *', almostAMinute());
  const { server, pair, control } = shop;
  const worker = shop.startWorker();
  await control.until(`SELECT count(DISTINCT entry) = 2 FROM runs WHERE state = 'ok'`);
  const release = await shop.holdOrders();
  await control.until(HELD);
  // Another job waits.
  await control.until(`SELECT FROM job WHERE state < 'active'`);
  worker.kill('SIGKILL');
  await server.setClock(almostAMinute() - 5 * HOUR);
  release();
  shop.startWorker();
  await waitForRows(pair, 'orders', 13);
  for (const entry of ['', 'items'])
    await control.until(
      `SELECT FROM runs WHERE entry = '${entry}' AND state = 'ok' AND finished_at < now() + interval '1 minute'`,
    );
  expect(await control.rows(`SELECT entry, due_at FROM runs GROUP BY 1, 2 HAVING count(*) > 1`)).toEqual([]);
  await expectSameRows(pair, 'orders');
});
