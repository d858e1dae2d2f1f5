/** Whether the webhook takes a message. */
import type { Settings } from '../config/settings.ts';
import { ERROR_CLASSES } from '../errors.ts';
import { formatSeconds } from '../format.ts';
import { sendTestMessage, type TestResult } from '../notify/test-message.ts';
import { redactor } from '../redact.ts';
import type { RunContext } from '../sync/context/run-context.ts';
import { note, type Finding } from './finding.ts';

/** Sends one. */
export async function webhookFinding(
  settings: Pick<Settings, 'webhook' | 'pipeline' | 'secrets'>,
  { timing, signal }: Pick<RunContext, 'timing' | 'signal'>,
): Promise<Finding> {
  const { webhook, pipeline, secrets } = settings;
  if (!webhook)
    return failed('there is no webhook to test: WEBHOOK_URL is not set', 'Set WEBHOOK_URL in .env.');
  const result = await sendTestMessage(webhook, { pipeline, redact: redactor(secrets), timing, signal });
  if (result.why !== undefined)
    return failed(
      `the webhook at ${result.origin} did not accept the test message: ${result.why}, after ${formatSeconds(result.seconds)}`,
      nextStep(result),
    );
  const unsigned =
    webhook.secret === undefined && webhook.format === 'json'
      ? '; it was not signed, for want of WEBHOOK_SECRET'
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
    return `See whether this machine reaches ${origin}: its name, port, proxy and firewall.`;
  if (status === 401 || status === 403)
    return 'Check the token in WEBHOOK_URL, and that WEBHOOK_SECRET is the one that the endpoint has.';
  if (status === 404 || status === 405 || status === 410)
    return 'Check the path of WEBHOOK_URL: the endpoint has moved or takes no POST there.';
  if (status >= 300 && status < 400) return 'Set WEBHOOK_URL to the address that it redirects to.';
  if (status >= 500 || status === 429 || status === 408)
    return 'That is trouble of the endpoint: look at its log, and test again.';
  return 'The endpoint does not like the message: look at its log, and at WEBHOOK_FORMAT.';
}
