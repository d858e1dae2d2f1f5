/** Sends a message that shows whether messages arrive. */
import type { WebhookSettings } from '../config/settings.ts';
import type { Redact } from '../redact.ts';
import type { Timing } from '../timing.ts';
import { deliverOnce } from './http-delivery.ts';
import { bodyOf } from './webhook-message.ts';
import { letterOf, originOf } from './webhook.ts';

export interface TestResult {
  /** Scheme, host and port. */
  readonly origin: string;
  /** The HTTP status; undefined if no response arrived. */
  readonly status: number | undefined;
  readonly seconds: number;
  /** Undefined if the endpoint accepted the message. */
  readonly why: string | undefined;
}

interface TestOptions {
  readonly pipeline: string;
  readonly redact: Redact;
  readonly timing: Pick<Timing, 'delivery'>;
  readonly signal: AbortSignal | undefined;
}

/** The message is signed and formatted like any other. It is sent once, whatever WEBHOOK_EVENTS says. */
export async function sendTestMessage(
  webhook: WebhookSettings,
  { pipeline, redact, timing, signal }: TestOptions,
): Promise<TestResult> {
  const body = bodyOf(
    {
      type: 'test.ping',
      message: `Pipeline ${pipeline}: this is a test of "increp check --webhook". No run took place.`,
      timestamp: new Date(),
      data: { pipeline },
    },
    webhook.format,
    redact,
  );
  const startedAt = performance.now();
  const answer = await deliverOnce(letterOf(webhook, body), timing.delivery.attempt, signal);
  return {
    origin: originOf(webhook.url),
    status: answer.status,
    seconds: (performance.now() - startedAt) / 1000,
    why: answer.kind === 'accepted' ? undefined : answer.why,
  };
}
