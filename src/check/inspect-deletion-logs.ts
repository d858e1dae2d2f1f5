/** Reads what the source says about the deletion logs of the tables. */
import * as z from 'zod';
import { describeTables } from '../postgres/catalog.ts';
import type { Database } from '../postgres/database.ts';
import { tableKey, type TableName } from '../schema/names.ts';
import type { Relation } from '../schema/relations.ts';
import { LOG_TRIGGERS } from '../sql/deletion-log-statements.ts';
import { logTable } from '../sync/facts/deletion-log.ts';
import type { Facts, TableFacts } from '../sync/facts/facts.ts';

const triggerRow = z.object({
  place: z.number(),
  name: z.string(),
  /** pg_trigger.tgenabled */
  enabled: z.string(),
  onDelete: z.boolean(),
  onUpdate: z.boolean(),
  onTruncate: z.boolean(),
});

export interface DeletionLogInspection {
  readonly name: TableName;
  /** Undefined if there is no such table. */
  readonly log: Relation | undefined;
  /** The triggers of the source table that fill it. */
  readonly triggers: readonly Omit<z.infer<typeof triggerRow>, 'place'>[];
}

/** Without the logs that are queries. */
export async function inspectDeletionLogs(
  source: Database,
  { tables }: Facts,
): Promise<ReadonlyMap<TableFacts, DeletionLogInspection>> {
  const asked = tables.flatMap((table) => {
    const { deletionLog, source: name } = table.settings;
    const log = deletionLog && logTable(deletionLog, name);
    return log && table.source ? [{ table, oid: table.source.oid, log }] : [];
  });
  if (asked.length === 0) return new Map();
  return source.withReading(async (client) => {
    const found = await describeTables(
      client,
      asked.map(({ log }) => log),
    );
    const { rows } = await client.query(LOG_TRIGGERS, [
      asked.map(({ oid }) => oid),
      asked.map(({ log }) => log.table.replaceAll('"', '""')),
    ]);
    const triggers = z.array(triggerRow).parse(rows);
    return new Map(
      asked.map(({ table, log }, index) => [
        table,
        {
          name: log,
          log: found.get(tableKey(log)),
          triggers: triggers.filter(({ place }) => place === index + 1),
        },
      ]),
    );
  });
}
