import type { Settings } from '../config/settings.ts';
import { IncrepError } from '../errors.ts';
import type { Servers } from './facts.ts';
import { isSameDatabase } from './known-destinations.ts';

/**
 * Two host names can mean one server, so the servers themselves are compared.
 * @throws IncrepError SAME_DATABASE
 */
export function ensureDifferentDatabases(
  { source, destination }: Pick<Settings, 'source' | 'destination'>,
  servers: Servers,
): void {
  const [a, b] = [servers.source, servers.destination];
  if (!isSameDatabase(a, b) || source.schema !== destination.schema) return;
  throw new IncrepError('SAME_DATABASE', {
    what: `source and destination are the same: schema "${source.schema}" of database "${a.database}" on one server`,
    next: 'Give DEST_HOST, DEST_DB or DEST_SCHEMA another value. Nothing was changed.',
  });
}
