/** What `increp serve` answers to requests that are too large, too many, odd, or no longer allowed. */
import { request, type IncomingHttpHeaders } from 'node:http';
import { escapeLiteral } from 'pg';
import { expect, test } from 'vitest';
import { freshPair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { controlPlace, QUICK } from '../support/service.ts';
import { apiOf, makeToken } from '../support/service-api.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { expectNoSecret } from '../support/canaries.ts';
import { openApp } from '../support/service-app.ts';
import { slowTest } from '../support/tier.ts';

const SERVE = 'serve --no-worker --listen 127.0.0.1:0';

interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** As sent by a program that does not care: `fetch` would correct the path and the headers. */
const rawStatus = (url: string, { method = 'GET', path, headers = {}, body }: RawRequest) =>
  new Promise<{ status: number; headers: IncomingHttpHeaders; text: string }>((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const sent = request({ hostname, port, method, path, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });

test('a request that is too large, odd or not allowed gets an answer that says so, and never a 500', async () => {
  await using control = await controlPlace();
  const serve = control.start(SERVE);
  await serve.waitForLog('listening on');
  const authorization = `Bearer ${await makeToken(control, { role: 'admin' })}`;
  const { url, call, ask } = await apiOf(serve);
  const sync = { method: 'POST', path: '/api/v1/pipelines/shop/sync' };
  const json = { authorization, 'content-type': 'application/json' };
  const statusOf = async (raw: RawRequest) => (await rawStatus(url, raw)).status;

  // The head alone decides, so the body need not come.
  const long = { ...json, 'content-length': String(2 * 1024 * 1024), connection: 'close' };
  const large = await new Promise<number>((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const sent = request({ hostname, port, ...sync, headers: long }, ({ statusCode = 0 }) => {
      resolve(statusCode);
      sent.destroy();
    });
    sent.on('error', reject).flushHeaders();
  });
  expect(large).toBe(413);
  const chunked = { ...json, 'transfer-encoding': 'chunked' };
  expect(await statusOf({ ...sync, headers: chunked, body: '{}' })).toBe(411);
  expect(await statusOf({ ...sync, headers: { ...json, 'content-length': '1x' }, body: '{}' })).toBe(400);
  expect(await statusOf({ path: '/healthz', headers: { 'x-long': 'x'.repeat(20_000) } })).toBe(431);

  // NUL is no character of text in Postgres.
  const odd = [
    ...['%', '%zz', '%ff', '%00', '..%2f..%2fetc', 'x'.repeat(8000), '%E2%80%AE', `'--`, '%2e%2e/secret'],
  ];
  const places = odd.flatMap((part) => [
    `/pipelines/${part}`,
    `/pipelines/shop/tables/${part}`,
    `/runs/${part}`,
    `/assets/${part}`,
    `/?search=${part}&page=${part}`,
    `/api/v1/pipelines/${part}`,
    `/api/v1/pipelines/shop/tables/${part}`,
    `/api/v1/pipelines?search=${part}`,
    `/api/v1/runs?pipeline=${part}&before=${part}`,
  ]);
  const answers = await Promise.all(
    places.map(async (path) => `${await statusOf({ path, headers: { authorization } })} ${path}`),
  );
  expect(answers.filter((answer) => !/^(?:200|40[04]) /.test(answer))).toEqual([]);
  const pause = { method: 'PUT', path: '/api/v1/pause', headers: json };
  const nul = JSON.stringify({ reason: '\0' });
  expect(
    await statusOf({ ...pause, body: nul, headers: { ...json, 'content-length': String(nul.length) } }),
  ).toBe(400);

  const texts = async (raw: RawRequest) => {
    const { status, text, headers } = await rawStatus(url, raw);
    const { detail, hint } = JSON.parse(text) as { detail: string; hint: string };
    return [status, `${detail}. ${hint}`, headers.allow];
  };
  const posted = (body: string, headers: Record<string, string> = json) => ({
    ...{ ...sync, body },
    headers: { ...headers, 'content-length': String(body.length) },
  });
  const notJson =
    'the body is not valid JSON. Check its quotes and brackets. An empty body is not JSON; send {}.';
  expect(await texts(posted('{"tables":'))).toEqual([400, notJson, undefined]);
  expect(await texts(posted(''))).toEqual([400, notJson, undefined]);
  const header = 'Send the header "Content-Type: application/json".';
  const unsaid = `the request does not say that its body is JSON. ${header}`;
  const form = { authorization, 'content-type': 'application/x-www-form-urlencoded' };
  expect(await texts(posted('{}', { authorization }))).toEqual([415, unsaid, undefined]);
  expect(await texts(posted('{}', form))).toEqual([415, unsaid, undefined]);
  expect(await texts({ ...sync, method: 'GET', headers: { authorization } })).toEqual([
    405,
    `${sync.path} does not accept GET. Use POST. See /api/v1/openapi.json.`,
    'POST',
  ]);
  expect(await texts({ path: '/api/v1/runs?pipelin=shop', headers: { authorization } })).toEqual([
    400,
    'Unrecognized key: "pipelin". See /api/v1/openapi.json.',
    undefined,
  ]);
  expect(await statusOf({ path: '/api/v1/pipelines/none/tables', headers: { authorization } })).toBe(404);
  const past = JSON.stringify({ reason: 'late', until: '2020-01-01T00:00:00Z' });
  expect(await texts({ ...posted(past), method: 'PUT', path: '/api/v1/pause' })).toMatchObject([
    400,
    expect.stringContaining('the end of the pause, 2020-01-01T00:00:00.000Z, has passed'),
    undefined,
  ]);
  expect(serve.log).not.toContain('INTERNAL');

  // HEAD asks for the same rights as GET. No other site gets rights by OPTIONS.
  expect(await statusOf({ method: 'HEAD', path: '/api/v1/status' })).toBe(401);
  const head = await rawStatus(url, { method: 'HEAD', path: '/api/v1/status', headers: { authorization } });
  expect([head.status, head.text]).toEqual([200, '']);
  const origin = 'https://elsewhere.example';
  const preflight = { origin, 'access-control-request-method': 'POST', authorization };
  const options = await rawStatus(url, { method: 'OPTIONS', path: sync.path, headers: preflight });
  expect(options.status).toBe(405);
  expect(Object.keys(options.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  expect(await statusOf({ method: 'TRACE', path: '/healthz' })).toBe(405);

  // Anybody may call a hook, so an address may do so only some times a minute.
  let hook = await ask('POST', '/hooks/0123456789abcdef');
  expect(hook.status).toBe(404);
  for (let count = 0; count < 120 && hook.status !== 429; count += 1)
    hook = await ask('POST', '/hooks/0123456789abcdef');
  expect(hook.status).toBe(429);
  expect(Number(hook.headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await call('/healthz')).status).toBe(200);
});

type Reader = ReadableStreamDefaultReader<Uint8Array>;

function readerOf({ body }: Response): Reader {
  if (!body) throw new Error('the answer has no body');
  return body.getReader();
}

/** What arrives until `part` is there, otherwise until the stream ends. */
async function textUntil(reader: Reader, part?: string): Promise<string> {
  const decoder = new TextDecoder();
  for (let text = ''; ;) {
    if (part !== undefined && text.includes(part)) return text;
    const { value, done } = await reader.read();
    if (done) return text;
    text += decoder.decode(value, { stream: true });
  }
}

test('a session and a stream end with their token, and a cookie counts only at its own host', async () => {
  await using control = await controlPlace();
  const serve = control.start(SERVE);
  await serve.waitForLog('listening on');
  const token = await makeToken(control, { role: 'operate', name: 'ops' });
  const { url, call } = await apiOf(serve);
  const login = async () => {
    const entered = await call('/login', {
      ...{ method: 'POST', body: `token=${token}` },
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: url },
    });
    return (entered.headers.get('set-cookie') ?? '').replace(/;.*/, '');
  };
  const statusFor = async (cookie: string) => (await call('/api/v1/token', { headers: { cookie } })).status;
  const [first, second] = [await login(), await login()];
  expect([await statusFor(first), await statusFor(second)]).toEqual([200, 200]);
  expect(await statusFor(`increp_session=${'x'.repeat(43)}`)).toBe(401);
  expect(await statusFor(first.replace('increp_session', '__Host-increp_session'))).toBe(401);
  const elsewhere = { cookie: first, host: 'elsewhere.example' };
  expect((await rawStatus(url, { path: '/api/v1/token', headers: elsewhere })).status).toBe(421);
  await control.rows(
    `UPDATE sessions SET expires_at = now() WHERE made_at = (SELECT min(made_at) FROM sessions)`,
  );
  expect([await statusFor(first), await statusFor(second)]).toEqual([401, 200]);
  const screen = await call('/?search=x', { headers: { cookie: first, accept: 'text/html' } });
  expect([screen.status, screen.headers.get('location')]).toEqual([303, '/login?next=%2F']);

  const open = (name: string, value: string) => fetch(`${url}/api/v1/stream`, { headers: { [name]: value } });
  const streams = await Promise.all([open('authorization', `Bearer ${token}`), open('cookie', second)]);
  expect(streams.map(({ status }) => status)).toEqual([200, 200]);
  const readers = streams.map(readerOf);
  for (const reader of readers) expect(await textUntil(reader, 'event: status')).toContain('event: status');
  await control.rows(`UPDATE tokens SET revoked_at = now()`);
  expect(await statusFor(second)).toBe(401);
  for (const reader of readers) await textUntil(reader);
});

slowTest('no answer to an admin holds a secret, whatever an error says', async () => {
  const says = (text: string) =>
    `CREATE OR REPLACE FUNCTION says() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE '%', ${escapeLiteral(text)}; END $$`;
  await using pair = await freshPair({
    tables: [
      { ...ORDERS_CONFIG, initial_load: 'copy' },
      { name: 'leaky', mode: 'full-refresh' },
    ],
    sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id) VALUES (1); ${says('later')};
      CREATE VIEW leaky AS SELECT id, says() AS said FROM orders`,
  });
  await pair.source.query(says(`refused for ${pair.sourceUrl('increp')}`));
  await using control = await controlPlace();
  await control.add('shop', pair);
  const serve = control.start(SERVE, {
    env: { SERVE_HOOK_KEY: 'Hook-Key-0123456789abcdef0123456789abcdef' },
  });
  await control.until('SELECT FROM pipelines');
  control.start('work --drain 0s');
  const token = await makeToken(control, { role: 'admin' });
  const { ask, call } = await apiOf(serve, token);
  await ask('POST', '/pipelines/shop/sync', {});
  await control.until(`SELECT FROM runs WHERE state = 'partial'`);
  const { json: made } = await ask('POST', '/hooks', { name: 'orders', pipeline: 'shop' });
  const [{ id: run } = { id: '' }] = await control.rows<{ id: string }>(`SELECT id::text FROM runs`);
  await using app = await openApp(control);
  const texts: Record<string, string> = {};
  const headers = { authorization: `Bearer ${token}`, accept: 'text/html' };
  for (const { method, path } of app.routes) {
    if (method !== 'get' || path.endsWith('/stream')) continue;
    const place = path
      .replace(':pipeline', 'shop')
      .replace(':table', 'orders')
      .replace(':run', run)
      .replace(':hook', String(made['id']))
      .replace(/:\w+(?:\{.*?\})?/, 'sync');
    const { status, text } = await call(place, { headers });
    expect(status, place).toBeLessThan(500);
    texts[place] = text;
  }
  expect(Object.keys(texts).length).toBeGreaterThan(25);
  expect(JSON.stringify(texts)).toContain('refused for');
  expectNoSecret(undefined, texts);
});

test('without its database, slow or read-only, the service says so, and the page tries again by itself', async () => {
  await using control = await controlPlace();
  const target = new URL(control.url);
  await using proxy = await faultProxy({ host: target.hostname, port: Number(target.port) });
  target.port = String(proxy.port);
  const timing = { serve: { ...QUICK.serve, probe: 0.3, screen: 0.6, query: 1 } };
  const serve = control.start(SERVE, { url: target.href, timing });
  await serve.waitForLog('listening on');
  const token = await makeToken(control, { role: 'operate' });
  const { call, ask } = await apiOf(serve, token);
  const headers = { authorization: `Bearer ${token}`, accept: 'text/html' };
  const ready = async () => (await call('/readyz')).status;
  const expectOutage = async (message: string) => {
    const screen = await call('/', { headers });
    expect([screen.status, screen.headers.get('retry-after')]).toEqual([503, '5']);
    expect(screen.text).toContain('<meta http-equiv="refresh" content="5" />');
    expect(screen.text).toContain(`<h1>${message}`);
    expect((await ask('GET', '/status')).json).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    expect([await ready(), (await call('/healthz')).status]).toEqual([503, 200]);
  };
  expect(await ready()).toBe(200);
  proxy.stall();
  await expectOutage('the control database does not answer within 0.6 s');
  await proxy.resume();
  await expect.poll(ready, { timeout: 20_000 }).toBe(200);
  await proxy.refuse();
  proxy.cut();
  await expectOutage('the control database does not answer');
  await proxy.resume();
  await expect.poll(ready, { timeout: 20_000 }).toBe(200);
  expect((await call('/', { headers })).text).not.toContain('http-equiv="refresh"');

  // As on a standby.
  await control.pool.query(`ALTER DATABASE ${control.database} SET default_transaction_read_only = on`);
  proxy.cut();
  await expect.poll(ready, { timeout: 20_000 }).toBe(503);
  expect((await call('/readyz')).text).toBe('the control database accepts no changes\n');
  expect((await call('/', { headers })).status).toBe(200);
  const refused = await ask('PUT', '/pause', { reason: 'test' });
  expect(refused.json).toMatchObject({ status: 503, code: 'READ_ONLY' });
});
