/** Routes of the API. Each one is part of the OpenAPI document. */
import { createRoute, type z } from '@hono/zod-openapi';
import type { Access } from '../../access/roles.ts';
import { problemSchema } from './problem-schema.ts';
import { actorOf, type WebApp, type WebContext } from '../web-app.ts';
import type { Actor } from '../../access/roles.ts';

type ObjectSchema = z.ZodObject | z.ZodPipe;

export interface ApiRoute<Params, Query, Body> {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  /** Below /api/v1, as OpenAPI writes it: `/pipelines/{pipeline}`. */
  readonly path: string;
  readonly access: Exclude<Access, 'open'>;
  readonly isForAll?: boolean;
  readonly summary: string;
  readonly params?: z.ZodType<Params> & ObjectSchema;
  readonly query?: z.ZodType<Query> & ObjectSchema;
  readonly body?: z.ZodType<Body>;
  /** Bytes, unless the usual limit is enough. */
  readonly largestBody?: number;
  /** What the audit says of the body. The default is all of it. */
  readonly audited?: (body: Body) => Readonly<Record<string, unknown>>;
  /** The status of success, 200 unless set. */
  readonly status?: 200 | 201 | 202;
  readonly result: z.ZodType;
}

interface ApiCall<Params, Query, Body> {
  readonly actor: Actor;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly context: WebContext;
}

export const API = '/api/v1';

/** The result is checked against its schema, so the document cannot lie. */
export function declareApi<Params = object, Query = object, Body = undefined>(
  app: WebApp,
  route: ApiRoute<Params, Query, Body>,
  answer: (call: ApiCall<Params, Query, Body>) => Promise<unknown>,
): void {
  const { method, access, isForAll = false, summary, params, query, body, status = 200, result } = route;
  const declared = createRoute({
    method,
    path: `${API}${route.path}`,
    summary,
    description: `Role: ${access}.`,
    security: [{ token: [] }],
    request: {
      ...(params && { params }),
      ...(query && { query }),
      ...(body && { body: { content: { 'application/json': { schema: body } }, required: true } }),
    },
    responses: {
      [status]: { description: 'Success.', content: { 'application/json': { schema: result } } },
      default: {
        description: 'A problem.',
        content: { 'application/problem+json': { schema: problemSchema } },
      },
    },
  });
  const { largestBody } = route;
  app.declare({
    ...{ method, path: declared.getRoutingPath(), access, isForAll },
    ...(largestBody !== undefined && { largestBody }),
  });
  app.hono.openapi(declared, async (context) => {
    const valid = (target: 'param' | 'query' | 'json') => context.req.valid(target as never);
    const call = {
      actor: actorOf(context),
      params: (params ? valid('param') : {}) as Params,
      query: (query ? valid('query') : {}) as Query,
      body: (body ? valid('json') : undefined) as Body,
      context,
    };
    // A body with unknown keys was refused, so it holds nothing else.
    context.set('audited', route.audited?.(call.body) ?? { ...(call.body as object | undefined) });
    return context.json(result.parse(await answer(call)) as never, status as never);
  });
}
