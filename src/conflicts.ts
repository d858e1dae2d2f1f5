/** Conflicts: rows that the source brings and that others have changed at the destination. Counted by resolution. */
import * as z from 'zod';

/** Which row won, or that the columns of `merge` got a value from both. */
export const RESOLUTIONS = ['source', 'destination', 'merged'] as const;
type Resolution = (typeof RESOLUTIONS)[number];

const count = z.number().default(0);

export const conflictCountsSchema = z.object({ source: count, destination: count, merged: count });
export type ConflictCounts = Readonly<Record<Resolution, number>>;

/** Undefined if neither is counted. */
export function addConflicts(
  one: ConflictCounts | undefined,
  other: ConflictCounts | undefined,
): ConflictCounts | undefined {
  if (!one || !other) return one ?? other;
  return {
    source: one.source + other.source,
    destination: one.destination + other.destination,
    merged: one.merged + other.merged,
  };
}

export const totalConflicts = ({ source, destination, merged }: ConflictCounts): number =>
  source + destination + merged;
