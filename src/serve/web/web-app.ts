/** What the routes of the service share. */
import type { HttpBindings } from '@hono/node-server';
import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { ControlDatabase } from '../../postgres/control-database.ts';
import type { Timing } from '../../timing.ts';
import type { Access, Actor } from '../access/roles.ts';
import type { Queue } from '../queue.ts';
import type { RefusalText } from '../refusal.ts';
import type { OwnAddress } from './origin.ts';

export interface WebEnvironment {
  readonly Bindings: HttpBindings;
  readonly Variables: {
    /** Undefined without a valid token or session. */
    readonly actor: Actor | undefined;
    /** The parameters in the path. */
    readonly params: Readonly<Record<string, string>> | undefined;
    /** What the audit says of an unsafe request besides its route. */
    readonly audited: Readonly<Record<string, unknown>> | undefined;
  };
}

/** After an outage of the control database, clients and the page try again. */
export const RETRY_SECONDS = 5;

export type WebContext = Context<WebEnvironment>;

/** What routes work with. */
export interface WebParts {
  readonly control: ControlDatabase;
  readonly queue: Queue;
  readonly timing: Timing;
  /** The secrets of hooks come from it. Undefined if it is not set. */
  readonly hookKey: string | undefined;
  readonly address: OwnAddress;
  /** Whether only this machine reaches the service. */
  readonly isLoopback: boolean;
  /** Errors that are no answer of a route: bugs, and outages of the control database. */
  readonly onError: (error: unknown) => void;
  /** Aborts when the service stops. Streams end then. */
  readonly signal: AbortSignal;
}

export type Assets = Readonly<
  Record<string, { readonly type: string; readonly body: string | Uint8Array<ArrayBuffer> }>
>;

/** The HTML part. */
export interface WebPage {
  readonly addRoutes: (app: WebApp, parts: WebParts) => void;
  readonly renderRefusal: (context: WebContext, refusal: RefusalText) => Response | Promise<Response>;
  /** By their path below /assets/. */
  readonly assets: Assets;
}

export type WebHandler = (context: WebContext) => Response | Promise<Response>;

export interface WebRoute {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** As hono writes it: `/pipelines/:pipeline`. */
  readonly path: string;
  readonly access: Access;
  /** A token that is limited to pipelines may not use the route, because it is about all pipelines. */
  readonly isForAll?: boolean;
  /** Bytes. Undefined means the usual limit. */
  readonly largestBody?: number;
}

/**
 * The only way to add a route. A route that is added to `hono` without it is closed to everybody. A parameter with the name
 * `pipeline` is checked against the pipelines of the token.
 */
export class WebApp {
  readonly hono = new OpenAPIHono<WebEnvironment>({
    defaultHook: (result) => {
      if (!result.success) throw result.error;
    },
  });
  readonly #routes = new Map<string, WebRoute>();

  add(route: WebRoute, handler: WebHandler): void {
    this.declare(route);
    this.hono.on(route.method.toUpperCase(), route.path, handler);
  }

  /** For a route that is added to `hono` by other means. */
  declare(route: WebRoute): void {
    this.#routes.set(keyOf(route.method, route.path), route);
  }

  /** Undefined for a route that was not declared. */
  find(method: string, path: string): WebRoute | undefined {
    return this.#routes.get(keyOf(method, path));
  }

  /** The methods that the path of a request accepts. */
  methodsOf(path: string): readonly string[] {
    const methods = new Set(this.routes.map(({ method }) => method.toUpperCase()));
    // Middleware matches each method.
    const accepts = (method: string): boolean =>
      this.hono.router.match(method, path)[0].some(([[, own]]) => own.method === method);
    return [...methods].filter(accepts);
  }

  get routes(): readonly WebRoute[] {
    return [...this.#routes.values()];
  }
}

const keyOf = (method: string, path: string): string => `${method.toLowerCase()} ${path}`;

/** The route of the handler that answers. Undefined if it was not declared. */
export function routeOf(app: WebApp, context: WebContext): WebRoute | 'unknown' | undefined {
  const handler = matchedRoutes(context).findLast(({ method }) => method !== 'ALL');
  return handler ? app.find(handler.method, handler.path) : 'unknown';
}

/** The owner of the request. The guard lets no other request pass. */
export function actorOf(context: WebContext): Actor {
  const actor = context.get('actor');
  if (!actor) throw new Error(`an open route asks for its actor: ${context.req.path}`);
  return actor;
}
