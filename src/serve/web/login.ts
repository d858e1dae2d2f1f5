/** A browser logs in with a token and gets a session. */
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import * as z from 'zod';
import { closeSession, openSession, SESSION_SECONDS } from '../access/sessions.ts';
import { actorOfToken } from '../access/tokens.ts';
import { RefusedRequest } from '../refusal.ts';
import { SESSION_COOKIE } from './guard.ts';
import { clientOf, rateLimiter } from './rate-limit.ts';
import type { WebApp, WebParts } from './web-app.ts';

const formSchema = z.object({ token: z.string(), next: z.string().optional().catch(undefined) });

/** A path of this service, and no address elsewhere. */
const OWN_PATH = /^\/(?![/\\])[\x21-\x7e]*$/;

const LOGIN_LIMIT = { points: 20, seconds: 60 };

export function addLogin(app: WebApp, { control, address }: WebParts): void {
  const cookie = {
    path: '/',
    httpOnly: true,
    sameSite: 'Strict',
    secure: address.scheme === 'https',
  } as const;
  const limit = rateLimiter(LOGIN_LIMIT);
  app.add({ method: 'post', path: '/login', access: 'open' }, async (context) => {
    await limit(context, clientOf(context, address));
    const form = formSchema.safeParse(await context.req.parseBody());
    const actor = form.data && (await actorOfToken(control, form.data.token.trim()));
    if (!actor)
      throw new RefusedRequest(
        'UNAUTHENTICATED',
        'this is no valid token',
        'Make one: increp token create --role operate',
      );
    context.set('actor', actor);
    const secret = await openSession(control, actor);
    setCookie(context, SESSION_COOKIE, secret, { ...cookie, maxAge: SESSION_SECONDS });
    const { next = '/' } = form.data;
    return context.redirect(OWN_PATH.test(next) ? next : '/', 303);
  });
  app.add({ method: 'post', path: '/logout', access: 'open' }, async (context) => {
    const secret = getCookie(context, SESSION_COOKIE);
    if (secret) await closeSession(control, secret);
    deleteCookie(context, SESSION_COOKIE, cookie);
    return context.redirect('/login', 303);
  });
}
