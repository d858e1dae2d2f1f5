/** `increp serve` and `increp work`: schedules lead to syncs, through the queue, by whichever worker has the connections. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { queueSql } from '../../src/serve/queue.ts';
import { requestRun } from '../../src/serve/trigger.ts';
import { CONTROL_VERSION, CREATE_VERSION_1 } from '../../src/sql/control/schema.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { controlPlace, openControl, QUICK, waitForRows, type ControlPlace } from '../support/service.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { slowTest } from '../support/tier.ts';

const SERVE = 'serve --no-worker --listen 127.0.0.1:0';
const WORK = 'work --drain 0s';
const DONE = `SELECT FROM attempts WHERE table_name = 'orders' AND state = 'done'`;
const IDLE = `SELECT count(*) = 0 FROM job WHERE state <= 'active'`;

/** Asks for runs, as the API will. */
async function request(control: ControlPlace, count: number): Promise<void> {
  await using opened = await openControl(control);
  const { control: database, queue } = opened;
  const one = () =>
    database.transaction((session) =>
      requestRun(session, queue, { pipeline: 'shop', origin: 'request', by: 'test' }),
    );
  await Promise.all(Array.from({ length: count }, one));
}

/** A pipeline with the name "shop", known to \`serve\`. */
async function knownShop(control: ControlPlace, pair: Parameters<ControlPlace['add']>[1]) {
  await control.add('shop', pair);
  const serve = control.start(SERVE);
  await control.until('SELECT FROM pipelines');
  return serve;
}

test('a worker syncs a table when its schedule is due, and again when rows have changed', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  await pair.writeTables({ schedule: { every: '1s' }, tables: [ORDERS_CONFIG] });
  await knownShop(control, pair);
  control.start(WORK);
  await control.until(`SELECT FROM tables WHERE state = 'ok'`);
  await expectSameRows(pair, 'orders');
  await insertOrders(pair, 5);
  await waitForRows(pair, 'orders', 15);
  await expectSameRows(pair, 'orders');
});

slowTest(
  '1,000 requests while a table is being synced lead to one more sync, which sees the last row',
  async () => {
    await using pair = await freshPair('orders');
    await using control = await controlPlace();
    await control.add('shop', pair);
    control.spawn(SERVE);
    await control.until('SELECT FROM pipelines');
    control.spawn(WORK, { timing: { ...QUICK, transactionWait: 40 } });
    await request(control, 1);
    await control.until(DONE);
    await control.until(IDLE);
    await insertOrders(pair, 1);
    const open = await pair.source.connect();
    await open.query('BEGIN; SELECT FROM orders');
    await request(control, 1);
    await control.until(`SELECT FROM attempts WHERE table_name = 'orders' AND state = 'running'`);
    await request(control, 1000);
    await insertOrders(pair, 1);
    await control.until(`SELECT count(*) = 0 FROM runs WHERE state IN ('queued', 'looking')`);
    await open.query('COMMIT');
    open.release();
    await control.until(IDLE, 60_000);
    await expectSameRows(pair, 'orders');
    expect(await control.rows(`SELECT state FROM attempts WHERE table_name = 'orders'`)).toEqual([
      ...[{ state: 'done' }, { state: 'done' }, { state: 'done' }],
    ]);
    expect(await control.rows(`SELECT state, count(*)::int AS count FROM runs GROUP BY 1`)).toEqual([
      { state: 'ok', count: 1002 },
    ]);
  },
);

slowTest(
  'a worker without the connections of a pipeline leaves its jobs to others, and says so',
  async () => {
    await using pair = await freshPair('orders');
    await using control = await controlPlace();
    await pair.writeTables({ schedule: { every: '1h' }, tables: [ORDERS_CONFIG] });
    await pair.setEnv({ SOURCE_HOST: undefined });
    await knownShop(control, pair);
    const without = control.start(WORK);
    await without.waitForLog('this worker cannot sync the pipeline');
    await control.until(`SELECT lacks ? 'shop' AND serves = '{}' AS leaves FROM workers`);
    await pair.setEnv({
      ...{
        SOURCE_PORT: undefined,
        SOURCE_USERNAME: undefined,
        SOURCE_PASSWORD: undefined,
        SOURCE_DB: undefined,
      },
    });
    await without.stop();
    // Variables without the prefix would be about every pipeline, so they count for none.
    const SHOP_SOURCE_URL = pair.sourceUrl('increp');
    control.start(WORK, { env: { SHOP_SOURCE_URL, SOURCE_URL: 'postgres://nobody@127.0.0.1:1/none' } });
    await control.until(DONE);
    await expectSameRows(pair, 'orders');
  },
);

