/** The schema and our own tables, made once. */
import type pg from 'pg';
import { createSchema } from '../sql/destination.ts';
import { createLoadTables, haveLoadTables } from '../sql/loads.ts';
import { createRunsTable, createStateTable, stateTable, waitForLock } from '../sql/state.ts';
import type { Facts } from './facts.ts';
import { refusalOf } from './refusals.ts';
import type { Work } from './work.ts';

export async function prepareDestination(work: Work, facts: Facts): Promise<void> {
  const { destinationSchema: access, hasStateTable, hasRunsTable } = facts;
  const lacksLoadTables =
    !facts.hasLoadTables && facts.tables.some(({ settings: { chunk, isEnabled } }) => chunk && isEnabled);
  if (access.exists && hasStateTable && hasRunsTable && !lacksLoadTables) return;
  // When every table is refused, each says why, and nothing is made.
  if (facts.tables.every((table) => !table.settings.isEnabled || refusalOf(table))) return;
  const { schema } = work.settings.destination;
  await work.destination.withWriting([], async (client) => {
    // Two first runs at once: the second waits, and then finds everything there.
    await client.query(waitForLock(stateTable(schema)));
    if (!access.exists) await client.query(createSchema(schema));
    if (!hasStateTable) await client.query(createStateTable(schema));
    if (!hasRunsTable) await client.query(createRunsTable(schema));
    if (lacksLoadTables) await ensureLoadTables(client, schema);
  });
}

/** Looked at once more: another run may have made them while this one waited, and be in the middle of a load. */
async function ensureLoadTables(client: pg.ClientBase, schema: string): Promise<void> {
  const { rows } = await client.query<{ areThere: boolean }>(haveLoadTables(schema));
  if (rows[0]?.areThere !== true) await client.query(createLoadTables(schema));
}
