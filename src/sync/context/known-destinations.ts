import { destinationOf } from '../../config/tables/table-mapping.ts';
import type { Settings } from '../../config/settings.ts';
import { IncrepError } from '../../errors.ts';
import type { ServerIdentity } from '../../postgres/identity.ts';
import { printName, tableKey, type TableName } from '../../schema/names.ts';

/** Whatever the names by which they were reached. */
export function isSameDatabase(a: ServerIdentity, b: ServerIdentity): boolean {
  const isSameServer =
    a.systemIdentifier === null || b.systemIdentifier === null
      ? a.startedAt === b.startedAt
      : a.systemIdentifier === b.systemIdentifier;
  return isSameServer && a.databaseOid === b.databaseOid;
}

/** The destinations that have been met so far; two that are one would undo each other's work. */
export class KnownDestinations {
  readonly #known: { readonly settings: Settings; readonly server: ServerIdentity }[] = [];

  /** @throws IncrepError SAME_DATABASE */
  add(settings: Settings, server: ServerIdentity): void {
    for (const other of this.#known) {
      if (other.settings.destinationName === settings.destinationName) continue;
      const both = isSameDatabase(other.server, server) ? placeInBoth(other.settings, settings) : undefined;
      if (both === undefined) continue;
      throw new IncrepError('SAME_DATABASE', {
        what: `the destinations "${other.settings.destinationName}" and "${settings.destinationName}" are the same: ${both} of database "${server.database}" on one server`,
        next: 'Leave out one of them, or give it another database or schema. Nothing was changed there.',
      });
    }
    this.#known.push({ settings, server });
  }
}

/** Their schema, or a copy that both would write because its entry has a `dest_schema` of its own. */
function placeInBoth(one: Settings, other: Settings): string | undefined {
  const { schema } = other.destination;
  if (one.destination.schema === schema) return `schema "${schema}"`;
  const taken = new Set(copiesOf(one).map(tableKey));
  const both = copiesOf(other).find((copy) => taken.has(tableKey(copy)));
  return both && printName(both);
}

const copiesOf = ({ tables, destination }: Settings): TableName[] =>
  tables.filter(({ isEnabled }) => isEnabled).map((table) => destinationOf(destination, table));