test('what happens to a table is a result: it fails, the others are synced, and the next sync heals it', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    tables: [],
  });
  await using control = await controlPlace();
  await pair.writeTables({
    schedule: { every: '1s' },
    tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'missing' }],
  });
  await knownShop(control, pair);
  control.start(WORK);
  await control.until(`SELECT FROM tables WHERE table_name = 'missing' AND state = 'failing'`);
  await control.until(`SELECT FROM runs WHERE state = 'partial'`);
  await expectSameRows(pair, 'orders');
  expect(
    await control.rows(`SELECT outcome -> 0 -> 'error' ->> 'code' AS code FROM tables WHERE state <> 'ok'`),
  ).toEqual([{ code: 'TABLE_NOT_FOUND' }]);
  await pair.source.query(`${ORDERS_SQL.replaceAll('orders', 'missing')};
    GRANT SELECT ON missing TO ${pair.login('source', 'increp').user}`);
  await control.until(`SELECT FROM tables WHERE table_name = 'missing' AND state = 'ok' AND crashes = 0`);
});

slowTest('two serve at once, and intervals without any serve: each due time leads to one run', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  await pair.writeTables({
    schedule: { every: '1s' },
    tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'items', schedule: { every: '1h' } }],
  });
  await control.add('shop', pair);
  const both = [control.spawn(SERVE), control.spawn(SERVE)];
  // Before, `work` ends, because the tables are missing.
  for (const serve of both) await expect.poll(() => serve.log, { timeout: 30_000 }).toContain('listening on');
  control.spawn(WORK);
  await control.until(`SELECT count(*) >= 3 FROM runs WHERE entry = ''`);
  for (const serve of both) serve.kill('SIGKILL');
  // Ten intervals.
  await sleep(10_000);
  control.spawn(SERVE);
  await control.until(`SELECT FROM runs WHERE missed >= 9`);
  const runs = await control.rows<{ entry: string; runs: number; times: number }>(
    `SELECT entry, count(*)::int AS runs, count(DISTINCT due_at)::int AS times FROM runs GROUP BY 1 ORDER BY 1`,
  );
  for (const { runs: all, times } of runs) expect(times).toBe(all);
  expect(runs.map(({ entry, runs: all }) => [entry, all > 1])).toEqual([
    ['', true],
    ['items', false],
  ]);
});

slowTest('a paused pipeline is left alone, and continues afterwards', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  await pair.writeTables({ schedule: { every: '1s' }, tables: [ORDERS_CONFIG] });
  await knownShop(control, pair);
  await control.rows(`INSERT INTO pauses (pipeline, reason, made_by) VALUES ('shop', 'maintenance', 'test')`);
  control.start(WORK);
  await control.until(`SELECT FROM schedules WHERE due_at > now()`);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(await control.rows('SELECT FROM attempts')).toEqual([]);
  await control.rows(`UPDATE pauses SET ends_at = now()`);
  await control.until(DONE);
});

slowTest(
  'a table that fails by a foreign key is synced together with the tables that it refers to',
  async () => {
    await using pair = await freshPair({
      sourceSql: `CREATE TABLE customers (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now());
      CREATE TABLE bills (id bigint PRIMARY KEY, customer bigint REFERENCES customers, updated_at timestamptz NOT NULL DEFAULT now());
      CREATE INDEX ON customers (updated_at); CREATE INDEX ON bills (updated_at);
      INSERT INTO customers VALUES (1); INSERT INTO bills VALUES (1, 1)`,
    });
    await using control = await controlPlace();
    const table = (name: string) => ({ name, replication_key: 'updated_at', unique_cols: ['id'] });
    await pair.writeTables({ schedule: { every: '1s' }, tables: [table('bills'), table('customers')] });
    await knownShop(control, pair);
    control.start(WORK);
    await control.until(`SELECT count(*) = 2 FROM tables WHERE state = 'ok'`);
    await pair.destination.query('ALTER TABLE bills ADD FOREIGN KEY (customer) REFERENCES customers');
    await pair.source.query('INSERT INTO customers VALUES (2); INSERT INTO bills VALUES (2, 2)');
    await waitForRows(pair, 'bills', 2);
    await control.until(`SELECT count(*) = 2 FROM tables WHERE state = 'ok'`);
    await control.until(IDLE);
    await expectSameRows(pair, 'bills');
  },
);

