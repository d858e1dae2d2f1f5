import { destinationOf } from '../../config/tables/table-mapping.ts';
import type { Connections, Settings } from '../../config/settings.ts';
import { IncrepError } from '../../errors.ts';
import type { Servers } from './facts.ts';
import { isSameDatabase } from '../context/known-destinations.ts';

/**
 * Ensures that no schema is both read and written. Two host names can lead to one server, so the servers are compared.
 * @throws IncrepError SAME_DATABASE
 */
export function ensureDifferentDatabases(
  {
    source,
    destination,
    tables = [],
  }: Pick<Connections, 'source' | 'destination'> & { readonly tables?: Settings['tables'] },
  servers: Servers,
): void {
  const [a, b] = [servers.source, servers.destination];
  if (!isSameDatabase(a, b)) return;
  const readFrom = new Set([source.schema, ...tables.map((table) => table.source.schema)]);
  const writtenTo = [destination.schema, ...tables.map((table) => destinationOf(destination, table).schema)];
  const both = writtenTo.find((schema) => readFrom.has(schema));
  if (both === undefined) return;
  throw new IncrepError('SAME_DATABASE', {
    what: `source and destination are the same: schema "${both}" of database "${a.database}" on one server`,
    next:
      both === destination.schema
        ? `Give ${destination.urlFrom ?? 'DEST_HOST, DEST_DB'} or DEST_SCHEMA another value. Nothing was changed.`
        : `Set another "dest_schema" for the tables that increp writes to "${both}". Nothing was changed.`,
  });
}
