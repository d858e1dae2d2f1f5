/** Requests to the API of a running `increp serve`. */
import { readServiceSettings } from '../../src/config/service/control-database.ts';
import { ControlDatabase } from '../../src/postgres/control-database.ts';
import type { Role } from '../../src/serve/access/roles.ts';
import { createToken, type TokenOrder } from '../../src/serve/actions/tokens.ts';
import { QUICK, type ControlPlace, type RunningService } from './service.ts';
import { timingWith } from './timing.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body, if it is JSON. */
  readonly json: Readonly<Record<string, unknown>>;
}

export interface Api {
  readonly url: string;
  call(path: string, init?: RequestInit): Promise<Answer>;
  /** With a token, below /api/v1. */
  ask(method: string, path: string, body?: unknown): Promise<Answer>;
}

export async function makeToken(control: ControlPlace, order: Partial<TokenOrder> = {}): Promise<string> {
  const { control: settings } = await readServiceSettings(control.root, { SERVE_DATABASE_URL: control.url });
  const timing = timingWith(QUICK);
  await using database = new ControlDatabase(settings, { program: 'serve', connections: 1, timing });
  const whole = {
    name: 'ops',
    role: 'operate' as Role,
    pipelines: null,
    expiresInSeconds: undefined,
    by: 'test',
  };
  return (await createToken(database, { ...whole, ...order })).text;
}

/** Waits until the service listens. Without a token, requests have none. */
export async function apiOf(serve: RunningService, token?: string): Promise<Api> {
  await serve.waitForLog('listening on');
  const [, url = ''] = /listening on (https?:[^"]+)/.exec(serve.log) ?? [];
  const call: Api['call'] = async (path, init = {}) => {
    const response = await fetch(`${url}${path}`, { redirect: 'manual', ...init });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : {} };
  };
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return {
    url,
    call,
    ask: (method, path, body) =>
      call(`/api/v1${path}`, {
        method,
        headers: { ...authorization, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
  };
}
