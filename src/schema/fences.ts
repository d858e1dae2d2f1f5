/**
 * Why a cursor cannot skip a row, as pure functions.
 *
 * `now()` is fixed when a transaction begins, so a row can be committed after our snapshot with a key below the
 * largest one we saw. Each sync therefore (1) reads the high-water mark, (2) then lists the transactions in
 * flight, (3) waits for them within a budget, (4) only then opens its snapshot. A transaction that commits later
 * than that snapshot either began after the list, so its keys are not below the mark, or is in the list and is
 * remembered in a fence: "may still bring rows at or above `from`". The cursor moves on; when the transaction has
 * ended, one window reaches down to `from` once.
 */
import { z } from 'zod';
import { highestCursor, lowestCursor, type KeyType } from './keys.ts';

export const fenceSchema = z.object({
  /** Null: the transaction began before anything was known of the table. */
  from: z.string().nullable(),
  /** pg_locks.virtualtransaction of each. */
  transactions: z.array(z.string()),
});

export type Fence = Readonly<z.infer<typeof fenceSchema>>;

/** A fence costs a line in the state; more marks than this are not worth telling apart. */
const MAX_FENCES = 16;

interface FencesBefore {
  readonly keyType: KeyType;
  /** The cursor that the previous sync left. */
  readonly cursor: string | null;
  readonly fences: readonly Fence[];
  /** False after a restart, a failover or a restore: the names of transactions mean nothing any more. */
  readonly isSameServerLife: boolean;
}

/** Where the window of this snapshot starts (before lookback). `alive` was listed inside the snapshot. */
export function windowStart(known: FencesBefore, alive: readonly string[]): string | null {
  const ended = known.fences.filter(
    (fence) => !known.isSameServerLife || fence.transactions.some((name) => !alive.includes(name)),
  );
  return lowestCursor(known.keyType, [known.cursor, ...ended.map((fence) => fence.from)]);
}

/**
 * The fences to keep: `remaining` are the transactions that had not ended when the snapshot was opened. `startOf`
 * gives the beginning of one as a key would show it, where that is visible.
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
  // Prepared before a restart of the server, it has another name now (-1/<xid>) and may be any of those known.
  const isRenamed = !known.isSameServerLife || (transaction.startsWith('-1/') && !fence);
  if (isRenamed) return settledCursor(known);
  // Not known last time, so it began after that list was made: its keys are not below that mark.
  return fence ? fence.from : known.cursor;
}

/** Merges the highest marks: a mark may always be lowered, which costs reading and loses nothing. */
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

/** Below this everything is in the destination, whatever is still in flight. */
export const settledCursor = ({ keyType, cursor, fences }: SettledFences): string | null =>
  keyType && lowestCursor(keyType, [cursor, ...fences.map((fence) => fence.from)]);
