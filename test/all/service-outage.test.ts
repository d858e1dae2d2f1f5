/** The control database is stopped for a minute, with the waits of the program. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { startServer } from '../../src/demo/embedded-server.ts';
import { DEFAULT_TIMING } from '../../src/timing.ts';
import { waitUntil } from '../support/activity.ts';
import { freshPair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { controlPlace, waitForRows } from '../support/service.ts';
import { expectVerified, untilPhase } from '../support/service-scene.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { startAgain, stopServer } from '../support/stopped-server.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const MINUTE = 60_000;

slowTest(
  'a minute without the control database: jobs stay, a sync that runs ends, and each due time is accounted for',
  { timeout: 300_000 },
  async () => {
    await using server = await startServer({ name: 'control' });
    await using pair = await freshPair({ sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id) VALUES (1)` });
    await pair.writeTables({ schedule: { every: '5s' }, tables: [ORDERS_CONFIG] });
    await sync(pair);
    // The files of the control database are needed to the end.
    await using again = new AsyncDisposableStack();
    await using control = await controlPlace({ isOn: server.url('postgres') });
    await control.add('shop', pair);
    await using source = await faultProxy(pair.login('source'));
    const timing = DEFAULT_TIMING;
    const serve = control.start('serve --no-worker --listen 127.0.0.1:0', { timing });
    await serve.waitForLog('listening on');
    const [, url = ''] = /listening on (http:[^"]+)/.exec(serve.log) ?? [];
    const statusOf = async (path: string) => (await fetch(`${url}${path}`)).status;
    const worker = control.spawn('work --drain 0s', {
      timing,
      env: { SHOP_SOURCE_HOST: source.host, SHOP_SOURCE_PORT: String(source.port) },
    });
    await control.until(`SELECT FROM tables WHERE state = 'ok'`);
    source.throttle(100_000);
    await pair.source.query(
      `INSERT INTO orders (id, note) SELECT i, repeat('x', 200) FROM generate_series(1000, 4999) i`,
    );
    await untilPhase(control, 'copy');
    // A request waits meanwhile.
    await control.until(`SELECT FROM runs WHERE state = 'queued'`);
    await stopServer(server);
    const stoppedAt = Date.now();
    await waitUntil('503', async () => (await statusOf('/readyz')) === 503);
    // The sync ends at the destination, although the queue hears nothing of it.
    await waitForRows(pair, 'orders', 4001);
    source.throttle(Infinity);
    await pair.source.query(`INSERT INTO orders (id) VALUES (2)`);
    await sleep(MINUTE - (Date.now() - stoppedAt));
    expect([await statusOf('/readyz'), await statusOf('/healthz')]).toEqual([503, 200]);
    // Nobody has begun a job.
    expect((await pair.destination.query('SELECT FROM orders')).rowCount).toBe(4001);
    again.use(await startAgain(server));
    await waitUntil('200', async () => (await statusOf('/readyz').catch(() => 0)) === 200);
    await waitForRows(pair, 'orders', 4002);
    await control.until(`SELECT FROM tables WHERE state = 'ok' AND crashes = 0`);
    const accounts = await control.rows(
      `SELECT count(*) + sum(missed) AS runs, round(extract(epoch FROM max(due_at) - min(due_at - missed * interval '5 s')) / 5) + 1 AS times FROM runs`,
    );
    expect(Number(accounts[0]?.['runs'])).toBe(Number(accounts[0]?.['times']));
    expect(await control.rows('SELECT FROM pauses')).toEqual([]);
    for (const { log } of [serve, worker]) expect(log).toContain('the control database answers again');
    await expectVerified(pair);
  },
);
