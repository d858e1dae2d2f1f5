/** Who may call what at `increp serve`, and what it answers to everybody else. */
import { copyFile, readFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { get as getEncrypted } from 'node:https';
import { expect, test } from 'vitest';
import { hasRole, ROLES } from '../../src/serve/access/roles.ts';
import { certificateMaker } from '../support/certificates.ts';
import { testWithTls } from '../support/tls-test.ts';
import { increp } from '../support/increp.ts';
import { controlPlace, type ControlPlace } from '../support/service.ts';
import { apiOf, makeToken } from '../support/service-api.ts';
import { openApp } from '../support/service-app.ts';

const SERVE = 'serve --no-worker --listen 127.0.0.1:0';

/** The routes of the service, as it declares them. */
async function declaredRoutes(control: ControlPlace) {
  await using app = await openApp(control, { withPage: false });
  // A route that somebody adds without a role.
  app.hono.get('/forgotten', (context) => context.text('open to everybody'));
  const authorization = `Bearer ${await makeToken(control, { role: 'admin', name: 'forgetful' })}`;
  expect((await app.hono.request('/forgotten', { headers: { authorization } })).status).toBe(403);
  return app.routes;
}

test('each route answers only its role, and the OpenAPI document has all of them', async () => {
  await using control = await controlPlace();
  const serve = control.start(SERVE);
  const { url, call } = await apiOf(serve);
  const routes = await declaredRoutes(control);
  expect(routes.length).toBeGreaterThan(30);
  const expired = await makeToken(control, { role: 'admin', name: 'expired', expiresInSeconds: -1 });
  const tokens = await Promise.all(
    ROLES.map(async (role) => ({ role, text: await makeToken(control, { role, name: role }) })),
  );
  const limited = await makeToken(control, { role: 'admin', name: 'limited', pipelines: ['other'] });
  const statusOf = async (method: string, path: string, token?: string) => {
    const place = path
      .replaceAll(/:(?:run|hook)\b/g, '01234567-89ab-4def-8123-456789abcdef')
      .replaceAll(/:\w+/g, 'none');
    // A stream does not end.
    const cut = new AbortController();
    const response = await fetch(`${url}${place}`, {
      ...{ method: method.toUpperCase(), redirect: 'manual', signal: cut.signal },
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    if (response.headers.get('content-type') === 'text/event-stream') cut.abort();
    else await response.text();
    return response.status;
  };
  const wrong: string[] = [];
  const expectStatus = async (
    why: string,
    isRight: (status: number) => boolean,
    ...asked: [string, string, string?]
  ) => {
    const status = await statusOf(...asked);
    if (!isRight(status)) wrong.push(`${asked[0]} ${asked[1]} ${why}: ${status}`);
  };
  for (const { method, path, access, isForAll } of routes) {
    if (access === 'open') continue;
    const asked: Promise<void>[] = [];
    const ask = (...of: Parameters<typeof expectStatus>) => void asked.push(expectStatus(...of));
    for (const token of [undefined, 'increp_000000000000_wrong', `${tokens[3]?.text.slice(0, -1)}~`, expired])
      ask('without a valid token', (status) => status === 401, method, path, token);
    for (const { role, text } of tokens)
      ask(
        role,
        (status) => (status === 403) === !hasRole({ role }, access) && status !== 401 && status < 500,
        ...([method, path, text] as const),
      );
    if (isForAll === true || path.includes(':pipeline'))
      ask('limited', (status) => status === 403, method, path, limited);
    await Promise.all(asked);
  }
  expect(wrong).toEqual([]);
  expect((await call('/no-such-path')).status).toBe(404);

  const { json } = await call('/api/v1/openapi.json');
  const paths = json['paths'] as Record<string, Record<string, unknown>>;
  const documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
  );
  const own = routes.filter(({ path }) => path.startsWith('/api/v1/') && !path.endsWith('openapi.json'));
  expect(documented.toSorted()).toEqual(own.map(({ method, path }) => `${method} ${path}`).toSorted());
});

test('the API asks for a token, and browsers for a session of their own pages', async () => {
  await using control = await controlPlace();
  const env = { SERVE_DATABASE_URL: control.url };
  const place = { directory: control.root };
  // Before the first start of the service, too.
  const made = await increp('token create --role operate --name ops', place, { env });
  expect(made.exitCode).toBe(0);
  const token = made.stdout.trim();
  const serve = control.start(SERVE);
  const { url, call } = await apiOf(serve);
  const bearer = (text: string) => ({ headers: { authorization: `Bearer ${text}` } });

  expect((await call('/api/v1/token')).status).toBe(401);
  expect((await call('/api/v1/token', bearer(`${token}x`))).status).toBe(401);
  const own = await call('/api/v1/token', bearer(token));
  expect(JSON.parse(own.text)).toMatchObject({ name: 'ops', role: 'operate', pipelines: null });
  const expired = await makeToken(control, { name: 'old', expiresInSeconds: -1 });
  const refused = await call('/api/v1/token', bearer(expired));
  expect(refused.headers.get('content-type')).toBe('application/problem+json');
  expect(JSON.parse(refused.text)).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });

  const login = (body: string, headers: Record<string, string>) =>
    call('/login', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    });
  expect((await login(`token=${token}`, { origin: 'http://elsewhere.example' })).status).toBe(403);
  expect((await login(`token=${token}x`, { origin: url })).status).toBe(401);
  const entered = await login(`token=${token}&next=//elsewhere.example`, { origin: url });
  expect([entered.status, entered.headers.get('location')]).toEqual([303, '/']);
  const setCookie = entered.headers.get('set-cookie') ?? '';
  expect(setCookie).toMatch(/^increp_session=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
  const cookie = setCookie.replace(/;.*/, '');
  expect((await call('/api/v1/token', { headers: { cookie } })).status).toBe(200);
  const logout = (headers: Record<string, string>) =>
    call('/logout', { method: 'POST', headers: { cookie, ...headers } });
  expect((await logout({})).status).toBe(403);
  expect((await logout({ 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  expect((await logout({ 'sec-fetch-site': 'same-origin' })).status).toBe(303);
  expect((await call('/api/v1/token', { headers: { cookie } })).status).toBe(401);

  // A page of another site may not lead its own name here.
  expect((await call('/healthz')).status).toBe(200);
  const hosts = ['elsewhere.example', `localhost:${new URL(url).port}`];
  const statuses = await Promise.all(hosts.map((host) => statusWithHost(url, host)));
  expect(statuses).toEqual([421, 200]);

  const listed = await increp('token list --json', place, { env });
  expect(JSON.parse(listed.stdout)).toMatchObject({
    tokens: [{ name: 'old', has_expired: true }, { name: 'ops' }],
  });
  expect((await increp('token revoke --name ops', place, { env })).exitCode).toBe(0);
  expect((await call('/api/v1/token', bearer(token))).status).toBe(401);
  const refusals = [
    'token create',
    'token revoke',
    'token list --role read',
    'token revoke --name nobody',
    'token create --role read --name old',
  ];
  for (const words of refusals) expect((await increp(words, place, { env })).exitCode, words).toBe(64);

  // Twenty attempts a minute, whatever was right before.
  let last = await login('token=wrong', { origin: url });
  for (let attempt = 0; attempt < 20 && last.status === 401; attempt += 1)
    last = await login('token=wrong', { origin: url });
  expect([last.status, last.headers.has('retry-after')]).toEqual([429, true]);
});

/** `fetch` does not send another Host. */
const statusWithHost = (url: string, host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    get(`${url}/healthz`, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on('error', reject);
  });

testWithTls('on an address that other machines reach, the service needs encryption and a token', async () => {
  await using control = await controlPlace();
  await using certificates = await certificateMaker();
  const { cert, key } = await certificates.make({
    name: 'own',
    commonName: 'increp',
    alternatives: 'IP:127.0.0.1',
  });
  const env = { SERVE_DATABASE_URL: control.url };
  const place = { directory: control.root };
  const outside = 'serve --no-worker --listen 0.0.0.0:0';
  const encrypted = `--tls-cert ${cert} --tls-key ${key}`;
  const refusal = async (words: string) => {
    const { exitCode, stderr } = await increp(words, place, { env });
    return `${exitCode}: ${stderr.split('\n', 1)[0]}`;
  };
  expect(await refusal(outside)).toContain('78: error: --listen 0.0.0.0:0: other machines would send tokens');
  expect(await refusal(`${outside} --public-url http://increp.example.com`)).toContain('64: ');
  expect(await refusal(`${outside} --tls-cert ${cert}`)).toContain('64: ');
  expect(await refusal(`${outside} --tls-cert ${key} --tls-key ${key}`)).toContain('78: error: --tls-cert');
  expect(await refusal(`${outside} ${encrypted}`)).toContain('there is no token yet');
  expect(await refusal(`${outside} --public-url https://increp.example.com`)).toContain(
    'there is no token yet',
  );

  const token = await makeToken(control, { role: 'read' });
  const serve = control.start(`${outside} ${encrypted}`);
  await serve.waitForLog('listening on https://0.0.0.0:');
  const [, port = ''] = /listening on https:[^"]+:(\d+)/.exec(serve.log) ?? [];
  let ca = await readFile(cert);
  // A request with another Host would expect that name in the certificate.
  const statusOf = (path: string, headers = {}) =>
    new Promise<number>((resolve, reject) => {
      const answered = (response: IncomingMessage) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      };
      getEncrypted(
        `https://127.0.0.1:${port}${path}`,
        { ca, headers, checkServerIdentity: () => undefined },
        answered,
      ).on('error', reject);
    });
  const authorization = `Bearer ${token}`;
  expect(await statusOf('/healthz')).toBe(200);
  expect(await statusOf('/metrics')).toBe(401);
  expect(await statusOf('/metrics', { authorization })).toBe(200);
  expect(await statusOf('/healthz', { host: 'elsewhere.example' })).toBe(421);

  // A renewed certificate needs no restart. In between, the files do not belong together.
  const renewed = await certificates.make({
    ...{ name: 'renewed', commonName: 'increp', alternatives: 'IP:127.0.0.1,DNS:increp.example.com' },
  });
  await copyFile(renewed.cert, cert);
  await serve.waitForLog('the former certificate stays in use: --tls-key');
  expect(await statusOf('/healthz')).toBe(200);
  await copyFile(renewed.key, key);
  await serve.waitForLog('the certificate was renewed');
  ca = await readFile(renewed.cert);
  expect(await statusOf('/healthz', { host: 'increp.example.com' })).toBe(200);
});
