/**
 * Reports the start and the end of a run to a monitor in the format of healthchecks.io. It never changes the result
 * of the run.
 */
import { LISTED, listedNames } from '../format.ts';
import type { Listener, RunSummary } from '../events.ts';
import type { Redact } from '../redact.ts';
import {
  deliver,
  deliveryLimits,
  formatAttempts,
  type DeliveryOptions,
  type Letter,
  type Undelivered,
} from './http-delivery.ts';
import type { Timing } from '../timing.ts';
import { afterwards, attemptsAtEnd } from './shutdown-timeout.ts';
import { runMessage } from './webhook-message.ts';

const ATTEMPTS_AT_START = 2;

/** healthchecks.io keeps this many bytes of a body. */
const BODY_BYTES = 10_000;

const LOCKED_EXIT_CODE = 75;

export interface HealthcheckOptions extends Partial<DeliveryOptions> {
  readonly url: string;
  readonly redact: Redact;
  readonly timing: Pick<Timing, 'delivery' | 'shutdown'>;
  readonly exitCodeOf: (summary: RunSummary) => number;
  /** Called at most once a run. It names only the origin of the URL, because the path is a token. */
  readonly onFailure: (message: string) => void;
  /** Called if the start and the end of the run were accepted. */
  readonly onAccepted?: () => void;
}

/**
 * The path is `/start` at the start, nothing after a success and `/CODE` after a failure. A run that ended because
 * another run held the lock is neither: `/log` does not change the state of the check. If the other run never ends,
 * the check expires.
 */
function endSignal(exitCode: number): string {
  if (exitCode === 0) return '';
  return exitCode === LOCKED_EXIT_CODE ? '/log' : `/${exitCode}`;
}

/** Appends the signal to the path. With the run ID, the monitor can tell two simultaneous runs apart. */
export function signalUrl(base: string, signal: string, runId: string): URL {
  const url = new URL(base);
  url.pathname = url.pathname.replace(/\/+$/, '') + signal;
  url.search = `${url.search === '' ? '?' : `${url.search}&`}rid=${encodeURIComponent(runId)}`;
  return url;
}

function cut(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= BODY_BYTES) return text;
  // A character that is cut in the middle becomes a replacement character of three bytes.
  return `${bytes
    .subarray(0, BODY_BYTES - 6)
    .toString('utf8')
    .replace(/\uFFFD+$/, '')}…`;
}

/** The monitor answers 200 even if the check does not exist. */
const objection = (answer: string): string | undefined =>
  answer.includes('(not found)') ? 'the check does not exist; correct HEALTHCHECK_URL' : undefined;

const headers = () => ({ 'content-type': 'text/plain; charset=utf-8' });

export function healthcheckListener(options: HealthcheckOptions): Listener {
  const { url, redact, onFailure, exitCodeOf, timing, signal, sleep } = options;
  const { healthcheckStart, healthcheckTotal } = timing.delivery;
  const { limits = deliveryLimits(timing, healthcheckTotal) } = options;
  const startLimits = { ...deliveryLimits(timing, healthcheckStart), attempts: ATTEMPTS_AT_START };
  const { origin } = new URL(url);
  let starting: Promise<Undelivered | undefined> | undefined;

  const send = (letter: Pick<Letter, 'url' | 'body'>, how: DeliveryOptions) =>
    deliver(
      { ...letter, body: cut(redact(letter.body)), variable: 'HEALTHCHECK_URL', headers, objection },
      { ...how, ...(sleep ? { sleep } : {}) },
    );

  async function sendEnd(summary: RunSummary): Promise<Undelivered | undefined> {
    return send(
      { url: signalUrl(url, endSignal(exitCodeOf(summary)), summary.runId), body: runMessage(summary) },
      {
        limits: { ...limits, attempts: attemptsAtEnd(summary, limits.attempts) },
        onAttempt: options.onAttempt,
        signal: signal && afterwards(signal, timing.shutdown),
      },
    );
  }

  function report(what: string, undelivered: Undelivered): void {
    onFailure(
      `the healthcheck at ${origin} did not accept the ${what} of the run after ${formatAttempts(undelivered)}: ${undelivered.why}`,
    );
  }

  return async (event) => {
    if (event.type === 'run-started') {
      const body = `Pipeline ${event.pipeline} starts: ${listedNames(event.tables, LISTED)}`;
      // The run does not wait for this message.
      starting = send({ url: signalUrl(url, '/start', event.runId), body }, { limits: startLimits, signal });
      starting.catch(() => undefined);
    }
    if (event.type !== 'run-finished') return;
    try {
      // The start must be reported before the end, or the monitor measures no duration.
      const notBegun = await starting;
      const notEnded = await sendEnd(event.summary);
      if (notEnded) report('end', notEnded);
      else if (notBegun) report('start', notBegun);
      else options.onAccepted?.();
    } catch (error) {
      onFailure(
        `the healthcheck at ${origin} could not be called: ${error instanceof Error ? error.name : 'unknown'}`,
      );
    }
  };
}
