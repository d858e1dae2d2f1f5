/** Pipelines that the API creates, changes and deletes. Workers find their connections in variables. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { controlPlace, QUICK, waitForRows, type ControlPlace } from '../support/service.ts';
import { apiOf, makeToken, type Answer, type Api } from '../support/service-api.ts';
import { insertOrders, ORDERS_CONFIG } from '../support/shop.ts';
import { slowTest } from '../support/tier.ts';

const SERVE = 'serve --no-worker --listen 127.0.0.1:0';
const WORK = 'work --drain 0s';

/** Without pg_dump, which other tests are about. */
const ORDERS = { ...ORDERS_CONFIG, initial_load: 'copy' } as const;

/** Of a worker. The pair has a schema of its own, which a pipeline names. */
const connectionsOf = (pair: Pair) => ({
  CONNECTION_SHOP_URL: pair.sourceUrl(),
  CONNECTION_WAREHOUSE_URL: pair.destinationUrl(),
});

const definitionOf = (pair: Pair, ...more: object[]) => ({
  source: 'shop',
  destinations: ['warehouse'],
  source_schema: pair.schema,
  config: { tables: [ORDERS, ...more] },
});

/** `serve` and a worker, and their API with a token of an admin. */
async function startService(control: ControlPlace, pair: Pair) {
  const serve = control.start(SERVE);
  await serve.waitForLog('listening on');
  const worker = control.start(WORK, { env: connectionsOf(pair), timing: { ...QUICK, transactionWait: 40 } });
  await control.until('SELECT FROM workers');
  const token = await makeToken(control, { role: 'admin' });
  return { serve, worker, token, ...(await apiOf(serve, token)) };
}

const refusalIn = ({ status, json }: Answer) => [status, json['code'], json['detail']];

async function runOf({ ask }: Pick<Api, 'ask'>, control: ControlPlace, asked: Answer) {
  expect(refusalIn(asked)).toEqual([202, undefined, undefined]);
  const run = String(asked.json['run']);
  await control.until(`SELECT FROM runs WHERE id = '${run}' AND finished_at IS NOT NULL`);
  return (await ask('GET', `/runs/${run}`)).json;
}

