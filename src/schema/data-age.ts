/** The age of the data in a destination table. `status`, metrics and alerts share this definition. */
import { settledCursor } from './fence-rules.ts';
import type { StateRecord } from './state-record.ts';

export type AgeEvidence = Pick<StateRecord, 'fencedAt' | 'cursor' | 'fences' | 'keyType'>;

/**
 * The latest time (by this machine's clock) up to which the destination table is complete. If open transactions may
 * still commit older rows, it is as long before the last sync as their fence is below the cursor. Undefined if that is
 * unknown: integers have no clock, and a fence may have no lower bound.
 * @param unchangedAt when a later run found no changes, and left the record as it was
 */
export function completeAt(record: AgeEvidence, unchangedAt?: Date): Date | undefined {
  const fencedAt = Date.parse(record.fencedAt);
  if (record.fences.length === 0) return new Date(Math.max(fencedAt, unchangedAt?.getTime() ?? -Infinity));
  const [cursor, settled] = [
    millisecondsOf(record, record.cursor),
    millisecondsOf(record, settledCursor(record)),
  ];
  if (cursor === undefined || settled === undefined) return undefined;
  return new Date(fencedAt - Math.max(0, cursor - settled));
}

/** Two keys of one column are in the same time zone, so the zone does not change their distance. */
function millisecondsOf({ keyType }: AgeEvidence, key: string | null): number | undefined {
  if (key === null || keyType === null || keyType === 'integer') return undefined;
  const text = keyType === 'date' ? key : `${key.replace(' ', 'T').replace(/[+-]\d\d(:\d\d)?$/, '')}Z`;
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}
