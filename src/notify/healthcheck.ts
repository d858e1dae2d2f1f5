/** Tells a monitor in the form of healthchecks.io that a run begins and how it ended. Never changes the run's result. */
import type { Listener, RunSummary } from '../events.ts';
import type { Redact } from '../redact.ts';
import {
  deliver,
  deliveryLimits,
  formatAttempts,
  type DeliveryOptions,
  type Letter,
  type Undelivered,
} from './delivery.ts';
import type { Timing } from '../timing.ts';
import { afterwards, attemptsAtEnd } from './shutdown-timeout.ts';
import { runMessage } from './notice.ts';

const ATTEMPTS_AT_START = 2;

/** What healthchecks.io keeps of a body. */
const BODY_BYTES = 10_000;

const LOCKED_EXIT_CODE = 75;

export interface HealthcheckOptions extends Partial<DeliveryOptions> {
  readonly url: string;
  readonly redact: Redact;
  readonly timing: Pick<Timing, 'delivery' | 'shutdown'>;
  readonly exitCodeOf: (summary: RunSummary) => number;
  /** Told at most once a run; names the URL's origin only, because its path is a token. */
  readonly onFailure: (message: string) => void;
}

/**
 * `/start`, nothing for a good end, `/CODE` for a bad one. A run that only met another's lock is neither: `/log`
 * leaves the check as it is, and if the other run never ends, the check runs out of time.
 */
function endSignal(exitCode: number): string {
  if (exitCode === 0) return '';
  return exitCode === LOCKED_EXIT_CODE ? '/log' : `/${exitCode}`;
}

/** The signal goes behind the path; the run's id lets the monitor tell two runs at once apart. */
export function signalUrl(base: string, signal: string, runId: string): URL {
  const url = new URL(base);
  url.pathname = url.pathname.replace(/\/+$/, '') + signal;
  url.search = `${url.search === '' ? '?' : `${url.search}&`}rid=${encodeURIComponent(runId)}`;
  return url;
}

function cut(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= BODY_BYTES) return text;
  // A character that is cut through becomes a replacement character, of three bytes.
  return `${bytes
    .subarray(0, BODY_BYTES - 6)
    .toString('utf8')
    .replace(/\uFFFD+$/, '')}…`;
}

/** It answers 200 whether there is such a check or not. */
const objection = (answer: string): string | undefined =>
  answer.includes('(not found)') ? 'it knows no such check; correct HEALTHCHECK_URL' : undefined;

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
        signal: signal && afterwards(signal, timing.shutdown),
      },
    );
  }

  function report(what: string, { attempts, why }: Undelivered): void {
    onFailure(
      `the healthcheck at ${origin} did not accept the ${what} of the run after ${formatAttempts(attempts)}: ${why}`,
    );
  }

  return async (event) => {
    if (event.type === 'run-started') {
      const body = `Pipeline ${event.pipeline} begins: ${event.tables.join(', ')}`;
      // Not waited for: the work has no reason to.
      starting = send({ url: signalUrl(url, '/start', event.runId), body }, { limits: startLimits, signal });
      starting.catch(() => undefined);
    }
    if (event.type !== 'run-finished') return;
    try {
      // In this order, or the end would be taken for one of nothing.
      const notBegun = await starting;
      const notEnded = await sendEnd(event.summary);
      if (notEnded) report('end', notEnded);
      else if (notBegun) report('start', notBegun);
    } catch (error) {
      onFailure(
        `the healthcheck at ${origin} could not be told: ${error instanceof Error ? error.name : 'unknown'}`,
      );
    }
  };
}
