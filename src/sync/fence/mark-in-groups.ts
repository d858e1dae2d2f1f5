/**
 * Reads the keys for a high-water mark group by group. The largest keys of the groups come from different moments, but all of them
 * from before the list of transactions. A transaction that is not in the list begins later, so its keys are not below any of
 * them. If a group gets larger keys meanwhile, the mark is too low, which only costs reading.
 */
import * as z from 'zod';
import type { Database } from '../../postgres/database.ts';
import { TOP_ROWS } from '../../schema/integer-mark.ts';
import { compareCursors, highestCursor } from '../../schema/keys.ts';
import { highWaterMark, type MarkedRows } from '../../sql/fence.ts';
import { keyRows, topKeys } from '../../sql/partitions.ts';
import type { InGroups } from '../../sql/row-source.ts';
import { ensureSame, listGroups, whileUnchanged } from '../facts/partition-groups.ts';

const highRow = z.object({ high: z.string().nullable() });
const topRow = z.object({ keys: z.array(z.string()), lowest: z.string().nullable() });

/** In place of the rows: those keys of all groups that decide which key is the mark. */
export async function markInGroups(
  source: Database,
  marked: MarkedRows,
  inGroups: InGroups,
): Promise<MarkedRows> {
  const { replicationKey, keyType } = marked;
  const groups = await source.withReading((client) => listGroups(client, inGroups));
  let [keys, lowest]: [string[], string | null] = [[], null];
  const { timeZone } = await source.identity();
  for (const { rows, check } of groups) {
    const statement =
      keyType === 'integer' ? topKeys(rows, replicationKey) : highWaterMark({ ...marked, rows }, timeZone);
    const [answer, checked] = await whileUnchanged(inGroups, () => source.readAtOnce([statement, check]));
    ensureSame(inGroups, checked?.rows[0]);
    if (keyType === 'integer') {
      const found = topRow.parse(answer?.rows[0]);
      keys = [...keys, ...found.keys]
        .toSorted((one, other) => compareCursors(keyType, other, one))
        .slice(0, TOP_ROWS + 1);
      const low = found.lowest;
      lowest = lowest === null || (low !== null && compareCursors(keyType, low, lowest) < 0) ? low : lowest;
    } else {
      const high = highestCursor(keyType, keys[0] ?? null, highRow.parse(answer?.rows[0]).high);
      keys = high === null ? [] : [high];
    }
  }
  // Whether rows are below the end of the sequence. The top rows are as many as the mark reads, so one more does not count.
  const below = keys.length > TOP_ROWS && lowest !== null ? [lowest] : [];
  return { ...marked, rows: keyRows([...keys, ...below], marked) };
}
