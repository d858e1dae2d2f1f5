/** Replication keys: the types that can order changes, and the order of their printed values. */
import type { Column } from './columns.ts';

export const KEY_TYPES = ['timestamptz', 'timestamp', 'date', 'integer'] as const;
export type KeyType = (typeof KEY_TYPES)[number];

/** The key type of a column. Undefined if its type cannot order changes. */
export function keyTypeOf(column: Column): KeyType | undefined {
  const type = column.base.type.replace(/\(\d+\)/, '');
  if (type === 'timestamp with time zone') return 'timestamptz';
  if (type === 'timestamp without time zone') return 'timestamp';
  if (type === 'date') return 'date';
  return ['smallint', 'integer', 'bigint'].includes(type) ? 'integer' : undefined;
}

/**
 * Orders two cursors. Postgres prints time cursors as ISO in UTC, with years of four digits (the high-water mark
 * excludes all others). So their texts sort like the times. Integers need a numeric comparison.
 */
export function compareCursors(type: KeyType, left: string, right: string): number {
  if (type === 'integer')
    return Number(BigInt(left) - BigInt(right) > 0n) - Number(BigInt(left) - BigInt(right) < 0n);
  return left < right ? -1 : Number(left > right);
}

/** The lowest cursor. Null means "below everything". */
export function lowestCursor(type: KeyType, cursors: readonly (string | null)[]): string | null {
  return cursors.reduce((lowest, cursor) => {
    if (lowest === null || cursor === null) return null;
    return compareCursors(type, cursor, lowest) < 0 ? cursor : lowest;
  }, cursors[0] ?? null);
}

/** The higher of two cursors. Null means "below everything". */
export function highestCursor(type: KeyType, left: string | null, right: string | null): string | null {
  if (left === null || right === null) return left ?? right;
  return compareCursors(type, left, right) < 0 ? right : left;
}
