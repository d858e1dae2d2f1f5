import { parseConnectionUrl } from './connection-url.ts';

/** `warehouse-analytics`: the first word of the host, and the database. Undefined if the URL is not valid. */
export function derivedName(url: string): string | undefined {
  const parsed = parseConnectionUrl(url);
  if ('faults' in parsed) return undefined;
  const { database } = parsed;
  const [host = ''] = parsed.host.split(',', 1);
  const isName = /[a-z]/i.test(host) && !host.startsWith('/') && !host.includes(':');
  const server = host.startsWith('/') ? 'socket' : isName ? host.split('.', 1)[0] : host;
  return `${server}-${database}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .replace(/^[-_]+/, '')
    .slice(0, 40);
}
