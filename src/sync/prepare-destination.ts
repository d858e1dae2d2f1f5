/** The schema and our own two tables, made once. */
import { createSchema } from '../sql/destination.ts';
import { createRunsTable, createStateTable, stateTable, waitForLock } from '../sql/state.ts';
import type { Facts } from './facts.ts';
import { refusalOf } from './refusals.ts';
import type { Work } from './work.ts';

export async function prepareDestination(work: Work, facts: Facts): Promise<void> {
  const { destinationSchema: access, hasStateTable, hasRunsTable } = facts;
  if (access.exists && hasStateTable && hasRunsTable) return;
  // When every table is refused, each says why, and nothing is made.
  if (facts.tables.every((table) => !table.settings.isEnabled || refusalOf(table))) return;
  const { schema } = work.settings.destination;
  await work.destination.withWriting([], async (client) => {
    // Two first runs at once: the second waits, and then finds everything there.
    await client.query(waitForLock(stateTable(schema)));
    if (!access.exists) await client.query(createSchema(schema));
    if (!hasStateTable) await client.query(createStateTable(schema));
    if (!hasRunsTable) await client.query(createRunsTable(schema));
  });
}
