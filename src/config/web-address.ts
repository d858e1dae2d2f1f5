import type { SettingsReading } from './environment/reading.ts';
import { refuse, textOf } from './environment/reading.ts';

/** A wrong value is not shown, because such a URL often grants access by itself. */
export function readUrl(
  reading: SettingsReading,
  name: 'WEBHOOK_URL' | 'HEALTHCHECK_URL',
): string | undefined {
  const text = textOf(reading, name);
  if (text === undefined) return undefined;
  const protocol = URL.parse(text)?.protocol;
  if (protocol === 'https:' || protocol === 'http:') return text;
  return refuse(reading, name, { what: 'not a URL that begins with https:// or http://' });
}
