/** A message that says nothing but that messages arrive. */
import type { WebhookSettings } from '../config/settings.ts';
import type { Redact } from '../redact.ts';
import { DELIVERY_LIMITS, deliverOnce } from './delivery.ts';
import { bodyOf } from './notice.ts';
import { letterOf, originOf } from './webhook.ts';

export interface TestResult {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Of HTTP; undefined where no answer came. */
  readonly status: number | undefined;
  readonly seconds: number;
  /** Undefined where it was accepted. */
  readonly why: string | undefined;
}

/** Signed and formatted like any other, sent once, whatever WEBHOOK_EVENTS says. */
export async function sendTestMessage(
  webhook: WebhookSettings,
  pipeline: string,
  redact: Redact,
  signal?: AbortSignal,
): Promise<TestResult> {
  const body = bodyOf(
    {
      type: 'test.ping',
      message: `Pipeline ${pipeline}: this is a test of "increp check --webhook". Nothing has happened.`,
      timestamp: new Date(),
      data: { pipeline },
    },
    webhook.format,
    redact,
  );
  const startedAt = performance.now();
  const answer = await deliverOnce(letterOf(webhook, body), DELIVERY_LIMITS.attemptSeconds, signal);
  return {
    origin: originOf(webhook.url),
    status: answer.status,
    seconds: (performance.now() - startedAt) / 1000,
    why: answer.kind === 'accepted' ? undefined : answer.why,
  };
}
