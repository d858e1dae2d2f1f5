/** What operators change through the API: runs, pauses, schedules and commands. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { PROJECT } from '../support/project.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { controlPlace, QUICK } from '../support/service.ts';
import { apiOf, makeToken, type Answer } from '../support/service-api.ts';
import { insertOrders, ORDERS_CONFIG } from '../support/shop.ts';

const runIn = ({ json }: Answer) => String(json['run']);

/** Runs what docs/service.md shows. Returns what curl says of failures. */
async function curlsOfDocs(env: Readonly<Record<string, string>>): Promise<string> {
  const text = await readFile(join(PROJECT, 'docs/service.md'), 'utf8');
  const blocks = [...text.matchAll(/<!-- tested: curl -->\s+```sh\n([^]*?)```/g)].map(([, block]) => block);
  expect(blocks.length).toBeGreaterThan(3);
  const script = `set -e -o pipefail\ncurl() { command curl -sS --fail-with-body "$@"; }\n${blocks.join('')}`;
  const cwd = await mkdtemp(join(tmpdir(), 'increp-curl-'));
  const { stdout, stderr, exitCode } = await execa('bash', ['-c', script], { env, cwd, reject: false });
  await rm(cwd, { recursive: true });
  return exitCode === 0 ? '' : `${stderr}\n${stdout.slice(-2000)}`;
}

/** Of a stream of server-sent events. */
async function firstEvent(url: string, token: string): Promise<unknown> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk as Uint8Array).toString();
    const [, data] = /^data: (.*)$/m.exec(text) ?? [];
    // The end of the loop closes the stream.
    if (data !== undefined) return JSON.parse(data);
  }
  throw new Error(`no event: ${text}`);
}

