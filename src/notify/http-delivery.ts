/** Delivers one message to one URL, in a few attempts that are bounded in time and in bytes. */
import type { Agent } from 'undici';
import { backoffSeconds, sleep } from '../backoff.ts';
import { formatCounted, formatSeconds } from '../format.ts';
import { networkFault } from '../system-fault.ts';
import type { Backoff, Timing } from '../timing.ts';

export interface DeliveryLimits {
  readonly attempts: number;
  /** One attempt, from the connection to the end of the answer's body. */
  readonly attemptSeconds: number;
  /** All attempts and the waits between them. */
  readonly totalSeconds: number;
  /** The longest Retry-After that increp honours. */
  readonly retryAfterSeconds: number;
  readonly retryDelay: Backoff;
}

const ATTEMPTS = 3;

/** @param total seconds for all attempts */
export const deliveryLimits = ({ delivery }: Pick<Timing, 'delivery'>, total: number): DeliveryLimits => ({
  attempts: ATTEMPTS,
  attemptSeconds: Math.min(delivery.attempt, total),
  totalSeconds: total,
  retryAfterSeconds: delivery.retryAfter,
  retryDelay: delivery.retryDelay,
});

/** Bytes of the response body that increp reads before it drops the connection. */
const READ_BYTES = 1024;

export interface Letter {
  readonly url: URL;
  /** The variable that holds the URL. */
  readonly variable: 'WEBHOOK_URL' | 'HEALTHCHECK_URL';
  readonly body: string;
  /** Called for each attempt, because a signature contains the time of its attempt. */
  readonly headers: () => Readonly<Record<string, string>>;
  /** A reason to count a 2xx response as a refusal, taken from its body. */
  readonly objection?: (answer: string) => string | undefined;
}

export interface DeliveryOptions {
  readonly limits: DeliveryLimits;
  readonly sleep?: typeof sleep;
  /** Called before each attempt. */
  readonly onAttempt?: ((attempt: number, attempts: number) => void) | undefined;
  /** Ends the delivery early. */
  readonly signal?: AbortSignal | undefined;
}

export interface Undelivered {
  readonly why: string;
  readonly attempts: number;
  /** The time that the attempts and the waits between them took. */
  readonly seconds: number;
  /** The endpoint answered 410, so increp must not call it again. */
  readonly isGone: boolean;
}

/** `status` is the HTTP status, if a response arrived. */
export type DeliveryAnswer = { readonly status?: number | undefined } & (
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly why: string; readonly isGone: boolean }
  | { readonly kind: 'later'; readonly why: string; readonly waitSeconds?: number | undefined }
);

/** Retry-After is a number of seconds or a date. Any other value is ignored. */
function retryAfterSeconds(header: string | undefined, now: Date = new Date()): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d+$/.test(text)) return Number(text);
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now.getTime()) / 1000);
}

function judge(status: number, retryAfter: string | undefined, variable: Letter['variable']): DeliveryAnswer {
  if (status >= 200 && status < 300) return { kind: 'accepted' };
  if (status === 410) {
    return {
      kind: 'refused',
      why: `it answered 410 (the endpoint is gone); remove ${variable}`,
      isGone: true,
    };
  }
  const why = `it answered ${status}`;
  if (status === 429 || status === 503) {
    return { kind: 'later', why, waitSeconds: retryAfterSeconds(retryAfter) };
  }
  if (status === 408 || status >= 500) return { kind: 'later', why };
  const isRedirect = status >= 300 && status < 400;
  return { kind: 'refused', why: isRedirect ? `${why}, and redirects are not followed` : why, isGone: false };
}

/** Uses the code of the error only. Its message may contain the URL, which is as secret as a password. */
function connectionFault(error: unknown): string {
  const fault = networkFault(error);
  return `the connection failed${fault === undefined ? '' : `: ${fault}`}`;
}

function authorization(url: URL): Record<string, string> {
  const userInfo = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return userInfo === ':' ? {} : { authorization: `Basic ${Buffer.from(userInfo).toString('base64')}` };
}

/** Reads the beginning of a response body. A body that hangs or never ends is cut. */
async function beginningOf(body: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  try {
    for await (const chunk of body) {
      text += chunk.toString('latin1');
      if (text.length > READ_BYTES) break;
    }
  } catch {
    // The status alone is the answer.
  }
  return text.slice(0, READ_BYTES);
}

