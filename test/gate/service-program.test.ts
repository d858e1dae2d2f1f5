/** The service as it is installed, and without its control database. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { startServer } from '../../src/demo/embedded-server.ts';
import { processes, waitUntil } from '../support/activity.ts';
import { startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { controlPlace, waitForRows } from '../support/service.ts';
import { makeToken } from '../support/service-api.ts';
import { insertOrders, ORDERS_CONFIG } from '../support/shop.ts';
import { slowTest } from '../support/tier.ts';

test('serve starts a worker, starts it again when it is killed, and both end together', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  await control.add('shop', pair);
  await pair.writeTables({ schedule: { every: '1h' }, tables: [ORDERS_CONFIG] });
  const workers = () => processes(`work --pipelines ${control.root}`);
  await using serve = startIncrep(
    ['serve', '--pipelines', control.root, '--listen', '127.0.0.1:0', '--drain', '0s'],
    { directory: control.root },
    { env: { SERVE_DATABASE_URL: control.url, LOG_FORMAT: 'json' } },
  );
  await control.until(`SELECT FROM tables WHERE state = 'ok'`);
  await control.until(`SELECT count(*) = 0 FROM job WHERE state <= 'active'`);
  const [first = ''] = await workers();
  process.kill(Number(first.trim().split(/\s+/)[0]), 'SIGKILL');
  await serve.waitForStderr('the worker process ended (SIGKILL)');
  await control.until(`SELECT count(*) = 2 FROM workers`);
  await insertOrders(pair, 3);
  // A schedule that has changed is due at once.
  await pair.writeTables({ schedule: { every: '2h' }, tables: [ORDERS_CONFIG] });
  await waitForRows(pair, 'orders', 13);
  serve.kill('SIGTERM');
  expect((await serve.wait()).exitCode).toBe(0);
  expect(await workers()).toEqual([]);
  expect(await control.rows(`SELECT FROM job WHERE state = 'active' AND group_id IS NOT NULL`)).toEqual([]);
  await expectSameRows(pair, 'orders');
});

slowTest('the worker of serve has the connections of its environment, for pipelines of the API', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  const connections = {
    CONNECTION_SHOP_URL: pair.sourceUrl(),
    CONNECTION_WAREHOUSE_URL: pair.destinationUrl(),
  };
  await using serve = startIncrep(
    ['serve', '--pipelines', control.root, '--listen', '127.0.0.1:0', '--drain', '0s'],
    { directory: control.root },
    { env: { SERVE_DATABASE_URL: control.url, LOG_FORMAT: 'json', ...connections } },
  );
  await serve.waitForStderr('listening on');
  const [, url = ''] = /listening on (http:[^"]+)/.exec(serve.stderr) ?? [];
  const headers = {
    authorization: `Bearer ${await makeToken(control, { role: 'admin' })}`,
    'content-type': 'application/json',
  };
  const ask = (method: string, path: string, body: object) =>
    fetch(`${url}/api/v1${path}`, { method, headers, body: JSON.stringify(body) });
  const definition = {
    ...{ source: 'shop', destinations: ['warehouse'], source_schema: pair.schema },
    config: { schedule: { every: '1s' }, tables: [ORDERS_CONFIG] },
  };
  expect((await ask('POST', '/pipelines', { name: 'copy', ...definition })).status).toBe(201);
  await control.until(`SELECT FROM tables WHERE state = 'ok'`);
  await insertOrders(pair, 3);
  await waitForRows(pair, 'orders', 13);
  // The state files follow the state at the destination.
  expect(await readdir(join(control.root, '.increp', 'copy'))).toContain('orders.json');
  expect((await ask('DELETE', '/pipelines/copy', {})).status).toBe(200);
  await control.until(`SELECT count(*) = 0 FROM runs WHERE finished_at IS NULL`);
  await expectSameRows(pair, 'orders');
});

slowTest('kill -9 of serve ends its worker too', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  await control.add('shop', pair);
  const workers = () => processes(`work --pipelines ${control.root}`);
  await using serve = startIncrep(
    ['serve', '--pipelines', control.root, '--listen', '127.0.0.1:0', '--drain', '0s'],
    { directory: control.root },
    { env: { SERVE_DATABASE_URL: control.url } },
  );
  await control.until('SELECT FROM workers');
  serve.kill('SIGKILL');
  await serve.wait();
  await waitUntil('the end of the worker', async () => (await workers()).length === 0);
  expect(await control.rows(`SELECT state FROM workers`)).toEqual([{ state: 'stopped' }]);
});

slowTest(
  'a control database that is away for a while: jobs stay, and the service recovers alone',
  async () => {
    await using server = await startServer({ name: 'control', settings: {} });
    await using pair = await freshPair('orders');
    await using control = await controlPlace({ isOn: server.url('postgres') });
    await control.add('shop', pair);
    await pair.writeTables({ schedule: { every: '1s' }, tables: [ORDERS_CONFIG] });
    const serve = control.start('serve --no-worker --listen 127.0.0.1:0');
    await control.until('SELECT FROM schedules');
    control.start('work --drain 0s');
    await control.until(`SELECT FROM tables WHERE state = 'ok'`);
    const [, url = ''] = /listening on (http:[^"]+)/.exec(serve.log) ?? [];
    const statusOf = async (path: string) => (await fetch(`${url}${path}`)).status;
    const admin = new Client({ connectionString: server.url('postgres') });
    await admin.connect();
    const allow = (isAllowed: boolean) =>
      admin.query(`ALTER DATABASE ${control.database} WITH ALLOW_CONNECTIONS ${isAllowed}`);
    await allow(false);
    await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${control.database}'`,
    );
    await waitUntil('503', async () => (await statusOf('/readyz')) === 503);
    expect(await statusOf('/healthz')).toBe(200);
    await insertOrders(pair, 3);
    await sleep(3000);
    await allow(true);
    await admin.end();
    await waitUntil('200', async () => (await statusOf('/readyz')) === 200);
    await waitForRows(pair, 'orders', 13);
    await expectSameRows(pair, 'orders');
  },
);
