import type { KeyType } from '../../schema/keys.ts';

/** The older script rounded up to the next millisecond. A second covers that and every earlier rounding. */
const STEP_BACK_MS = 1000;

/** Longer than any change to daylight saving time. */
const LONGEST_LEAP_MS = 2 * 3_600_000;

/**
 * The start of the window that continues from a state file of the older script. The script read keys as local time of
 * its process and wrote them as UTC. A key without a time zone therefore needs the reverse conversion.
 */
export function legacyStart(isoTimestamp: string, keyType: KeyType): string {
  const instant = Date.parse(isoTimestamp) - STEP_BACK_MS;
  if (keyType === 'timestamptz') return `${printed(instant)}+00`;
  // The script read a local time that spring skips as one hour later. The offset before the change reverses that.
  const offsets = [instant, instant - LONGEST_LEAP_MS].map(
    (at) => -new Date(at).getTimezoneOffset() * 60_000,
  );
  return printed(instant + Math.min(...offsets));
}

const printed = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().slice(0, -1).replace('T', ' ');
