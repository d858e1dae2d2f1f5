/** Detects that source and destination were swapped, although the destination has no state that would show it. */
import { z } from 'zod';
import { STATE_TABLES, statesFromDatabase } from '../../sql/state.ts';
import type { RunContext } from '../context/run-context.ts';

const tableRow = z.object({ schema: z.string(), canRead: z.boolean() });
const stateRow = z.object({ systemIdentifier: z.string().nullable() });

/**
 * Whether the source has a state of this pipeline that reads from the database that is the destination now. An opposite
 * pipeline has a name of its own.
 */
export async function areSidesSwapped({
  settings,
  source,
  destination,
}: Pick<RunContext, 'settings' | 'source' | 'destination'>): Promise<boolean> {
  const { systemIdentifier, database } = await destination.identity();
  return source.withReading(async (client) => {
    const there = z.array(tableRow).parse((await client.query(STATE_TABLES)).rows);
    const found = there.filter(({ canRead }) => canRead);
    if (found.length === 0) return false;
    const { rows } = await client.query(statesFromDatabase(found.map(({ schema }) => schema)), [
      settings.pipeline,
      database,
    ]);
    return z
      .array(stateRow)
      .parse(rows)
      .some((row) => row.systemIdentifier !== null && row.systemIdentifier === systemIdentifier);
  });
}
