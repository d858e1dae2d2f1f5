/** Reads the owners, publications and triggers of destination tables. */
import * as z from 'zod';
import type { Database } from '../postgres/database.ts';
import { EVENT_TRIGGERS } from '../sql/event-triggers.ts';
import { DESTINATION_TABLE_OWNERS, KEY_TRIGGERS, ROW_TRIGGERS } from '../sql/inspect.ts';
import { WITHOUT_IDENTITY } from '../sql/publications.ts';
import type { Facts, TableFacts } from '../sync/facts/facts.ts';
import { publicationsOver } from '../sync/write/publications.ts';
import { queryRows } from './query-rows.ts';

const ownerRow = z.object({
  oid: z.string(),
  owner: z.string(),
  isOurs: z.boolean(),
  canWrite: z.boolean(),
});
export type TableOwner = Readonly<z.infer<typeof ownerRow>>;

const eventTriggerRow = z.object({
  name: z.string(),
  function: z.string(),
  /** Whether the function sets its own search_path. */
  hasPath: z.boolean(),
});
type EventTrigger = Readonly<z.infer<typeof eventTriggerRow>>;

const triggerRow = z.object({ oid: z.string(), name: z.string() });

export async function ownersOf(destination: Database, { tables }: Facts): Promise<Map<string, TableOwner>> {
  const oids = tables.flatMap((table) => (table.destination ? [table.destination.oid] : []));
  const owners = await destination.withReading((client) =>
    queryRows(client, ownerRow, DESTINATION_TABLE_OWNERS, [oids]),
  );
  return new Map(owners.map((owner) => [owner.oid, owner]));
}

export interface PublicationsAndTriggers {
  /** By destination schema: publications that include every new table. */
  readonly publications: ReadonlyMap<string, readonly string[]>;
  /** By the oid of a destination table that needs a replica identity and has none: one of its publications. */
  readonly withoutIdentity: ReadonlyMap<string, string>;
  /** Event triggers of the destination. */
  readonly eventTriggers: readonly EventTrigger[];
  /** Row-level BEFORE triggers, by the oid of the destination table. */
  readonly rowTriggers: ReadonlyMap<string, readonly string[]>;
}

const identityRow = z.object({ oid: z.string(), publication: z.string() });

export async function publicationsAndTriggers(
  destination: Database,
  { tables }: Facts,
): Promise<PublicationsAndTriggers> {
  const { version } = await destination.identity();
  const oids = tables.flatMap((table) => (table.destination ? [table.destination.oid] : []));
  const schemas = new Set(tables.map(({ destinationName }) => destinationName.schema));
  return destination.withReading(async (client) => {
    const publications = new Map<string, readonly string[]>();
    for (const schema of schemas) {
      const names = await publicationsOver(client, schema, version);
      if (names.length > 0) publications.set(schema, names);
    }
    const lacking = await queryRows(client, identityRow, WITHOUT_IDENTITY, [oids]);
    const fired = tables.flatMap(({ destination: table }) => (table?.hasRowTriggers ? [table.oid] : []));
    const triggers = fired.length === 0 ? [] : await queryRows(client, triggerRow, ROW_TRIGGERS, [fired]);
    return {
      rowTriggers: new Map(
        [...Map.groupBy(triggers, ({ oid }) => oid)].map(([oid, rows]) => [
          oid,
          rows.map(({ name }) => name),
        ]),
      ),
      publications,
      eventTriggers: await queryRows(client, eventTriggerRow, EVENT_TRIGGERS),
      withoutIdentity: new Map(lacking.map(({ oid, publication }) => [oid, publication])),
    };
  });
}

export async function keyTriggersOf(
  destination: Database,
  { tables }: Facts,
): Promise<Map<TableFacts, readonly string[]>> {
  const asked = tables.flatMap((table) =>
    table.settings.onConflict === 'last_update_wins' && table.destination
      ? [{ table, oid: table.destination.oid, key: table.settings.replicationKey }]
      : [],
  );
  if (asked.length === 0) return new Map();
  const [oids, keys] = [asked.map(({ oid }) => oid), asked.map(({ key }) => key)];
  const found = await destination.withReading((client) =>
    queryRows(client, triggerRow, KEY_TRIGGERS, [oids, keys]),
  );
  return new Map(
    asked.map(({ table, oid }) => [table, found.filter((row) => row.oid === oid).map(({ name }) => name)]),
  );
}
