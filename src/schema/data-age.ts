/** How old the data of a copy is: the one definition behind `status`, metrics and alerts. */
import { settledCursor } from './fences.ts';
import type { StateRecord } from './state-record.ts';

type AgeEvidence = Pick<StateRecord, 'fencedAt' | 'cursor' | 'fences' | 'keyType'>;

/**
 * The latest moment (of this machine's clock) for which the copy is known to hold everything. While transactions are
 * open that may still bring older rows, it lies as far before the last sync as their mark lies below the cursor.
 * Undefined where that cannot be told: integers are no clock, and of some transactions no mark is known.
 */
export function completeAt(record: AgeEvidence): Date | undefined {
  const fencedAt = Date.parse(record.fencedAt);
  if (record.fences.length === 0) return new Date(fencedAt);
  const [cursor, settled] = [
    millisecondsOf(record, record.cursor),
    millisecondsOf(record, settledCursor(record)),
  ];
  if (cursor === undefined || settled === undefined) return undefined;
  return new Date(fencedAt - Math.max(0, cursor - settled));
}

/** Two keys of one column are in the same zone, whichever that is, so their distance is right. */
function millisecondsOf({ keyType }: AgeEvidence, key: string | null): number | undefined {
  if (key === null || keyType === null || keyType === 'integer') return undefined;
  const text = keyType === 'date' ? key : `${key.replace(' ', 'T').replace(/[+-]\d\d(:\d\d)?$/, '')}Z`;
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}
