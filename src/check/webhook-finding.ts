/** Tests whether the webhook accepts a message. */
import type { Settings } from '../config/settings.ts';
import { ERROR_CLASSES } from '../errors.ts';
import { formatSeconds } from '../format.ts';
import { sendTestMessage, type TestResult } from '../notify/test-message.ts';
import { originOf } from '../notify/webhook.ts';
import { noteReports } from '../state/report-outcomes-file.ts';
import { redactor } from '../redact.ts';
import type { RunContext } from '../sync/context/run-context.ts';
import { note, type Finding } from './finding.ts';

/** Sends a test message. */
export async function webhookFinding(
  settings: Pick<Settings, 'webhook' | 'pipeline' | 'secrets' | 'openNames' | 'stateDirectory'>,
  { timing, signal }: Pick<RunContext, 'timing' | 'signal'>,
): Promise<Finding> {
  const { webhook, pipeline, secrets, openNames, stateDirectory } = settings;
  if (!webhook)
    return failed('the webhook cannot be tested, because WEBHOOK_URL is not set', 'Set WEBHOOK_URL in .env.');
  const result = await sendTestMessage(webhook, {
    pipeline,
    redact: redactor(secrets, openNames),
    timing,
    signal,
  });
  if (result.why === undefined)
    await noteReports(stateDirectory, new Map([['webhook', { url: webhook.url, failure: undefined }]]));
  const isSigned = webhook.secret !== undefined;
  const sent = `a test message ("test.ping", format ${webhook.format}, ${isSigned ? 'signed' : 'not signed'}) to WEBHOOK_URL (${masked(webhook.url)})`;
  const after = `after ${formatSeconds(result.seconds)}`;
  if (result.why !== undefined)
    return failed(
      result.status === undefined
        ? `increp tried to send ${sent}: ${result.why}, ${after}`
        : `increp sent ${sent}, and the endpoint refused it: ${result.why}, ${after}`,
      `${nextStep(result)} Then run "increp check --webhook".`,
    );
  const unsigned =
    isSigned || webhook.format !== 'json'
      ? ''
      : '. To let the endpoint verify who sent a message, set WEBHOOK_SECRET';
  return note(
    'WEBHOOK',
    undefined,
    `increp sent ${sent}, and the endpoint accepted it: it answered ${result.status}, ${after}${unsigned}`,
  );
}

/** The path and the query may contain tokens. */
const masked = (url: string): string =>
  URL.canParse(url) && new URL(url).pathname + new URL(url).search !== '/'
    ? `${originOf(url)}/...`
    : originOf(url);

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
  if (status >= 500 || status === 429 || status === 408) return 'The endpoint has a problem. Check its log.';
  return 'The endpoint rejects the message. Check its log and WEBHOOK_FORMAT.';
}
