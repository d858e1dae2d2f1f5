/** Stands before every route: the Host header, the token or session, the origin and the role. */
import { getCookie } from 'hono/cookie';
import type { MiddlewareHandler } from 'hono';
import { ensureMayUse } from '../access/ensure-may-use.ts';
import { hasRole, type Actor } from '../access/roles.ts';
import { actorOfSession } from '../access/sessions.ts';
import { actorOfToken } from '../access/tokens.ts';
import { RefusedRequest } from '../refusal.ts';
import { isOwnRequest, nameOf } from './origin.ts';
import {
  routeOf,
  type WebRoute,
  type WebApp,
  type WebContext,
  type WebEnvironment,
  type WebParts,
} from './web-app.ts';

export const SESSION_COOKIE = 'increp_session';

export function guard(app: WebApp, parts: WebParts): MiddlewareHandler<WebEnvironment> {
  return async (context, next) => {
    const host = context.req.header('host');
    if (!parts.address.isOwnName(nameOf(host)))
      throw new RefusedRequest(
        'UNKNOWN_HOST',
        'this service has another name',
        'Use the address of the service.',
      );
    const route = routeOf(app, context);
    if (route === 'unknown') throw unknown(app, context);
    // Without a role, a route is closed.
    if (!route) throw forbidden('the route has no role');
    ensureOwnRequest(context, parts);
    const actor = await identify(context, parts);
    context.set('actor', actor);
    context.set('params', paramsOf(context, route));
    if (route.access !== 'open') ensureMay(actor, route, context.get('params')?.['pipeline']);
    await next();
  };
}

/** Another method may be right. */
function unknown(app: WebApp, context: WebContext): RefusedRequest {
  const { path, method } = context.req;
  const methods = app.methodsOf(path);
  if (methods.length === 0)
    return new RefusedRequest('NOT_FOUND', `there is no ${path}`, 'See /api/v1/openapi.json.');
  context.header('allow', methods.join(', '));
  return new RefusedRequest(
    'METHOD_NOT_ALLOWED',
    `${path} does not accept ${method}`,
    `Use ${methods.join(' or ')}. See /api/v1/openapi.json.`,
  );
}

/** Middleware has no parameters of the route in its own context. */
function paramsOf({ req }: WebContext, { path }: WebRoute): Readonly<Record<string, string>> {
  const own = req.path.split('/');
  return Object.fromEntries(
    path.split('/').flatMap((part, index) => {
      if (!part.startsWith(':')) return [];
      return [[part.slice(1).replace(/[{?].*$/, ''), decode(own[index] ?? '')]];
    }),
  );
}

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** A token in a header is no cookie: no page of another site can send it. */
function ensureOwnRequest({ req }: WebContext, { address }: WebParts): void {
  if (req.header('authorization') !== undefined) return;
  const [host, origin, site] = [req.header('host'), req.header('origin'), req.header('sec-fetch-site')];
  const hasCookie = req.header('cookie') !== undefined;
  const isBrowser = origin !== undefined || site !== undefined;
  if ((hasCookie || isBrowser) && !isOwnRequest({ method: req.method, host, origin, site }, address))
    throw forbidden('the request comes from a page of another site');
}

/** Undefined without a valid token or session. */
export async function identify(
  context: WebContext,
  { control }: Pick<WebParts, 'control'>,
): Promise<Actor | undefined> {
  const header = context.req.header('authorization');
  if (header !== undefined) {
    const [, token] = /^Bearer +(\S+)$/i.exec(header) ?? [];
    return token === undefined ? undefined : actorOfToken(control, token);
  }
  const cookie = getCookie(context, SESSION_COOKIE);
  return cookie ? actorOfSession(control, cookie) : undefined;
}

function ensureMay(actor: Actor | undefined, route: WebRoute, pipeline: string | undefined): void {
  if (route.access === 'open') return;
  if (!actor)
    throw new RefusedRequest(
      'UNAUTHENTICATED',
      'the request has no valid token',
      'Send "Authorization: Bearer TOKEN". Make a token: increp token create --role read',
    );
  if (!hasRole(actor, route.access))
    throw forbidden(
      `token ${actor.name} has the role ${actor.role}, and this request needs the role ${route.access}`,
      `Use a token with that role: increp token create --role ${route.access}`,
    );
  if (route.isForAll === true && actor.pipelines !== null)
    throw forbidden(
      `token ${actor.name} is limited to pipelines`,
      `Use a token for all pipelines: increp token create --role ${route.access}`,
    );
  if (pipeline !== undefined) ensureMayUse(actor, pipeline);
}

const forbidden = (
  why: string,
  hint = 'Use a token with another role: increp token create --role ROLE',
): RefusedRequest => new RefusedRequest('FORBIDDEN', why, hint);
