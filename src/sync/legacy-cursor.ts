import type { KeyType } from '../schema/keys.ts';

/** The older script rounded up to the next millisecond; a second covers that and every rounding before it. */
const STEP_BACK_MS = 1000;

/**
 * Where a window starts that takes over from the older script. It read keys as this process's local time and
 * wrote them as UTC, so a key without a time zone has to go the same way back.
 */
export function legacyStart(isoTimestamp: string, keyType: KeyType): string {
  const instant = new Date(Date.parse(isoTimestamp) - STEP_BACK_MS);
  if (keyType === 'timestamptz') return `${instant.toISOString().slice(0, -1).replace('T', ' ')}+00`;
  const wallClock = new Date(instant.getTime() - instant.getTimezoneOffset() * 60_000);
  return wallClock.toISOString().slice(0, -1).replace('T', ' ');
}
