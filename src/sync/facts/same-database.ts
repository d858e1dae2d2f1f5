import { destinationOf } from '../../config/tables/table-mapping.ts';
import type { Connections, Settings } from '../../config/settings.ts';
import { IncrepError } from '../../errors.ts';
import type { Servers } from './facts.ts';
import { isSameDatabase } from '../context/known-destinations.ts';

/**
 * Whether the schema of a copy is one that is read from. Two host names can mean one server, so the servers themselves are compared.
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
        ? 'Give DEST_HOST, DEST_DB or DEST_SCHEMA another value. Nothing was changed.'
        : `Give the tables whose copies are in "${both}" another "dest_schema". Nothing was changed.`,
  });
}