test('an operator syncs, cancels, pauses, schedules and checks a pipeline through the API', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  await pair.writeTables({ tables: [ORDERS_CONFIG] });
  await control.add('shop', pair);
  const env = { SERVE_HOOK_KEY: 'Hook-Key-0123456789abcdef0123456789abcdef' };
  const serve = control.start('serve --no-worker --listen 127.0.0.1:0', { env });
  await control.until('SELECT FROM pipelines');
  control.start('work --drain 0s', { timing: { ...QUICK, transactionWait: 40 } });
  const token = await makeToken(control, { role: 'admin' });
  const { ask, call, url } = await apiOf(serve, token);
  const ended = (run: string) =>
    control.until(`SELECT FROM runs WHERE id = '${run}' AND finished_at IS NOT NULL`);
  const stateOf = async (run: string) =>
    (await control.rows(`SELECT state FROM runs WHERE id = '${run}'`))[0];

  const first = await ask('POST', '/pipelines/shop/sync', {});
  expect(first.status).toBe(202);
  await ended(runIn(first));
  await expectSameRows(pair, 'orders');

  const shown = async (path: string) => (await ask('GET', path)).json;
  expect(await shown('/status')).toMatchObject({ pipelines: 1, tables: 1, tables_in_trouble: 0, pauses: [] });
  expect(await shown('/pipelines')).toMatchObject({
    found: 1,
    pipelines: [{ pipeline: 'shop', is_served: true }],
  });
  expect(await shown('/pipelines/shop')).toMatchObject({ states: { ok: 1 }, schedules: [] });
  expect(await shown('/pipelines/shop/tables?state=ok')).toMatchObject({
    found: 1,
    tables: [{ table: 'orders', needs_attention: false }],
  });
  expect(await shown('/pipelines/shop/tables/orders')).toMatchObject({
    ...{ state: 'ok', needs_attention: false, error_code: null },
    attempts: [{ state: 'done' }],
  });
  expect((await ask('GET', '/pipelines/none')).status).toBe(404);
  expect(await shown(`/runs/${runIn(first)}`)).toMatchObject({
    state: 'ok',
    kind: 'sync',
    work: [{ table: 'orders' }],
  });
  const { events } = (await shown(`/runs/${runIn(first)}/events?level=debug`)) as {
    events: { message: string }[];
  };
  expect(events.map(({ message }) => message)).toContainEqual(expect.stringMatching(/^planned: /));
  expect(await shown('/logs?limit=1')).toMatchObject({ logs: [{ pipeline: 'shop', level: 'info' }] });
  expect((await ask('GET', '/logs?limit=0')).status).toBe(400);
  expect(await shown('/workers')).toMatchObject({ workers: [{ state: 'working', serves: ['shop'] }] });
  expect(await firstEvent(`${url}/api/v1/stream`, token)).toMatchObject({ pipelines: 1, tables: 1 });

  // A sync without changes has nothing to do. A full refresh syncs the table all the same.
  const whole = await ask('POST', '/pipelines/shop/sync', {
    tables: ['orders'],
    full_refresh: true,
    verify: true,
  });
  await ended(runIn(whole));
  expect(await shown(`/runs?limit=1`)).toMatchObject({
    runs: [{ id: runIn(whole), options: { verify: true } }],
  });
  expect(await shown(`/runs?before=${runIn(whole)}`)).toMatchObject({ runs: [{ id: runIn(first) }] });
  expect(
    await control.rows(`SELECT outcome -> 'tables' -> 0 ->> 'action' AS action FROM attempts
      WHERE table_name = 'orders' ORDER BY id DESC LIMIT 1`),
  ).toEqual([{ action: 'full-refresh' }]);

  // A run that waits for a transaction of the source is cancelled.
  await insertOrders(pair, 1);
  const open = await pair.source.connect();
  await open.query('BEGIN; SELECT FROM orders');
  const slow = await ask('POST', '/pipelines/shop/sync', {});
  await control.until(`SELECT FROM attempts WHERE table_name = 'orders' AND state = 'running'`);
  expect((await ask('POST', `/runs/${runIn(slow)}/cancel`)).status).toBe(200);
  await control.until(`SELECT FROM attempts WHERE table_name = 'orders' AND state = 'cancelled'`);
  expect(await stateOf(runIn(slow))).toEqual({ state: 'cancelled' });
  expect((await ask('POST', `/runs/${runIn(slow)}/cancel`)).status).toBe(409);
  await open.query('COMMIT');

  for (const command of ['plan', 'check', 'verify', 'reset']) {
    const asked = await ask('POST', `/pipelines/shop/${command}`, { tables: ['orders'] });
    await ended(runIn(asked));
    const [found] = await control.rows(`SELECT state, result FROM runs WHERE id = '${runIn(asked)}'`);
    expect(found).toMatchObject({ state: 'ok', result: { type: command } });
  }
  const wrong = await ask('POST', '/pipelines/shop/check', { tables: ['no such*'] });
  await ended(runIn(wrong));
  expect(
    await control.rows(`SELECT state, error ->> 'code' AS code FROM runs WHERE id = '${runIn(wrong)}'`),
  ).toEqual([{ state: 'failed', code: 'USAGE' }]);

  // A hook is signed, and counts each message once.
  const hook = (await ask('POST', '/hooks', { name: 'orders', pipeline: 'shop', tables: ['orders'] })).json;
  const place = `/api/v1/hooks/${String(hook['id'])}`;
  const send = (id: string, secret: string, at = new Date()) => {
    const body = '{"order":1}';
    const headers = {
      ...{ 'webhook-id': id, 'webhook-timestamp': String(Math.floor(at.getTime() / 1000)) },
      'webhook-signature': new Webhook(secret).sign(id, at, body),
    };
    return call(place, { method: 'POST', body, headers });
  };
  const secret = String(hook['secret']);
  const taken = await send('msg_1', secret);
  expect(taken.status).toBe(202);
  const again = await send('msg_1', secret);
  expect([again.status, again.json]).toEqual([200, taken.json]);
  expect((await send('msg_2', `whsec_${Buffer.alloc(32).toString('base64')}`)).status).toBe(401);
  expect((await send('msg_3', secret, new Date(Date.now() - 6 * 60_000))).status).toBe(401);
  expect((await call(place, { method: 'POST' })).status).toBe(401);
  const trigger = await makeToken(control, { role: 'trigger', name: 'ci' });
  const byToken = { method: 'POST', headers: { authorization: `Bearer ${trigger}` } };
  expect((await call(place, byToken)).status).toBe(202);
  expect((await ask('DELETE', `/hooks/${String(hook['id'])}`)).status).toBe(200);
  expect((await send('msg_4', secret)).status).toBe(404);
  await control.until(`SELECT count(*) = 2 FROM runs WHERE origin = 'hook' AND finished_at IS NOT NULL`);

  expect((await ask('PUT', '/pipelines/shop/pause', { reason: 'migration' })).status).toBe(200);
  const refused = await ask('POST', '/pipelines/shop/sync', {});
  expect([refused.status, refused.json['code']]).toEqual([409, 'CONFLICT']);
  expect((await ask('DELETE', '/pipelines/shop/pause')).status).toBe(200);
  expect((await ask('DELETE', '/pipelines/shop/pause')).status).toBe(404);
  expect((await ask('POST', '/pipelines/shop/stop')).status).toBe(200);
  expect((await ask('POST', '/pipelines/shop/start')).status).toBe(200);
  expect(
    (
      await ask('PUT', '/pipelines/shop/tables/orders/pause', {
        reason: 'index',
        until: '2100-01-01T00:00:00Z',
      })
    ).status,
  ).toBe(200);
  const without = await ask('POST', '/pipelines/shop/sync', { full_refresh: true });
  await ended(runIn(without));
  expect(await control.rows(`SELECT FROM run_tables WHERE run_id = '${runIn(without)}'`)).toEqual([]);
  expect((await ask('DELETE', '/pipelines/shop/tables/orders/pause')).status).toBe(200);

  // The run waits, so that it can be cancelled.
  await insertOrders(pair, 1);
  await open.query('BEGIN; SELECT FROM orders');
  expect(await curlsOfDocs({ API: `${url}/api/v1`, TOKEN: token })).toBe('');
  await open.query('COMMIT');
  open.release();

  expect((await ask('PUT', '/pipelines/shop/schedule', { cron: '61 * * * *' })).status).toBe(400);
  expect((await ask('PUT', '/pipelines/shop/schedule', { every: '1s' })).status).toBe(200);
  await control.until(`SELECT FROM runs WHERE origin = 'schedule' AND finished_at IS NOT NULL`);
  expect((await ask('DELETE', '/pipelines/shop/schedule')).status).toBe(200);
  await control.until(`SELECT count(*) = 0 FROM schedules`);

  const audit = await control.rows<{ action: string; status: number; actor: string }>(
    'SELECT action, status, actor, pipeline, detail FROM audit ORDER BY id',
  );
  expect(audit[1]).toMatchObject({
    ...{ action: 'POST /api/v1/pipelines/:pipeline/sync', actor: 'ops', pipeline: 'shop', status: 202 },
    detail: { tables: ['orders'], full_refresh: true, verify: true },
  });
  expect(audit.map(({ status }) => status).filter((status) => status >= 400)).toEqual([409, 409, 404, 400]);
});

