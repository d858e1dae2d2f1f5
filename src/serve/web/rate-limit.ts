/** Limits for routes that anybody can call: the login and hooks. */
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { RefusedRequest } from '../refusal.ts';
import type { OwnAddress } from './origin.ts';
import type { WebContext } from './web-app.ts';

export interface RateLimit {
  readonly points: number;
  readonly seconds: number;
}

/** Throws a RefusedRequest TOO_MANY_REQUESTS. */
type Limiter = (context: WebContext, key: string) => Promise<void>;

/** Each process counts for itself, so several \`serve\` allow as many times more. */
export function rateLimiter({ points, seconds }: RateLimit): Limiter {
  const limiter = new RateLimiterMemory({ points, duration: seconds });
  return async (context, key) => {
    try {
      await limiter.consume(key);
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error;
      const wait = Math.ceil(error.msBeforeNext / 1000);
      context.header('retry-after', String(wait));
      throw new RefusedRequest(
        'TOO_MANY_REQUESTS',
        'there were too many requests',
        `Try again in ${wait} s.`,
      );
    }
  };
}

/** A proxy that was declared adds the address of its client at the end. */
export function clientOf({ env, req }: WebContext, { origin }: Pick<OwnAddress, 'origin'>): string {
  const forwarded =
    origin === undefined ? undefined : req.header('x-forwarded-for')?.split(',').at(-1)?.trim();
  return forwarded ?? env.incoming.socket.remoteAddress ?? 'unknown';
}
