/** Durations as people write them: one whole number and one unit. */

const SECONDS_PER_UNIT = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 } as const;
type Unit = keyof typeof SECONDS_PER_UNIT;

/** With nine digits, every unit is exact in an interval of Postgres and in a double. */
export const DURATION_PATTERN = /^(\d{1,9})(ms|s|m|h|d)$/;

export const DURATION_EXAMPLES = '"250ms", "10s", "5m", "24h" or "7d"';
/** The allowed forms, for messages about an invalid duration. */
export const DURATION_FORMS = `a duration such as ${DURATION_EXAMPLES}`;

/** The number of seconds; undefined if the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = DURATION_PATTERN.exec(text) ?? [];
  if (count === undefined) return undefined;
  // A division, because 3 * 0.001 is not exactly 0.003.
  return unit === 'ms' ? Number(count) / 1000 : Number(count) * SECONDS_PER_UNIT[unit as Unit];
}

/** Uses the largest unit that gives a whole number, so that a parsed duration prints as it was written. */
export function formatDuration(seconds: number): string {
  const milliseconds = Math.round(seconds * 1000);
  if (milliseconds === 0) return '0s';
  const units: Unit[] = ['d', 'h', 'm', 's'];
  const unit = units.find((candidate) => milliseconds % (SECONDS_PER_UNIT[candidate] * 1000) === 0);
  return unit ? `${milliseconds / (SECONDS_PER_UNIT[unit] * 1000)}${unit}` : `${milliseconds}ms`;
}