test('a serve keeps the pipelines of a serve with another directory, and both say so', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  await using other = await controlPlace();
  await control.add('shop', pair);
  await other.add('crm', pair);
  const timing = { ...QUICK, serve: { ...QUICK.serve, directoryGrace: 5 } };
  const first = control.start(SERVE, { timing });
  await control.until(`SELECT FROM pipelines WHERE name = 'shop'`);
  const second = other.start(SERVE, { timing, url: control.url });
  await second.waitForLog('with other pipelines: shop in');
  await first.waitForLog('with other pipelines: crm in');
  await sleep(1000);
  const present = 'SELECT name FROM pipelines WHERE removed_at IS NULL ORDER BY name';
  expect(await control.rows(present)).toEqual([{ name: 'crm' }, { name: 'shop' }]);

  await control.rows(`UPDATE pipelines SET removed_at = now() WHERE name = 'shop'`);
  await control.until(`SELECT FROM pipelines WHERE name = 'shop' AND removed_at IS NULL`);
  await first.waitForLog('the pipeline was missing in the control database');
  await second.stop();
  await first.waitForLog('the pipeline was removed, because no increp serve has its directory any more');
  expect(await control.rows(present)).toEqual([{ name: 'shop' }]);
});

test('of two serves with one pipeline name, the one that stays takes its schedule back', async () => {
  await using pair = await freshPair('orders');
  await using twin = await freshPair('orders');
  await using control = await controlPlace();
  await using other = await controlPlace();
  await pair.writeTables({ schedule: { every: '20m' }, tables: [ORDERS_CONFIG] });
  await twin.writeTables({ schedule: { every: '7m' }, tables: [ORDERS_CONFIG] });
  await control.add('shop', pair);
  await other.add('shop', twin);
  await other.add('crm', twin);
  const timing = { ...QUICK, serve: { ...QUICK.serve, directoryGrace: 5 } };
  const first = control.start(SERVE, { timing });
  const every = (seconds: number) =>
    control.until(`SELECT FROM schedules WHERE pipeline = 'shop' AND seconds = ${seconds}`);
  await every(1200);
  const second = other.start(SERVE, { timing, url: control.url });
  await every(420);
  await first.waitForLog('another increp serve has a pipeline of the same name: shop in');
  await second.stop();
  await every(1200);
  expect(second.log).toContain('so rename one of the two directories');
});

test('a serve whose port is in use ends with exit code 78, and registers nothing', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  await using other = await controlPlace();
  await other.add('crm', pair);
  const first = control.start(SERVE);
  await first.waitForLog('listening on');
  const port = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(first.log)?.[1];
  const env = { SERVE_DATABASE_URL: control.url };
  const command = `serve --no-worker --listen 127.0.0.1:${port} --pipelines ${other.root}`;
  const second = await increp(command, { directory: other.root }, { env });
  expect([second.exitCode, second.stderr]).toEqual([78, expect.stringContaining('the port is in use')]);
  expect(await control.rows(`SELECT FROM serve_processes WHERE 'crm' = ANY (pipelines)`)).toEqual([]);
  expect(await control.rows(`SELECT FROM pipelines WHERE name = 'crm'`)).toEqual([]);
});

