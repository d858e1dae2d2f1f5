/** Workers that are killed, frozen or stopped in the middle of a sync, as processes. */
import { expect, test } from 'vitest';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { controlPlace, type ControlPlace } from '../support/service.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const COPYING = `SELECT FROM attempts WHERE table_name = 'orders' AND phase = 'copy'`;
const SERVE = 'serve --no-worker --listen 127.0.0.1:0';

/** A pipeline with one table, whose changes take a while to read. */
async function slowOrders(more: object = {}) {
  const pair = await freshPair({
    sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, note) VALUES (1, 'first')`,
  });
  await pair.writeTables({ schedule: { every: '1h' }, tables: [{ ...ORDERS_CONFIG, ...more }] });
  await sync(pair);
  await pair.source.query(
    `INSERT INTO orders (id, note) SELECT i, repeat('x', 200) FROM generate_series(1000, 12000) i`,
  );
  const proxy = await faultProxy(pair.login('source'));
  proxy.throttle(300_000);
  return { pair, proxy };
}

/** The connections of one worker go through the proxy. */
const through = ({ host, port }: { readonly host: string; readonly port: number }) => ({
  SHOP_SOURCE_HOST: host,
  SHOP_SOURCE_PORT: String(port),
});

const attemptsOf = (control: ControlPlace) =>
  control.rows<{ state: string; phase: string | null }>(
    `SELECT state, phase FROM attempts WHERE table_name = 'orders' ORDER BY id`,
  );

async function expectEach(pair: Pair, rows: number): Promise<void> {
  const { rows: found } = await pair.destination.query('SELECT count(*)::int AS count FROM orders');
  expect(found).toEqual([{ count: rows }]);
}

/** A service whose only worker is copying a table over a slow connection. */
async function copyingWorker(args: string, options: Parameters<typeof slowOrders>[0] = {}) {
  await using made = new AsyncDisposableStack();
  const { pair, proxy } = await slowOrders(options);
  made.use(pair);
  made.use(proxy);
  const control = made.use(await controlPlace());
  await control.add('shop', pair);
  control.start(SERVE);
  await control.until('SELECT FROM schedules');
  const worker = control.spawn(args, { env: through(proxy) });
  await control.until(COPYING);
  const owned = made.move();
  return { pair, control, worker, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

// The killed workers of service-steps.test.ts are its quicker siblings.
for (const mode of ['incremental-deduped', 'incremental-append'] as const)
  slowTest(
    `kill -9 of a worker while it copies (${mode}): another worker syncs the table, and no row comes twice`,
    async () => {
      await using copying = await copyingWorker('work', { mode });
      const { pair, control, worker: first } = copying;
      first.kill('SIGKILL');
      const killedAt = Date.now();
      control.spawn('work');
      await control.until(`SELECT FROM tables WHERE state = 'ok' AND last_success_at > now() - interval '1 minute'
      AND EXISTS (SELECT FROM attempts WHERE state = 'crashed')`);
      expect(Date.now() - killedAt).toBeLessThan(60_000);
      expect(await attemptsOf(control)).toMatchObject([
        { state: 'crashed', phase: 'copy' },
        { state: 'done' },
      ]);
      await expectEach(pair, 11_002);
      await expectSameRows(pair, 'orders');
    },
  );

test('a worker that is frozen loses its table; when it wakes, it overwrites nothing', async () => {
  await using copying = await copyingWorker('work');
  const { pair, control, worker: frozen } = copying;
  frozen.kill('SIGSTOP');
  const other = control.spawn('work --drain 0s');
  await control.until(`SELECT FROM attempts WHERE table_name = 'orders' AND state = 'done'`);
  await expectSameRows(pair, 'orders');
  await pair.source.query(`UPDATE orders SET note = 'newer', updated_at = now() WHERE id < 2000`);
  await sync(pair, '--wait-lock 10s');
  frozen.kill('SIGCONT');
  await frozen.waitForLog('this result counts for nothing');
  expect((await attemptsOf(control)).map(({ state }) => state)).toEqual(['crashed', 'done']);
  await expectSameRows(pair, 'orders');
  expect(await other.stop()).toBe(0);
});

slowTest('SIGTERM: unfinished work is rolled back and given back, and this is no crash', async () => {
  await using copying = await copyingWorker('work --drain 0s');
  const { pair, control, worker: first } = copying;
  const stoppedAt = Date.now();
  expect(await first.stop()).toBe(0);
  expect(Date.now() - stoppedAt).toBeLessThan(5000);
  control.spawn('work');
  await control.until(`SELECT FROM attempts WHERE table_name = 'orders' AND state = 'done'`);
  expect((await attemptsOf(control)).map(({ state }) => state)).toEqual(['returned', 'done']);
  expect(await control.rows('SELECT crashes FROM tables')).toEqual([{ crashes: 0 }]);
  await expectSameRows(pair, 'orders');
});

slowTest(
  'after five crashes of workers at one table, that table is paused, and the others are synced',
  async () => {
    const { pair: own, proxy } = await slowOrders();
    await using pair = own;
    await using _ = proxy;
    await pair.source.query(`${ORDERS_SQL.replaceAll('orders', 'items')}; INSERT INTO items (id) VALUES (1)`);
    await pair.writeTables({
      schedule: { every: '1h' },
      jobs: 2,
      tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'items' }],
    });
    await using control = await controlPlace();
    await control.add('shop', pair);
    control.start(SERVE);
    await control.until('SELECT FROM schedules');
    // A worker that was lost four times before.
    await control.rows(
      `INSERT INTO tables (pipeline, table_name, state, crashes) VALUES ('shop', 'orders', 'ok', 4)`,
    );
    const first = control.spawn('work', { env: through(proxy) });
    await control.until(COPYING);
    first.kill('SIGKILL');
    control.spawn('work');
    await control.until(`SELECT FROM tables WHERE table_name = 'orders' AND state = 'crashed'`);
    expect(await control.rows(`SELECT pipeline, table_name, reason, detail FROM pauses`)).toEqual([
      {
        ...{ pipeline: 'shop', table_name: 'orders', reason: 'crashed' },
        detail: { worker: expect.any(String), phase: 'copy', crashes: 5 },
      },
    ]);
    await control.until(`SELECT FROM tables WHERE table_name = 'items' AND state = 'ok'`);
    expect(await control.rows(`SELECT state FROM runs`)).toEqual([{ state: 'partial' }]);
    expect(await control.rows(`SELECT FROM job WHERE state < 'completed'`)).toEqual([]);
    await expectSameRows(pair, 'items');
  },
);
