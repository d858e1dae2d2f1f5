/** The tables of a pipeline that are paused by themselves. */
import * as z from 'zod';
import type { ControlSession } from '../postgres/control-database.ts';
import { PAUSED_TABLES } from '../sql/control/claims.ts';

const tableRow = z.object({ table: z.string() });

export async function pausedTables(session: ControlSession, pipeline: string): Promise<readonly string[]> {
  const { rows } = await session.query(PAUSED_TABLES, [pipeline]);
  return z
    .array(tableRow)
    .parse(rows)
    .map(({ table }) => table);
}
