/** Records the requests that were to change something, with the answer that they got. */
import type { MiddlewareHandler } from 'hono';
import { ADD_AUDIT } from '../../sql/control/access.ts';
import { isSafe } from './origin.ts';
import { routeOf, type WebApp, type WebEnvironment, type WebParts } from './web-app.ts';

/** A request without a valid token changes nothing. It is recorded only where its number is limited. */
const IN_ANY_CASE = ['/login'];

export function audit(app: WebApp, { control, onError }: WebParts): MiddlewareHandler<WebEnvironment> {
  return async (context, next) => {
    await next();
    const { method, path } = context.req;
    const actor = context.get('actor');
    if (isSafe(method) || (!actor && !IN_ANY_CASE.includes(path))) return;
    const route = routeOf(app, context);
    const { pipeline, table, ...params } = context.get('params') ?? {};
    const audited = context.get('audited');
    const detail = { ...params, ...audited };
    // A body may name the pipeline, too.
    const about = pipeline ?? (typeof audited?.['pipeline'] === 'string' ? audited['pipeline'] : null);
    const action = `${method} ${typeof route === 'object' ? route.path : path}`;
    await control
      .query(ADD_AUDIT, [
        ...[actor?.name ?? null, actor?.tokenId ?? null, action, about, table ?? null],
        ...[context.res.status, detail],
      ])
      .catch(onError);
  };
}
