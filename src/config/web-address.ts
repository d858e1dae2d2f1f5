import type { Reading } from './environment/reading.ts';
import { refuse, textOf } from './environment/reading.ts';

/** Not shown when it is wrong: whoever knows such a URL can usually post to it. */
export function readUrl(reading: Reading, name: 'WEBHOOK_URL' | 'HEALTHCHECK_URL'): string | undefined {
  const text = textOf(reading, name);
  if (text === undefined) return undefined;
  const protocol = URL.parse(text)?.protocol;
  if (protocol === 'https:' || protocol === 'http:') return text;
  return refuse(reading, name, { what: 'not a URL that begins with https:// or http://' });
}
