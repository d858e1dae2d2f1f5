/** Finds differences between two ordered streams of rows, with one batch of each in memory. */
import { Keys, type HashedRow, type RowsOfKey } from './keys.ts';

export type RowDifference =
  /** At the source only. */
  | { readonly kind: 'missing'; readonly key: string; readonly rows?: number }
  /** At the destination only. `rows`: how many equal rows without a key; 1 if not set. */
  | { readonly kind: 'extra'; readonly key: string; readonly rows?: number }
  | { readonly kind: 'changed'; readonly key: string }
  /** At the source, new or changed since the last sync: the next sync reads it. `rows` as above. */
  | { readonly kind: 'waiting'; readonly key: string; readonly rows?: number }
  /** The row of the destination is newer, which `on_conflict: "last_update_wins"` allows. */
  | { readonly kind: 'newer'; readonly key: string }
  /** More than one row of this key. */
  | { readonly kind: 'duplicated'; readonly key: string; readonly side: 'source' | 'destination' };

/** Both streams are ordered by hash. A row that the next sync reads is `waiting`, whatever else it is. */
export async function* findDifferences(
  source: AsyncIterable<readonly HashedRow[]>,
  destination: AsyncIterable<readonly HashedRow[]>,
): AsyncGenerator<RowDifference> {
  const [left, right] = [new Keys(source), new Keys(destination)];
  let [a, b] = [await nextOf(left, right), await nextOf(right, left)];
  while (a || b) {
    const order = compare(a, b);
    for (const difference of judge(order <= 0 ? a : undefined, order >= 0 ? b : undefined)) yield difference;
    if (order <= 0) a = left.take() ?? (await nextOf(left, right));
    if (order >= 0) b = right.take() ?? (await nextOf(right, left));
  }
}

/**
 * Undefined at the end of the side. If it has to wait for its rows, the other side fetches at the same time, unless it
 * has enough. While differences are handed out, no statement is under way, because the caller may send some.
 */
async function nextOf(side: Keys, other: Keys): Promise<RowsOfKey | undefined> {
  for (;;) {
    const key = side.take();
    if (key || side.isComplete) return key;
    const fetches = [side.fetch(), ...(other.isLow ? [other.fetch()] : [])];
    await Promise.allSettled(fetches);
    await Promise.all(fetches);
  }
}

/** A side that has ended sorts after all rows. */
function compare(a: RowsOfKey | undefined, b: RowsOfKey | undefined): number {
  if (!a || !b) return a ? -1 : 1;
  const [left, right] = [a[0].hash, b[0].hash];
  return left < right ? -1 : Number(left > right);
}

const NONE: readonly RowDifference[] = [];

function judge(source: RowsOfKey | undefined, destination: RowsOfKey | undefined): readonly RowDifference[] {
  if ((source ?? destination)?.[0].copies !== undefined) return countCopies(source?.[0], destination?.[0]);
  const kind = kindOf(source, destination);
  if (!kind && !isTwice(source) && !isTwice(destination)) return NONE;
  const key = (source ?? destination)?.[0].key ?? '';
  const found: RowDifference[] = [];
  if (isTwice(source)) found.push({ kind: 'duplicated', key, side: 'source' });
  if (isTwice(destination)) found.push({ kind: 'duplicated', key, side: 'destination' });
  if (kind) found.push({ kind, key });
  return found;
}

function countCopies(
  source: HashedRow | undefined,
  destination: HashedRow | undefined,
): readonly RowDifference[] {
  const { key = '' } = source ?? destination ?? {};
  const { copies: there = 0, pendingCopies: pending = 0 } = source ?? {};
  const here = destination?.copies ?? 0;
  if (here > there) return [{ kind: 'extra', key, rows: here - there }];
  const missing = Math.max(0, there - pending - here);
  const waiting = there - here - missing;
  return [
    ...(missing > 0 ? [{ kind: 'missing', key, rows: missing } as const] : []),
    ...(waiting > 0 ? [{ kind: 'waiting', key, rows: waiting } as const] : []),
  ];
}

const isTwice = (rows: RowsOfKey | undefined): boolean => rows !== undefined && rows.length > 1;

function kindOf(
  source: RowsOfKey | undefined,
  destination: RowsOfKey | undefined,
): 'missing' | 'extra' | 'changed' | 'waiting' | 'newer' | undefined {
  if (!source) return 'extra';
  const isRight = destination?.some(({ content }) => source.some((row) => row.content === content));
  if (isRight === true) return undefined;
  if (source.some(({ pending }) => pending)) return 'waiting';
  if (!destination) return 'missing';
  return isNewer(destination, source) ? 'newer' : 'changed';
}

const isNewer = (rows: RowsOfKey, others: RowsOfKey): boolean =>
  rows.some(({ version }) => others.every((other) => compareVersions(version, other.version) > 0));

/** A row without a replication key is older than every row that has one. */
function compareVersions(left: string | null | undefined, right: string | null | undefined): number {
  const [a, b] = [rankOf(left), rankOf(right)];
  return a < b ? -1 : Number(a > b);
}

/** Greater than any bigint or timestamp of Postgres. */
const INFINITE = 10n ** 30n;

function rankOf(version: string | null | undefined): bigint {
  if (version === null || version === undefined) return -INFINITE - 1n;
  if (version === 'infinity') return INFINITE;
  return version === '-infinity' ? -INFINITE : BigInt(version);
}
