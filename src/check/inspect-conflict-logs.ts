/** Reads what the destination says about the conflict logs of the tables. */
import * as z from 'zod';
import { attempt, type IncrepError } from '../errors.ts';
import type { Database } from '../postgres/database.ts';
import { inspectConflicts } from '../sql/conflicts.ts';
import type { Facts, TableFacts } from '../sync/facts/facts.ts';

const inspectedRow = z.object({ conflicts: z.number(), mayWrite: z.boolean() });

export type ConflictLogInspection =
  | { readonly kind: 'read'; readonly conflicts: number; readonly mayWrite: boolean }
  | { readonly kind: 'unreadable'; readonly error: IncrepError };

/** Within this time, in seconds, `check` counts conflicts. */
const RECENT = 3600;

/** Only tables whose log exists: the next sync creates a missing one. */
export async function inspectConflictLogs(
  destination: Database,
  { tables, schemas }: Facts,
): Promise<ReadonlyMap<TableFacts, ConflictLogInspection>> {
  const found = new Map<TableFacts, ConflictLogInspection>();
  for (const table of tables) {
    const { settings, pipeline, destinationName } = table;
    if (!settings.conflictLog || schemas.get(destinationName.schema)?.hasConflictsTable !== true) continue;
    const question = inspectConflicts({ pipeline, destination: destinationName }, RECENT);
    const answer = await attempt(() => destination.withReading((client) => client.query(question)));
    found.set(
      table,
      answer.kind === 'failed'
        ? { kind: 'unreadable', error: answer.error }
        : { kind: 'read', ...inspectedRow.parse(answer.value.rows[0]) },
    );
  }
  return found;
}