test('a request that cannot be met is refused, or its run fails, with what to do', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  const off = { name: 'off', mode: 'full-refresh', enabled: false };
  await pair.writeTables({ tables: [ORDERS_CONFIG, off] });
  await control.add('shop', pair);
  const serve = control.start('serve --listen 127.0.0.1:0');
  await control.until(`SELECT count(*) = 2 FROM tables`);
  const { ask } = await apiOf(serve, await makeToken(control, { role: 'admin' }));
  const errorOf = async (tables: readonly string[]) => {
    const { json } = await ask('POST', '/pipelines/shop/sync', { tables });
    await control.until(`SELECT FROM runs WHERE id = '${String(json['run'])}' AND finished_at IS NOT NULL`);
    return (await ask('GET', `/runs/${String(json['run'])}`)).json;
  };
  await control.until(`SELECT FROM pipelines WHERE described IS NOT NULL`);
  const unknown = {
    detail: 'there is no table "ordres" in pipeline "shop"; did you mean "orders"?',
    hint: expect.stringMatching(/^Its tables: off, orders\. /),
  };
  for (const kind of ['sync', 'verify'])
    expect(await ask('POST', `/pipelines/shop/${kind}`, { tables: ['orders', 'ordres'] })).toMatchObject({
      status: 404,
      json: unknown,
    });
  expect(await errorOf(['public.orders', 'ordres*'])).toMatchObject({
    state: 'failed',
    work: [],
    error: { code: 'USAGE', message: 'no table in pipeline "shop" matches "ordres*"' },
  });
  expect(serve.log).toContain('the run has failed: no table');
  expect(await errorOf(['off'])).toMatchObject({
    state: 'failed',
    error: { message: 'table "off" of pipeline "shop" is disabled' },
  });
  expect(await errorOf(['*ers'])).toMatchObject({ state: 'ok', work: [{ table: 'orders' }] });

  const wrong = await ask('PUT', '/pipelines/shop/tables/ordres/pause', { reason: 'index' });
  expect([wrong.status, wrong.json['detail']]).toEqual([
    404,
    'there is no table "ordres" in pipeline "shop"; did you mean "orders"?',
  ]);
  expect((await ask('PUT', '/pipelines/shop/tables/orders/pause', { reason: 'index' })).status).toBe(200);
  const refused = await ask('POST', '/pipelines/shop/sync', { tables: ['orders'] });
  expect([refused.status, refused.json['detail']]).toEqual([
    409,
    'table "orders" of pipeline "shop" is paused',
  ]);

  const hook = { name: 'ci', pipeline: 'shop' };
  const keyless = await ask('POST', '/hooks', hook);
  expect([keyless.status, keyless.json['detail']]).toEqual([
    422,
    'the hook would have no secret, because SERVE_HOOK_KEY of increp serve is not set',
  ]);
  const unsigned = await ask('POST', '/hooks', { ...hook, signed: false });
  expect([unsigned.status, unsigned.json['secret']]).toEqual([201, null]);

  await ask('PUT', '/pipelines/shop/schedules/ordres', { every: '1s' });
  await control.until(`SELECT FROM runs WHERE entry = 'ordres' AND state = 'failed'
    AND error ->> 'message' LIKE 'no entry "ordres" in %'`);
});

