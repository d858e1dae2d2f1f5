import { destinationOf } from '../../config/tables/table-mapping.ts';
import type { Settings } from '../../config/settings.ts';
import { IncrepError } from '../../errors.ts';
import type { ServerIdentity } from '../../postgres/identity.ts';
import { printName, tableKey, type TableName } from '../../schema/names.ts';

/** Compares the servers themselves, because two host names can lead to one server. */
export function isSameDatabase(a: ServerIdentity, b: ServerIdentity): boolean {
  const isSameServer =
    a.systemIdentifier === null || b.systemIdentifier === null
      ? a.startedAt === b.startedAt
      : a.systemIdentifier === b.systemIdentifier;
  return isSameServer && a.databaseOid === b.databaseOid;
}

/** The destinations of the pipeline so far. Two that write the same tables would undo each other's work. */
export class KnownDestinations {
  readonly #known: { readonly settings: Settings; readonly server: ServerIdentity }[] = [];

  /** @throws IncrepError SAME_DATABASE */
  add(settings: Settings, server: ServerIdentity): void {
    for (const other of this.#known) {
      if (other.settings.destinationLabel === settings.destinationLabel) continue;
      const both = isSameDatabase(other.server, server) ? placeInBoth(other.settings, settings) : undefined;
      if (both === undefined) continue;
      throw new IncrepError('SAME_DATABASE', {
        what: `the destinations "${other.settings.destinationLabel}" and "${settings.destinationLabel}" are the same: ${both} of database "${server.database}" on one server`,
        next: 'Remove one of them, or set another database or schema for it. Nothing was changed there.',
      });
    }
    this.#known.push({ settings, server });
  }
}

/** The schema of both, or a destination table that both would write because its entry sets `dest_schema`. */
function placeInBoth(one: Settings, other: Settings): string | undefined {
  const { schema } = other.destination;
  if (one.destination.schema === schema) return `schema "${schema}"`;
  const taken = new Set(destinationTablesOf(one).map(tableKey));
  const both = destinationTablesOf(other).find((table) => taken.has(tableKey(table)));
  return both && printName(both);
}

const destinationTablesOf = ({ tables, destination }: Settings): TableName[] =>
  tables.filter(({ isEnabled }) => isEnabled).map((table) => destinationOf(destination, table));