test('work refuses a control database without tables, and one of another version, with exit code 78', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  await control.add('shop', pair);
  const place = { directory: control.root };
  const env = { SERVE_DATABASE_URL: control.url };
  const before = await increp('work', place, { env });
  expect(before.exitCode).toBe(78);
  expect(before.stderr).toContain('has no tables of increp yet');
  const printed = await increp('serve --print-sql', place, { env });
  await control.pool.query(`SET ROLE ${control.database}`);
  await control.pool.query(printed.stdout);
  expect((await increp('serve --print-sql', place, { env })).stdout).toBe('');
  const worker = control.start(WORK);
  await control.until('SELECT FROM workers');
  await worker.stop();
  await control.rows('UPDATE increp_serve.version SET version = version + 1');
  const after = await increp('work', place, { env });
  expect(after.exitCode).toBe(78);
  expect(after.stderr).toContain('was made by a newer increp');
  expect((await increp('serve --no-worker', place, { env })).exitCode).toBe(78);
});

test('serve migrates the tables of an older version, and keeps what is in them', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  await control.add('shop', pair);
  const place = { directory: control.root };
  const env = { SERVE_DATABASE_URL: control.url };
  await control.pool.query(
    `SET ROLE ${control.database}; ${await queueSql(undefined)} ${CREATE_VERSION_1} RESET ROLE`,
  );
  await control.rows(`INSERT INTO increp_serve.pipelines (name, queue, jobs) VALUES ('shop', 'pipeline/shop', 1);
    INSERT INTO increp_serve.runs (pipeline, origin, requested_by, state) VALUES ('shop', 'request', 'ops', 'ok');
    INSERT INTO increp_serve.workers (id, host, process, version, capacity, state)
      VALUES (gen_random_uuid(), 'old', 1, '0.1.0', 4, 'stopped');
    INSERT INTO increp_serve.audit (actor, action, status) VALUES ('ops', 'POST /', 200)`);

  for (const words of ['work', 'token create --role read']) {
    const refused = await increp(words, place, { env });
    expect([refused.exitCode, refused.stderr]).toEqual([78, expect.stringContaining('has an older version')]);
  }
  const printed = await increp('serve --print-sql', place, { env });
  expect(printed.stdout).toContain('ALTER TABLE increp_serve.pipelines');
  expect(printed.stdout).not.toContain('CREATE SCHEMA increp_serve');

  control.start(SERVE);
  await control.until(`SELECT version = ${CONTROL_VERSION} FROM increp_serve.version`);
  control.start(WORK);
  await control.until(`SELECT FROM workers WHERE 'shop' = ANY (serves)`);
  expect(
    await control.rows(`SELECT p.definition, p.definition_version, r.state, a.actor, w.connections
      FROM pipelines p, runs r, audit a, workers w WHERE w.host = 'old'`),
  ).toEqual([{ definition: null, definition_version: 0, state: 'ok', actor: 'ops', connections: [] }]);
  expect((await increp('serve --print-sql', place, { env })).stdout).toBe('');
});

test('the service answers probes and Prometheus on loopback, and under no other name', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  await pair.writeTables({ schedule: { every: '1h' }, tables: [ORDERS_CONFIG] });
  const serve = await knownShop(control, pair);
  await serve.waitForLog('increp token create --role operate');
  expect(serve.log).toContain(`the directory of the pipelines is ${control.root}, with 1 pipeline`);
  const [, url = ''] = /listening on (http:[^"]+)/.exec(serve.log) ?? [];
  const work = control.start(WORK);
  await control.until(DONE);
  expect(work.log).toContain(`the directory of the pipelines is ${control.root}, with 1 pipeline`);
  const get = async (path: string, headers = {}) => {
    const response = await fetch(`${url}${path}`, { headers });
    return { status: response.status, text: await response.text() };
  };
  expect(await get('/healthz')).toEqual({ status: 200, text: 'ok\n' });
  expect(await get('/readyz')).toEqual({ status: 200, text: 'ready\n' });
  const { text } = await get('/metrics');
  expect(text).toContain('increp_service_workers 1');
  expect(text).toMatch(
    /increp_service_table_last_success_timestamp_seconds\{pipeline="shop",table="orders"\} \d+/,
  );
  expect((await get('/')).status).toBe(401);
  expect((await get('/', { accept: 'text/html' })).text).toContain('<form');
  const elsewhere = await increp(
    'serve --listen 0.0.0.0:0',
    { directory: control.root },
    {
      env: { SERVE_DATABASE_URL: control.url },
    },
  );
  expect(elsewhere.exitCode).toBe(78);
});
