import type { KeyType } from '../../schema/keys.ts';

/** The older script rounded up to the next millisecond; a second covers that and every rounding before it. */
const STEP_BACK_MS = 1000;

/** Longer than clocks ever go forward at once. */
const LONGEST_LEAP_MS = 2 * 3_600_000;

/**
 * Where a window starts that takes over from the older script. It read keys as this process's local time and
 * wrote them as UTC, so a key without a time zone has to go the same way back.
 */
export function legacyStart(isoTimestamp: string, keyType: KeyType): string {
  const instant = Date.parse(isoTimestamp) - STEP_BACK_MS;
  if (keyType === 'timestamptz') return `${printed(instant)}+00`;
  // A wall clock that is skipped in spring was read as the one an hour later: the offset before the leap leads back.
  const offsets = [instant, instant - LONGEST_LEAP_MS].map(
    (at) => -new Date(at).getTimezoneOffset() * 60_000,
  );
  return printed(instant + Math.min(...offsets));
}

const printed = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().slice(0, -1).replace('T', ' ');
