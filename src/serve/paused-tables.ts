/** The tables of a pipeline that are paused by themselves. */
import * as z from 'zod';
import type { ControlSession } from '../postgres/control-database.ts';
import { PAUSED_TABLES } from '../sql/control/claims.ts';

const tableRow = z.object({ table: z.string(), hasCrashed: z.boolean() });

export type PausedTable = z.infer<typeof tableRow>;

export async function pausedTables(
  session: ControlSession,
  pipeline: string,
): Promise<readonly PausedTable[]> {
  return z.array(tableRow).parse((await session.query(PAUSED_TABLES, [pipeline])).rows);
}
