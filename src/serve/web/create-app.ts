/** The HTTP application of `increp serve`. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MiddlewareHandler } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import { asControlError } from '../../postgres/control-database.ts';
import { RefusedRequest } from '../refusal.ts';
import { answerError } from './answer-error.ts';
import { addApi } from './api/api.ts';
import { addAssets } from './assets.ts';
import { audit } from './audit.ts';
import { guard } from './guard.ts';
import { addLogin } from './login.ts';
import { isSafe } from './origin.ts';
import { addProbes } from './probes.ts';
import { routeOf, WebApp, type WebContext, type WebPage, type WebParts } from './web-app.ts';

const MB = 1024 * 1024;

/** Unless the route says otherwise. */
const LARGEST_BODY = MB;

export function createApp(parts: WebParts, page: WebPage | undefined): WebApp {
  const app = new WebApp();
  const { hono } = app;
  hono.onError((error, context) =>
    answerError(error, context, {
      asControlError: (thrown) => asControlError(thrown, parts.control.endpoint),
      onError: parts.onError,
      page,
    }),
  );
  hono.use(secureHeaders(HEADERS(parts.address.scheme === 'https')));
  hono.use(async (context, next) => {
    await next();
    if (!context.res.headers.has('cache-control')) context.res.headers.set('cache-control', 'no-store');
  });
  hono.use(async (context, next) => {
    ensureBodyFits(context, app);
    await next();
  });
  hono.use(answersInTime(parts.timing.serve.screen));
  hono.use(audit(app, parts));
  hono.use(guard(app, parts));
  addProbes(app, parts);
  addLogin(app, parts);
  addApi(app, parts);
  page?.addRoutes(app, parts);
  if (page) addAssets(app, page.assets);
  return app;
}

/** Reading again is harmless, so a slow read gets an answer. A change that is under way has its own limits. */
const answersInTime =
  (seconds: number): MiddlewareHandler =>
  async ({ req }, next) => {
    if (!isSafe(req.method)) return next();
    const slow = new RefusedRequest(
      'UNAVAILABLE',
      `the control database does not answer within ${seconds} s`,
      'Try again in a few seconds. Check the load of that server and the network.',
    );
    const ended = new AbortController();
    const late = sleep(seconds * 1000, undefined, { signal: ended.signal }).then(() => Promise.reject(slow));
    late.catch(() => undefined);
    try {
      await Promise.race([next(), late]);
    } finally {
      ended.abort();
    }
  };

/** Node reads no more of a body than its length says. A body in chunks has no length. */
function ensureBodyFits(context: WebContext, app: WebApp): void {
  const { req } = context;
  if (req.header('transfer-encoding') !== undefined)
    throw new RefusedRequest('LENGTH_REQUIRED', 'the body has no length', 'Send Content-Length.');
  const route = routeOf(app, context);
  const largest = (typeof route === 'object' ? route.largestBody : undefined) ?? LARGEST_BODY;
  if (Number(req.header('content-length') ?? 0) > largest)
    throw new RefusedRequest('TOO_LARGE', `the body is larger than ${largest / MB} MB`, 'Send less.');
}

/** Nothing inline and nothing from elsewhere: a script in the name of a table stays text. */
const HEADERS = (isEncrypted: boolean) => ({
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    ...{ scriptSrc: ["'self'"], styleSrc: ["'self'"], imgSrc: ["'self'"], fontSrc: ["'self'"] },
    ...{ connectSrc: ["'self'"], formAction: ["'self'"], baseUri: ["'none'"], frameAncestors: ["'none'"] },
  },
  ...{ xFrameOptions: 'DENY', referrerPolicy: 'same-origin', crossOriginResourcePolicy: 'same-origin' },
  strictTransportSecurity: isEncrypted ? 'max-age=31536000' : false,
});
