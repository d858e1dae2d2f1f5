/** The age of the data in a destination table. `status`, metrics and alerts share this definition. */
import { isToCome } from './clock-error.ts';
import { settledCursor } from './fence-rules.ts';
import type { StateRecord } from './state-record.ts';

export type AgeEvidence = Pick<StateRecord, 'fencedAt' | 'sourceTime' | 'cursor' | 'fences' | 'keyType'>;

/**
 * The latest time (by this machine's clock) up to which the destination table is complete. If open transactions may
 * still commit older rows, it is when the oldest may have begun, or as long before the last sync as their fence is below
 * the cursor, whichever is later. Undefined if both are unknown: integers have no clock, and a fence may have no lower
 * bound. If the last sync is still to come by this machine's clock, that clock was ahead, and the source's clock counts.
 * @param unchangedAt when a later run found no changes, and left the record as it was
 */
export function completeAt(record: AgeEvidence, now: Date, unchangedAt?: Date): Date | undefined {
  const isAhead = isToCome(record.fencedAt, now);
  const fencedAt = Date.parse(isAhead ? record.sourceTime : record.fencedAt);
  if (record.fences.length === 0) {
    const isKnown = unchangedAt !== undefined && !isToCome(unchangedAt.toISOString(), now);
    return new Date(Math.max(fencedAt, isKnown ? unchangedAt.getTime() : -Infinity));
  }
  const [cursor, settled] = [
    millisecondsOf(record, record.cursor),
    millisecondsOf(record, settledCursor(record)),
  ];
  const earliest = earliestStart(record);
  const times = [
    ...(cursor === undefined || settled === undefined ? [] : [fencedAt - Math.max(0, cursor - settled)]),
    ...(isAhead || !earliest ? [] : [earliest.getTime()]),
  ];
  return times.length === 0 ? undefined : new Date(Math.min(fencedAt, Math.max(...times)));
}

/** No transaction that the last sync left open began before this time. Undefined without one, or if it is unknown. */
export function earliestStart({ fences }: Pick<AgeEvidence, 'fences'>): Date | undefined {
  const starts = fences.flatMap(({ openAfter }) => openAfter ?? []);
  return starts.length === 0 || starts.length < fences.length
    ? undefined
    : new Date(Math.min(...starts.map((start) => Date.parse(start))));
}

/** Two keys of one column are in the same time zone, so the zone does not change their distance. */
function millisecondsOf({ keyType }: AgeEvidence, key: string | null): number | undefined {
  if (key === null || keyType === null || keyType === 'integer') return undefined;
  const text = keyType === 'date' ? key : `${key.replace(' ', 'T').replace(/[+-]\d\d(:\d\d)?$/, '')}Z`;
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}
