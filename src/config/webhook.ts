import { alternatives } from './problems.ts';
import type { SettingsReading } from './environment/reading.ts';
import { choiceOf, choose, isSet, refuse, textOf } from './environment/reading.ts';
import type { WebhookEventType, WebhookSettings } from './settings.ts';
import { readUrl } from './web-address.ts';

const EVENTS = ['run.succeeded', 'run.partial', 'run.failed', 'table.synced', 'table.failed'] as const;

/** Undefined if there is no webhook, or if a problem was reported. */
export function readWebhook(reading: SettingsReading): WebhookSettings | undefined {
  const url = readUrl(reading, 'WEBHOOK_URL');
  const secret = readSecret(reading);
  const events = readEvents(reading);
  const format = choiceOf(reading, 'WEBHOOK_FORMAT', ['json', 'slack']);
  if (url === undefined) warnWithoutUrl(reading);
  return url === undefined || format === undefined ? undefined : { url, secret, events, format };
}

/** Standard Webhooks writes a key as whsec_ and base64. Any other text is used as it is. */
function readSecret(reading: SettingsReading): string | undefined {
  const secret = textOf(reading, 'WEBHOOK_SECRET');
  if (
    secret?.startsWith('whsec_') &&
    !/^whsec_(?=.)(?:[\w+/]{4})*(?:[\w+/]{2}==|[\w+/]{3}=)?$/.test(secret)
  ) {
    return refuse(reading, 'WEBHOOK_SECRET', { what: 'the text after whsec_ is not base64' });
  }
  return secret;
}

function readEvents(reading: SettingsReading): WebhookEventType[] {
  const names = (textOf(reading, 'WEBHOOK_EVENTS') ?? '').split(',').map((name) => name.trim());
  const events = names
    .filter((name) => name !== '')
    .map((name) => choose(EVENTS, name, (problem) => refuse(reading, 'WEBHOOK_EVENTS', problem)));
  if (events.length === 0) {
    refuse(reading, 'WEBHOOK_EVENTS', { what: 'contains no event', allowed: alternatives(EVENTS) });
  }
  return [...new Set(events.filter((event) => event !== undefined))];
}

function warnWithoutUrl(reading: SettingsReading): void {
  if (isSet(reading, 'WEBHOOK_URL')) return;
  const idle = (['WEBHOOK_SECRET', 'WEBHOOK_EVENTS', 'WEBHOOK_FORMAT'] as const).filter((name) =>
    isSet(reading, name),
  );
  if (idle.length > 0) reading.warn(`${idle.join(', ')} has no effect without WEBHOOK_URL`);
}