async function post(letter: Letter, dispatcher: Agent, signal: AbortSignal): Promise<DeliveryAnswer> {
  const { request } = await import('undici');
  const { origin, pathname, search } = letter.url;
  try {
    const { statusCode, headers, body } = await request(`${origin}${pathname}${search}`, {
      method: 'POST',
      headers: { 'user-agent': 'increp', ...letter.headers(), ...authorization(letter.url) },
      body: letter.body,
      dispatcher,
      signal,
    });
    const said = await beginningOf(body);
    const retryAfter = headers['retry-after'];
    const answer = judge(statusCode, Array.isArray(retryAfter) ? retryAfter[0] : retryAfter, letter.variable);
    const why = answer.kind === 'accepted' ? letter.objection?.(said) : undefined;
    return { ...(why === undefined ? answer : { kind: 'refused', why, isGone: false }), status: statusCode };
  } catch (error) {
    return { kind: 'later', why: connectionFault(error) };
  }
}

/** Makes one attempt within its own time limit and the time that is left for all attempts. */
async function attemptOnce(
  letter: Letter,
  dispatcher: Agent,
  seconds: number,
  signal?: AbortSignal,
): Promise<DeliveryAnswer> {
  const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(seconds * 1000)));
  const answer = await post(letter, dispatcher, signal ? AbortSignal.any([timeout, signal]) : timeout);
  if (answer.kind !== 'later') return answer;
  if (signal?.aborted) return { kind: 'refused', why: 'the run was interrupted', isGone: false };
  return timeout.aborted ? { kind: 'later', why: `no answer within ${seconds.toFixed(1)} s` } : answer;
}

async function attemptAll(
  letter: Letter,
  dispatcher: Agent,
  { limits, sleep: pause = sleep, onAttempt, signal }: DeliveryOptions,
): Promise<Undelivered | undefined> {
  const startedAt = performance.now() / 1000;
  const deadline = startedAt + limits.totalSeconds;
  const undelivered = (why: string, attempts: number, isGone: boolean): Undelivered => ({
    ...{ why, attempts, isGone, seconds: performance.now() / 1000 - startedAt },
  });
  for (let attempts = 1; ; attempts += 1) {
    const left = deadline - performance.now() / 1000;
    onAttempt?.(attempts, limits.attempts);
    const answer = await attemptOnce(letter, dispatcher, Math.min(limits.attemptSeconds, left), signal);
    if (answer.kind === 'accepted') return undefined;
    if (answer.kind === 'refused') return undelivered(answer.why, attempts, answer.isGone);
    const wait = Math.min(
      answer.waitSeconds ?? backoffSeconds(attempts, limits.retryDelay),
      limits.retryAfterSeconds,
    );
    const isTooLate = performance.now() / 1000 + wait >= deadline;
    if (attempts >= limits.attempts || isTooLate) return undelivered(answer.why, attempts, false);
    // An abort ends the wait. The next attempt then ends before it starts, and reports why.
    await pause(wait, signal).catch(() => undefined);
  }
}

/** Seconds. A shorter delay at the end of a run needs no explanation. */
const NOTICEABLE = 2;

export function formatAttempts({ attempts, seconds }: Pick<Undelivered, 'attempts' | 'seconds'>): string {
  const count = formatCounted(attempts, 'attempt');
  return seconds < NOTICEABLE ? count : `${count} in ${formatSeconds(seconds)}`;
}

/** Resolves to undefined when the endpoint has accepted the message, otherwise to the reason why it has not. */
export async function deliver(letter: Letter, options: DeliveryOptions): Promise<Undelivered | undefined> {
  const { Agent } = await import('undici');
  const agent = new Agent({ connect: { timeout: options.limits.attemptSeconds * 1000 } });
  try {
    return await attemptAll(letter, agent, options);
  } finally {
    // close() would wait for a socket that hangs.
    await agent.destroy();
  }
}

/** Makes one attempt and returns its result. */
export async function deliverOnce(
  letter: Letter,
  seconds: number,
  signal?: AbortSignal,
): Promise<DeliveryAnswer> {
  const { Agent } = await import('undici');
  const agent = new Agent({ connect: { timeout: seconds * 1000 } });
  try {
    return await attemptOnce(letter, agent, seconds, signal);
  } finally {
    await agent.destroy();
  }
}
