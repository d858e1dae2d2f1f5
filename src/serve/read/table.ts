/** One table: its state, its limits and its history. */
import * as z from 'zod';
import type { ControlSession } from '../../postgres/control-database.ts';
import { READ_LAGS, READ_TABLE_STATE } from '../../sql/control/read/details.ts';
import { maybeTime, rowsWaiting, tableInState, tableOutcome, time } from './rows.ts';

const settings = z
  .object({
    mode: z.string(),
    replication_key: z.string().nullable(),
    unique_cols: z.array(z.string()),
    source_table: z.string(),
    destination_table: z.string(),
    deletes: z.string(),
  })
  .partial();

const table = tableInState.extend({
  rowsWaiting,
  needsAttention: z.boolean(),
  errorCode: z.string().nullable(),
  /** Seconds. */
  behindAfter: z.number().nullable(),
  staleAfter: z.number().nullable(),
  settings,
  /** For each destination, of the last sync with changes or with an error. */
  outcome: z.array(tableOutcome).nullable(),
  /** The entry of the schedule that the table follows. Empty for that of the pipeline. */
  entry: z.string(),
  crashes: z.number(),
  lastAttemptAt: maybeTime,
  now: time,
});
export type TableDetails = z.infer<typeof table>;

export async function readTable(
  session: ControlSession,
  pipeline: string,
  name: string,
): Promise<TableDetails | undefined> {
  return table.optional().parse((await session.query(READ_TABLE_STATE, [pipeline, name])).rows[0]);
}

const lagRow = z.object({ at: time, seconds: z.number(), endedAt: time });
export type LagRow = z.infer<typeof lagRow>;

/** Of 24 hours, oldest first: for each half hour, the longest time without a success that ended in it. */
export async function readLags(
  session: ControlSession,
  pipeline: string,
  name: string,
): Promise<readonly LagRow[]> {
  return z.array(lagRow).parse((await session.query(READ_LAGS, [pipeline, name])).rows);
}
