/** Reports the results of runs and tables to a webhook. A failure here never changes the result of the run. */
import type { WebhookSettings } from '../config/settings.ts';
import type { CurrentWarning } from '../schema/standing-warnings.ts';
import type { Listener, RunEvent, RunSummary } from '../events.ts';
import { formatCount } from '../format.ts';
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
import {
  bodyOf,
  messageTypeOf,
  type WebhookMessage,
  webhookMessageOf,
  type RunName,
} from './webhook-message.ts';
import { newMessageId, signatureOf } from './signature.ts';

export interface WebhookOptions extends Partial<DeliveryOptions> {
  readonly webhook: WebhookSettings;
  readonly redact: Redact;
  readonly timing: Pick<Timing, 'delivery' | 'shutdown'>;
  /**
   * Called once for each failure. It names only the origin of the URL, because the path and the query contain tokens.
   */
  readonly onFailure: (message: string) => void;
  /** Called for each message that was accepted. */
  readonly onAccepted?: () => void;
  /** The warnings for the text of a run. Without it, the text has all of them. */
  readonly warningsFor?: (summary: RunSummary) => Promise<{
    readonly due: readonly CurrentWarning[];
    /** Called if the message was accepted. */
    readonly remember: () => Promise<void>;
  }>;
}

/** The state that is kept during one run. */
interface Memory {
  readonly run: RunName;
  readonly undelivered: Undelivered | undefined;
  readonly skipped: number;
}

const forgotten: Memory = { run: { runId: '', pipeline: '' }, undelivered: undefined, skipped: 0 };

const isAskedFor = (event: RunEvent, { events }: WebhookSettings) => {
  const type = messageTypeOf(event);
  return type !== undefined && events.includes(type);
};

const isTableMessage = (message: WebhookMessage) => message.type.startsWith('table.');

const attemptsFor = (event: RunEvent, attempts: number): number =>
  event.type === 'run-finished' ? attemptsAtEnd(event.summary, attempts) : attempts;

/** The path and the query of a webhook are as secret as a password. */
export const originOf = (url: string) => (URL.canParse(url) ? new URL(url).origin : 'WEBHOOK_URL');

/** The headers of Standard Webhooks: one id for all attempts at one message. */
export function letterOf({ url, secret }: WebhookSettings, body: string): Letter {
  const id = newMessageId();
  const headers = () => {
    const timestamp = Math.floor(Date.now() / 1000);
    return {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      ...(secret ? { 'webhook-signature': signatureOf(secret, { id, timestamp, body }) } : {}),
    };
  };
  return { url: new URL(url), variable: 'WEBHOOK_URL', body, headers };
}

function failureText(origin: string, { type }: WebhookMessage, undelivered: Undelivered): string {
  return `the webhook at ${origin} did not accept "${type}" after ${formatAttempts(undelivered)}: ${undelivered.why}`;
}

export function webhookListener(options: WebhookOptions): Listener {
  const { webhook, redact, onFailure, onAccepted, timing } = options;
  const { limits = deliveryLimits(timing, timing.delivery.webhookTotal) } = options;
  const origin = originOf(webhook.url);
  const runSignal = options.signal && afterwards(options.signal, timing.shutdown);
  let memory = forgotten;

  async function send(event: RunEvent, message: WebhookMessage): Promise<boolean> {
    // An endpoint that does not answer must not delay every table of the run. The message about the run gets all
    // attempts.
    if (memory.undelivered?.isGone || (memory.undelivered && isTableMessage(message))) {
      memory = { ...memory, skipped: memory.skipped + 1 };
      return false;
    }
    const undelivered = await deliver(letterOf(webhook, bodyOf(message, webhook.format, redact)), {
      ...(options.sleep ? { sleep: options.sleep } : {}),
      onAttempt: options.onAttempt,
      limits: { ...limits, attempts: attemptsFor(event, limits.attempts) },
      // The message about an interrupted run is sent after the signal has fired.
      signal: isTableMessage(message) ? options.signal : runSignal,
    });
    if (!undelivered) {
      onAccepted?.();
      return true;
    }
    memory = { ...memory, undelivered };
    onFailure(failureText(origin, message, undelivered));
    return false;
  }

  function reportSkipped(): void {
    if (memory.skipped === 0) return;
    const count = formatCount(memory.skipped);
    onFailure(`${count} more webhook messages to ${origin} were not sent, because an earlier one failed`);
  }

  return async (event) => {
    if (event.type === 'run-started') memory = { ...forgotten, run: event };
    try {
      if (isAskedFor(event, webhook)) {
        const warnings =
          event.type === 'run-finished' ? await options.warningsFor?.(event.summary) : undefined;
        const message = webhookMessageOf(event, memory.run, warnings?.due);
        if (message && (await send(event, message))) await warnings?.remember();
      }
      if (event.type === 'run-finished') reportSkipped();
    } catch (error) {
      onFailure(
        `the webhook at ${origin} could not be called: ${error instanceof Error ? error.name : 'unknown'}`,
      );
    }
  };
}