test('a pipeline is previewed, created, synced, verified, changed and deleted through the API', async () => {
  await using pair = await freshPair('orders');
  await pair.source.query(`CREATE TABLE customers (id int PRIMARY KEY, updated_at timestamptz DEFAULT now());
    INSERT INTO customers VALUES (1), (2)`);
  await using control = await controlPlace();
  const { ask, worker } = await startService(control, pair);
  const order = { name: 'shop_copy', ...definitionOf(pair) };

  const preview = await ask('POST', '/pipelines/preview', order);
  expect(await runOf({ ask }, control, preview)).toMatchObject({
    ...{ pipeline: 'shop_copy', kind: 'plan', state: 'ok', options: { preview: true } },
    result: { type: 'plan', tables: [{ name: 'orders', action: 'initial' }] },
  });
  expect(await control.rows('SELECT FROM pipelines')).toEqual([]);

  const created = await ask('POST', '/pipelines', order);
  expect([created.status, created.json]).toEqual([
    201,
    { pipeline: 'shop_copy', version: 1, missing_connections: [] },
  ]);
  await control.until(`SELECT FROM workers WHERE 'shop_copy' = ANY (serves)`);
  const shown = await ask('GET', '/pipelines/shop_copy');
  expect(shown.json['definition']).toEqual({ version: 1, ...definitionOf(pair) });
  await runOf({ ask }, control, await ask('POST', '/pipelines/shop_copy/sync', {}));
  await expectSameRows(pair, 'orders');
  const verified = await runOf({ ask }, control, await ask('POST', '/pipelines/shop_copy/verify', {}));
  expect(verified).toMatchObject({ state: 'ok', result: { type: 'verify' } });

  // The sync comes at once after the change, before the worker has looked for changes.
  const customers = {
    name: 'customers',
    replication_key: 'updated_at',
    unique_cols: ['id'],
    initial_load: 'copy',
  };
  const changed = { ...definitionOf(pair, customers), version: 1 };
  expect((await ask('PUT', '/pipelines/shop_copy', changed)).json).toMatchObject({ version: 2 });
  await runOf({ ask }, control, await ask('POST', '/pipelines/shop_copy/sync', {}));
  await expectSameRows(pair, 'customers');
  const stale = await ask('PUT', '/pipelines/shop_copy', changed);
  expect(refusalIn(stale)).toEqual([409, 'CONFLICT', 'pipeline "shop_copy" has version 2 by now, not 1']);

  // A schedule of the definition, and one that a person sets instead.
  const scheduled = { ...changed, version: 2, config: { ...changed.config, schedule: { every: '1s' } } };
  expect((await ask('PUT', '/pipelines/shop_copy', scheduled)).status).toBe(200);
  await insertOrders(pair, 3);
  await waitForRows(pair, 'orders', 13);
  expect((await ask('PUT', '/pipelines/shop_copy/schedule', { every: '7d' })).status).toBe(200);
  await control.until(`SELECT FROM schedules WHERE seconds = 604800`);

  // A sync that waits for a transaction of the source is cancelled by the deletion.
  await control.until(`SELECT count(*) = 0 FROM runs WHERE finished_at IS NULL`);
  await insertOrders(pair, 1);
  const open = await pair.source.connect();
  await open.query('BEGIN; SELECT FROM orders');
  await ask('POST', '/pipelines/shop_copy/sync', {});
  await control.until(`SELECT FROM attempts WHERE table_name = 'orders' AND state = 'running'`);
  const deleted = await ask('DELETE', '/pipelines/shop_copy');
  expect([deleted.status, deleted.json['kept']]).toEqual([
    200,
    expect.stringContaining('destination tables'),
  ]);
  await control.until(`SELECT FROM attempts WHERE table_name = 'orders' AND state = 'cancelled'`);
  await open.query('COMMIT');
  open.release();
  expect(await control.rows('SELECT FROM schedules')).toEqual([]);
  // The worker ends the job after its attempts.
  await control.until(`SELECT count(*) = 0 FROM job WHERE state <= 'active'`);
  expect(await control.rows('SELECT state FROM runs ORDER BY requested_at DESC LIMIT 1')).toEqual([
    { state: 'cancelled' },
  ]);
  expect((await ask('POST', '/pipelines/shop_copy/sync', {})).status).toBe(404);
  expect((await ask('DELETE', '/pipelines/shop_copy')).status).toBe(404);
  await waitForRows(pair, 'orders', 13);

  // The same name again continues from the state at the destination, and never with an old version.
  expect((await ask('POST', '/pipelines', order)).json).toMatchObject({ version: 4 });
  expect((await ask('PUT', '/pipelines/shop_copy', { ...changed, version: 3 })).status).toBe(409);
  await control.until(`SELECT FROM workers WHERE 'shop_copy' = ANY (serves)`);
  await runOf({ ask }, control, await ask('POST', '/pipelines/shop_copy/sync', {}));
  await waitForRows(pair, 'orders', 14);
  const actions = await control.rows(`SELECT outcome -> 'tables' -> 0 ->> 'action' AS action FROM attempts
    WHERE table_name = 'orders' AND state = 'done' ORDER BY id DESC LIMIT 1`);
  expect(actions).toEqual([{ action: 'incremental' }]);

  const audit = await control.rows(`SELECT action, pipeline, status, detail FROM audit
    WHERE action ~ 'pipelines(/preview|/:pipeline)?$' ORDER BY id`);
  const [first] = audit;
  expect(audit).toHaveLength(9);
  expect(first).toMatchObject({
    ...{ action: 'POST /api/v1/pipelines/preview', pipeline: 'shop_copy', status: 202 },
    detail: { source: 'shop', destinations: ['warehouse'], tables: 1 },
  });
  expect(worker.log).not.toContain('"level":"error"');
});

