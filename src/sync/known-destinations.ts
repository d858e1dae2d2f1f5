import type { Settings } from '../config/settings.ts';
import { IncrepError } from '../errors.ts';
import type { ServerIdentity } from '../postgres/identity.ts';

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
    const { schema } = settings.destination;
    const twin = this.#known.find(
      (other) =>
        other.settings.destinationName !== settings.destinationName &&
        other.settings.destination.schema === schema &&
        isSameDatabase(other.server, server),
    );
    if (!twin) return void this.#known.push({ settings, server });
    throw new IncrepError('SAME_DATABASE', {
      what: `the destinations "${twin.settings.destinationName}" and "${settings.destinationName}" are the same: schema "${schema}" of database "${server.database}" on one server`,
      next: 'Leave out one of them, or give it another database or schema. Nothing was changed there.',
    });
  }
}