test('a run of a pipeline that no worker can read says why it waits, and fails in the end', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  await control.add('shop', pair);
  const save = (entry: object) =>
    writeFile(join(control.root, 'shop', 'tables-config.json'), JSON.stringify([entry]));
  const { unique_cols: keys, ...unkeyed } = ORDERS_CONFIG;
  await save({ ...unkeyed, primary_key: keys });
  const timing = { ...QUICK, serve: { ...QUICK.serve, unservedRun: 4 } };
  const serve = control.start('serve --no-worker --listen 127.0.0.1:0', { timing });
  await control.until('SELECT FROM pipelines WHERE unserved_since IS NOT NULL');
  const token = await makeToken(control, { role: 'admin' });
  const { ask, call } = await apiOf(serve, token);
  const why = { code: 'CONFIG_INVALID', message: expect.stringContaining('did you mean unique_cols?') };
  const blocked = { ...why, since: expect.stringMatching(/^2/) };

  const asked = await ask('POST', '/pipelines/shop/sync', {});
  expect(asked).toMatchObject({ status: 202, json: { blocked_by: blocked } });
  expect((await ask('GET', `/runs/${runIn(asked)}`)).json).toMatchObject({
    state: 'queued',
    blocked_by: blocked,
  });
  expect((await ask('GET', '/runs')).json).toMatchObject({
    runs: [{ id: runIn(asked), state: 'queued', blocked_by: blocked }],
  });
  const headers = { authorization: `Bearer ${token}`, accept: 'text/html' };
  expect((await call(`/runs/${runIn(asked)}`, { headers })).text).toContain('This run waits. No worker');
  const screen = (await call('/pipelines/shop', { headers })).text;
  expect(screen).toMatch(/<pre class="mono">1 problem in .*\n {2}- /);
  expect(screen).toContain('/pipelines/shop/do/pause');
  expect(screen).not.toMatch(/\/do\/(?:sync|verify)/);
  const overview = (await call('/', { headers })).text;
  expect(overview).toContain('/pipelines/shop/do/pause');
  expect(overview).not.toContain('/pipelines/shop/do/sync');
  expect((await ask('GET', '/status')).json).toMatchObject({
    attention: [{ pipeline: 'shop', state: 'not_valid', since: blocked.since }],
  });

  // Without a worker, the run waits until one starts.
  control.start('work --drain 0s', { timing });
  await control.until(
    `SELECT FROM runs WHERE state = 'failed' AND finished_at > requested_at + interval '3s'`,
  );
  expect((await ask('GET', `/runs/${runIn(asked)}`)).json).toMatchObject({
    error: { ...why, message: expect.stringMatching(/^The run has waited 4s\. .*did you mean unique_cols/s) },
  });
  await save(ORDERS_CONFIG);
  await control.until('SELECT FROM pipelines WHERE problem IS NULL AND unserved_since IS NULL');
  const again = await ask('POST', '/pipelines/shop/sync', {});
  expect(Object.keys(again.json)).toEqual(['run']);
  await control.until(`SELECT FROM runs WHERE id = '${runIn(again)}' AND state = 'ok'`);
  await expectSameRows(pair, 'orders');
});