test('a request for a pipeline carries no address and no secret, and says what is wrong', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  await mkdir(join(control.root, 'deployed'));
  await writeFile(join(control.root, 'deployed', 'tables-config.json'), JSON.stringify([ORDERS]));
  const { ask, call, token, worker } = await startService(control, pair);
  const definition = definitionOf(pair);
  const create = (changed: object) => ask('POST', '/pipelines', { name: 'shop', ...definition, ...changed });

  for (const key of ['host', 'password', 'source_url', 'sslrootcert', 'socket'])
    expect(refusalIn(await create({ [key]: 'S3cret-word' }))).toEqual([
      ...[400, 'INVALID_REQUEST'],
      expect.stringMatching(new RegExp(`^Unrecognized key: "${key}"$`)),
    ]);
  const url = await create({ source: 'postgresql://reader:S3cret-word@db/shop' });
  expect(refusalIn(url)).toEqual([400, 'INVALID_REQUEST', expect.stringMatching(/^source: 1 to 40 of a-z/)]);
  expect(url.text).not.toContain('S3cret-word');
  const wrong = await create({
    config: {
      destinations: [{ url_env: 'OTHER_URL' }],
      tables: [{ ...ORDERS, uniq_cols: ['id'], replication_key: 7 }],
    },
  });
  expect(refusalIn(wrong)).toEqual([422, 'CONFIG_INVALID', expect.stringContaining('3 problems')]);
  expect(wrong.json['detail']).toContain('config.destinations: names URLs, variables or SSH servers');
  expect(wrong.json['detail']).toContain('config.tables[0].uniq_cols (table orders): unknown key');
  for (const [method, path] of [
    ['POST', '/pipelines'],
    ['POST', '/pipelines/preview'],
    ['PUT', '/pipelines/deployed'],
    ['DELETE', '/pipelines/deployed'],
  ] as const) {
    const named = method === 'POST' ? { name: 'deployed' } : { version: 1 };
    const refused = await ask(method, path, method === 'DELETE' ? undefined : { ...definition, ...named });
    expect(refusalIn(refused)).toEqual([409, 'CONFLICT', expect.stringContaining('is a directory')]);
  }
  expect((await create({ name: '../etc' })).status).toBe(400);
  expect(refusalIn(await create({ config: { tables: ['x'.repeat(5_000_000)] } }))).toEqual([
    ...[413, 'TOO_LARGE', 'the body is larger than 4 MB'],
  ]);

  // Nobody has this connection, and the worker, the API and the page say so.
  const unknown = await create({ name: 'crm', source: 'nowhere' });
  expect([unknown.status, unknown.json['missing_connections']]).toEqual([201, ['nowhere']]);
  await worker.waitForLog(
    'the connection \\"nowhere\\" is not set on this worker; set CONNECTION_NOWHERE_URL',
  );
  await control.until(`SELECT FROM workers WHERE lacks ? 'crm'`);
  expect((await ask('GET', '/pipelines/crm')).json).toMatchObject({
    workers: [{ serves: false, lacks: expect.stringContaining('CONNECTION_NOWHERE_URL') }],
  });
  const notServed = expect.stringContaining('CONNECTION_NOWHERE_URL');
  expect((await ask('GET', '/status')).json).toMatchObject({
    pipelines_in_trouble: 2,
    attention: [
      { pipeline: 'crm', table: null, state: 'no_worker', problem: { message: notServed } },
      { pipeline: 'deployed', table: null, state: 'no_worker' },
    ],
  });
  expect((await ask('GET', '/pipelines')).json).toMatchObject({
    pipelines: [{ pipeline: 'crm', is_served: false, needs_attention: true }, {}],
  });
  const headers = { authorization: `Bearer ${token}`, accept: 'text/html' };
  const overview = await call('/', { headers });
  expect(overview.text).toMatch(/<h1>2 pipelines need attention/);
  expect(overview.text).toContain('CONNECTION_NOWHERE_URL');
  const page = await call('/pipelines/crm', { headers });
  expect(page.text).toContain('CONNECTION_NOWHERE_URL');
  expect((await create({ name: 'crm' })).status).toBe(409);
  expect(page.text).toContain('Show the configuration');
  const question = await call('/pipelines/crm/do/delete', { headers });
  expect(question.text).toContain('The destination tables and their saved state stay.');

  // A token that is limited to a pipeline changes it, but chooses no connection.
  expect((await create({})).json).toMatchObject({ version: 1 });
  const limited = await makeToken(control, { role: 'admin', name: 'limited', pipelines: ['shop'] });
  const operator = await makeToken(control, { role: 'operate', name: 'operator' });
  const asked = async (by: string, method: string, path: string, body?: object) => {
    const headersOf = { authorization: `Bearer ${by}`, 'content-type': 'application/json' };
    const text = body && JSON.stringify(body);
    return (
      await call(`/api/v1/pipelines${path}`, { method, headers: headersOf, ...(text && { body: text }) })
    ).status;
  };
  const change = { ...definition, version: 1 };
  const other = { ...change, destinations: ['shop'] };
  expect(await asked(operator, 'PUT', '/shop', change)).toBe(403);
  expect(await asked(operator, 'POST', '', { name: 'new', ...definition })).toBe(403);
  expect(await asked(limited, 'POST', '', { name: 'new', ...definition })).toBe(403);
  expect(await asked(limited, 'DELETE', '/shop')).toBe(403);
  expect(await asked(limited, 'PUT', '/shop', other)).toBe(403);
  expect(await asked(limited, 'POST', '/preview', { name: 'shop', ...definition, source: 'warehouse' })).toBe(
    403,
  );
  expect(await asked(limited, 'POST', '/preview', { name: 'crm', ...definition })).toBe(403);
  expect(await asked(limited, 'POST', '/preview', { name: 'shop', ...definition })).toBe(202);
  expect(await asked(limited, 'PUT', '/shop', change)).toBe(200);
  const shown = (by: string) =>
    call('/pipelines/shop', { headers: { authorization: `Bearer ${by}`, accept: 'text/html' } });
  expect((await shown(token)).text).toContain('/pipelines/shop/do/delete');
  for (const by of [limited, operator]) expect((await shown(by)).text).not.toContain('/do/delete');
  const removed = await call('/pipelines/crm/do/delete', { method: 'POST', headers });
  expect([removed.status, removed.headers.get('location')]).toEqual([303, '/?done=delete']);
  expect((await call('/pipelines/crm', { headers })).text).toContain('This pipeline was deleted.');
  const again = await ask('POST', '/pipelines/preview', { name: 'crm', ...definition, source: 'nowhere' });
  const waiting = await ask('POST', '/pipelines/deployed/sync', {});

  // A directory that appears later does not replace the pipeline silently.
  await mkdir(join(control.root, 'shop'));
  await writeFile(join(control.root, 'shop', 'tables-config.json'), JSON.stringify([]));
  await control.until(
    `SELECT FROM pipelines WHERE name = 'shop' AND problem ->> 'message' LIKE '%has the same name%'`,
  );
  await control.until(`SELECT FROM workers WHERE 'shop' = ANY (serves)`);
  expect((await ask('GET', '/pipelines/shop')).json).toMatchObject({ definition: { version: 2 } });
  // The number of pipelines stays the same.
  await rename(join(control.root, 'deployed'), join(control.root, 'moved'));
  await control.until(`SELECT FROM pipelines WHERE name = 'deployed' AND removed_at IS NOT NULL`);
  const stateOf = async ({ json }: Answer) =>
    (await ask('GET', `/runs/${String(json['run'])}`)).json['state'];
  expect(await stateOf(waiting)).toBe('queued');
  await control.rows(
    `UPDATE pipelines SET removed_at = now() - interval '61 minutes' WHERE name = 'deployed'`,
  );
  await control.until(`SELECT FROM runs WHERE pipeline = 'deployed' AND state = 'cancelled'`);
  // A preview may have the name of a pipeline that was deleted.
  expect(await stateOf(again)).toBe('queued');
});

