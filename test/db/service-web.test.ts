/** Who may call what at `increp serve`, and what it answers to everybody else. */
import { expect, test } from 'vitest';
import { readServiceSettings } from '../../src/config/service/control-database.ts';
import { ControlDatabase } from '../../src/postgres/control-database.ts';
import { createToken, type TokenOrder } from '../../src/serve/actions/tokens.ts';
import { controlPlace, QUICK } from '../support/service.ts';
import { timingWith } from '../support/timing.ts';

test('the API asks for a token, and browsers for a session of their own pages', async () => {
  await using control = await controlPlace();
  const serve = control.start('serve --no-worker --listen 127.0.0.1:0');
  await serve.waitForLog('listening on');
  const [, url = ''] = /listening on (http:[^"]+)/.exec(serve.log) ?? [];
  const settings = await readServiceSettings(control.root, { SERVE_DATABASE_URL: control.url });
  await using database = new ControlDatabase(settings.control, {
    ...{ program: 'serve', connections: 1, timing: timingWith(QUICK) },
  });
  const tokenOf = async (order: Partial<TokenOrder>) => {
    const whole = { name: 'ops', role: 'operate', pipelines: null, expiresInSeconds: undefined, by: 'test' };
    return (await createToken(database, { ...whole, ...order } as TokenOrder)).text;
  };
  const token = await tokenOf({});
  const call = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${url}${path}`, { redirect: 'manual', ...init });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const bearer = (text: string) => ({ headers: { authorization: `Bearer ${text}` } });

  expect((await call('/api/v1/token')).status).toBe(401);
  expect((await call('/api/v1/token', bearer(`${token}x`))).status).toBe(401);
  const own = await call('/api/v1/token', bearer(token));
  expect(JSON.parse(own.text)).toMatchObject({ name: 'ops', role: 'operate', pipelines: null });
  const expired = await tokenOf({ name: 'old', expiresInSeconds: -1 });
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
});
