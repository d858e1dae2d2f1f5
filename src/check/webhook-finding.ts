/** Tests whether the webhook accepts a message. */
import type { Settings } from '../config/settings.ts';
import { ERROR_CLASSES } from '../errors.ts';
import { formatSeconds } from '../format.ts';
import { sendTestMessage, type TestResult } from '../notify/test-message.ts';
import { redactor } from '../redact.ts';
import type { RunContext } from '../sync/context/run-context.ts';
import { note, type Finding } from './finding.ts';

/** Sends a test message. */
export async function webhookFinding(
  settings: Pick<Settings, 'webhook' | 'pipeline' | 'secrets'>,
  { timing, signal }: Pick<RunContext, 'timing' | 'signal'>,
): Promise<Finding> {
  const { webhook, pipeline, secrets } = settings;
  if (!webhook)
    return failed('the webhook cannot be tested, because WEBHOOK_URL is not set', 'Set WEBHOOK_URL in .env.');
  const result = await sendTestMessage(webhook, { pipeline, redact: redactor(secrets), timing, signal });
  if (result.why !== undefined)
    return failed(
      `the webhook at ${result.origin} did not accept the test message: ${result.why}, after ${formatSeconds(result.seconds)}`,
      nextStep(result),
    );
  const unsigned =
    webhook.secret === undefined && webhook.format === 'json'
      ? '; it was not signed, because WEBHOOK_SECRET is not set'
      : '';
  return note(
    'WEBHOOK',
    undefined,
    `the webhook at ${result.origin} accepted the test message: ${result.status}, after ${formatSeconds(result.seconds)}${unsigned}`,
  );
}

const failed = (message: string, action: string): Finding => ({
  level: 'error',
  code: 'WEBHOOK_FAILED',
  table: undefined,
  message,
  action,
  exitCode: ERROR_CLASSES.CONFIG_INVALID.exitCode,
  stopsSync: false,
});

function nextStep({ status, origin }: TestResult): string {
  if (status === undefined)
    return `Check whether this machine can reach ${origin}: its name, port, proxy and firewall.`;
  if (status === 401 || status === 403)
    return 'Check the token in WEBHOOK_URL, and that the endpoint has the same WEBHOOK_SECRET.';
  if (status === 404 || status === 405 || status === 410)
    return 'Check the path of WEBHOOK_URL. The endpoint does not accept a POST there.';
  if (status >= 300 && status < 400) return 'Set WEBHOOK_URL to the target of the redirect.';
  if (status >= 500 || status === 429 || status === 408)
    return 'The endpoint has a problem. Check its log, then test again.';
  return 'The endpoint rejects the message. Check its log and WEBHOOK_FORMAT.';
}