slowTest('a pipeline of 5,000 tables fits into a request', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  const { ask } = await startService(control, pair);
  const tables = Array.from({ length: 5000 }, (_, index) => ({ ...ORDERS, name: `orders_${index}` }));
  const created = await ask('POST', '/pipelines', {
    name: 'large',
    ...definitionOf(pair),
    config: { tables },
  });
  expect(created.status).toBe(201);
  await control.until(`SELECT count(*) = 5000 FROM tables WHERE pipeline = 'large'`);
});

slowTest('a connection that comes later, and a second destination with settings of its own', async () => {
  await using pair = await freshPair('orders');
  await pair.source.query('CREATE SCHEMA copy');
  await pair.destination.query('CREATE SCHEMA copy');
  await using control = await controlPlace();
  const secrets = join(control.root, '.secrets');
  await mkdir(secrets);
  const serve = control.start(SERVE);
  await serve.waitForLog('listening on');
  const worker = control.start(WORK, { env: { ...connectionsOf(pair), CREDENTIALS_DIRECTORY: secrets } });
  const { ask } = await apiOf(serve, await makeToken(control, { role: 'admin' }));
  const definition = { ...definitionOf(pair), destinations: ['warehouse', 'second'], dest_schema: 'copy' };
  const created = await ask('POST', '/pipelines', { name: 'both', ...definition });
  expect(created.status).toBe(201);
  await worker.waitForLog('the connection \\"second\\" is not set on this worker');
  // Without a restart of the worker.
  await writeFile(join(secrets, 'CONNECTION_SECOND_URL'), pair.sourceUrl('superuser'));
  await control.until(`SELECT FROM workers WHERE 'both' = ANY (serves) AND 'second' = ANY (connections)`);
  const run = await runOf({ ask }, control, await ask('POST', '/pipelines/both/sync', {}));
  expect(run).toMatchObject({ state: 'ok', work: [{ table: 'orders', state: 'ok' }] });
  for (const side of [pair.source, pair.destination])
    expect((await side.query('SELECT FROM copy.orders')).rowCount).toBe(10);
  expect((await ask('GET', '/pipelines/both')).json['described']).toMatchObject({
    destinations: [expect.stringMatching(/^warehouse: /), expect.stringMatching(/^second: /)],
  });
});

