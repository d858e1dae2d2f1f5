/**
 * The rules by which a cursor never skips a row. Pure.
 *
 * `now()` is fixed when a transaction begins. A row can therefore be committed after the snapshot with a key below the
 * largest key in it. Each sync (1) reads the high-water mark, (2) then lists the transactions in flight, (3) waits for
 * them within a budget, (4) only then opens its snapshot. A transaction that commits after the snapshot either began
 * after the list, so that its keys are not below the mark, or is in the list. A fence records a listed transaction: it
 * may still commit rows at or above `from`. The cursor always advances. When the transaction has ended, one window
 * starts at `from`.
 */
import * as z from 'zod';
import { highestCursor, lowestCursor, type KeyType } from './keys.ts';

export const fenceSchema = z.object({
  /** Null: the transaction may have written any row, because it began before the first sync of the table. */
  from: z.string().nullable(),
  /** pg_locks.virtualtransaction of each. */
  transactions: z.array(z.string()),
  /**
   * The oldest of them began at this time or before: its start if it is visible, otherwise when increp listed it first.
   * This machine's clock, RFC 3339. Missing in older records.
   */
  openSince: z.string().optional(),
  /** None of them began before this time: the start of the oldest, or the last sync that did not list it. Missing if unknown. */
  openAfter: z.string().optional(),
});

export type Fence = Readonly<z.infer<typeof fenceSchema>>;

/** A fence costs a line in the state. With more fences, the highest ones are merged. */
const MAX_FENCES = 16;

interface FencesBefore {
  readonly keyType: KeyType;
  /** The cursor that the previous sync left. */
  readonly cursor: string | null;
  readonly fences: readonly Fence[];
  /** False after a restart, a failover or a restore: transaction IDs of another server instance are not comparable. */
  readonly isSameServerInstance: boolean;
}

/** The start of the window, without lookback. `openTransactions`: listed in the snapshot. */
export function windowStart(known: FencesBefore, openTransactions: readonly string[]): string | null {
  const ended = known.fences.filter(
    (fence) =>
      !known.isSameServerInstance || fence.transactions.some((name) => !openTransactions.includes(name)),
  );
  return lowestCursor(known.keyType, [known.cursor, ...ended.map((fence) => fence.from)]);
}

/**
 * The fences to save. `remaining`: the transactions that were open when the snapshot was opened. `startOf`: the start
 * time of a transaction, printed like a key, if it is visible.
 */
export function nextFences(
  known: FencesBefore,
  remaining: readonly string[],
  startOf: (transaction: string) => string | null = () => null,
): Fence[] {
  const byMark = new Map<string | null, string[]>();
  for (const transaction of remaining) {
    const from = highestCursor(known.keyType, markOf(known, transaction), startOf(transaction));
    byMark.set(from, [...(byMark.get(from) ?? []), transaction]);
  }
  return bounded(
    known.keyType,
    [...byMark].map(([from, transactions]) => ({ from, transactions })),
  );
}

function markOf(known: FencesBefore, transaction: string): string | null {
  const fence = known.fences.find(({ transactions }) => transactions.includes(transaction));
  // A transaction that was prepared has another virtual ID (-1/<xid>) after a restart. It may be any of the known ones.
  const isRenamed = !known.isSameServerInstance || (transaction.startsWith('-1/') && !fence);
  if (isRenamed) return settledCursor(known);
  // A transaction that the last list does not have began after it, so its keys are not below the mark of that time.
  return fence ? fence.from : known.cursor;
}

/** Merges the highest marks. A lower mark is always safe: it only costs reading. */
function bounded(keyType: KeyType, fences: readonly Fence[]): Fence[] {
  if (fences.length <= MAX_FENCES) return [...fences];
  const sorted = fences.toSorted((a, b) => {
    if (a.from === b.from) return 0;
    return lowestCursor(keyType, [a.from, b.from]) === a.from ? -1 : 1;
  });
  const kept = sorted.slice(0, MAX_FENCES - 1);
  const merged = sorted.slice(MAX_FENCES - 1);
  return [
    ...kept,
    { from: merged[0]?.from ?? null, transactions: merged.flatMap((fence) => fence.transactions) },
  ];
}

interface SettledFences extends Pick<FencesBefore, 'cursor' | 'fences'> {
  /** Null for a table without a replication key, which has no cursor. */
  readonly keyType: KeyType | null;
}

/** Below this key the destination table is complete, even with transactions in flight. */
export const settledCursor = ({ keyType, cursor, fences }: SettledFences): string | null =>
  keyType && lowestCursor(keyType, [cursor, ...fences.map((fence) => fence.from)]);
