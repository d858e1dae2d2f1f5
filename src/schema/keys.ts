/** Replication keys: which types can order changes, and how their printed values compare. */
import type { Column } from './columns.ts';

export const KEY_TYPES = ['timestamptz', 'timestamp', 'date', 'integer'] as const;
export type KeyType = (typeof KEY_TYPES)[number];

/** The kind of key that a column makes, or undefined when it cannot order changes. */
export function keyTypeOf(column: Column): KeyType | undefined {
  const type = column.base.type.replace(/\(\d+\)/, '');
  if (type === 'timestamp with time zone') return 'timestamptz';
  if (type === 'timestamp without time zone') return 'timestamp';
  if (type === 'date') return 'date';
  return ['smallint', 'integer', 'bigint'].includes(type) ? 'integer' : undefined;
}

/**
 * Orders two cursors. Cursors are printed by Postgres as ISO in UTC and their years have four digits (the
 * high-water mark leaves all others out), so their text sorts as they do; integers do not.
 */
export function compareCursors(type: KeyType, left: string, right: string): number {
  if (type === 'integer')
    return Number(BigInt(left) - BigInt(right) > 0n) - Number(BigInt(left) - BigInt(right) < 0n);
  return left < right ? -1 : Number(left > right);
}

/** The lowest of them, where null means "below everything". */
export function lowestCursor(type: KeyType, cursors: readonly (string | null)[]): string | null {
  return cursors.reduce((lowest, cursor) => {
    if (lowest === null || cursor === null) return null;
    return compareCursors(type, cursor, lowest) < 0 ? cursor : lowest;
  }, cursors[0] ?? null);
}

/** The higher of two, where null means "below everything". */
export function highestCursor(type: KeyType, left: string | null, right: string | null): string | null {
  if (left === null || right === null) return left ?? right;
  return compareCursors(type, left, right) < 0 ? right : left;
}