slowTest('a sync that runs while its pipeline changes finishes with what it began with', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  const { ask } = await startService(control, pair);
  await ask('POST', '/pipelines', { name: 'shop', ...definitionOf(pair) });
  await control.until(`SELECT FROM workers WHERE 'shop' = ANY (serves)`);
  await runOf({ ask }, control, await ask('POST', '/pipelines/shop/sync', {}));
  await insertOrders(pair, 1);
  const open = await pair.source.connect();
  await open.query('BEGIN; SELECT FROM orders');
  const waiting = await ask('POST', '/pipelines/shop/sync', {});
  await control.until(`SELECT FROM attempts WHERE table_name = 'orders' AND state = 'running'`);
  const config = { tables: [{ ...ORDERS, where: 'id <> 3' }] };
  const changed = await ask('PUT', '/pipelines/shop', { ...definitionOf(pair), config, version: 1 });
  expect(changed.json).toMatchObject({ version: 2 });
  await open.query('COMMIT');
  open.release();
  expect(await runOf({ ask }, control, waiting)).toMatchObject({ state: 'ok', work: [{ table: 'orders' }] });
  await waitForRows(pair, 'orders', 11);
  // The next sync follows the change.
  const next = await runOf(
    { ask },
    control,
    await ask('POST', '/pipelines/shop/sync', { full_refresh: true }),
  );
  expect(next).toMatchObject({ state: 'ok' });
  await waitForRows(pair, 'orders', 10);
});
