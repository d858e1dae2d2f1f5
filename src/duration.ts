/** Lengths of time as people write them: one whole number and one unit. */

const SECONDS_PER_UNIT = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 } as const;
type Unit = keyof typeof SECONDS_PER_UNIT;

/** Nine digits keep every unit far inside what Postgres's interval and a double can hold exactly. */
export const DURATION_PATTERN = /^(\d{1,9})(ms|s|m|h|d)$/;

/** What to tell someone whose duration was not understood. */
export const DURATION_FORMS = 'a duration such as "250ms", "10s", "5m", "24h" or "7d"';

/** Seconds, or undefined where the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = DURATION_PATTERN.exec(text) ?? [];
  if (count === undefined) return undefined;
  // Divided, not multiplied by 0.001, which would turn 3ms into 0.0030000000000000005 or the like.
  return unit === 'ms' ? Number(count) / 1000 : Number(count) * SECONDS_PER_UNIT[unit as Unit];
}

/** In the largest unit that says it with a whole number, so that what was parsed reads as it was written. */
export function formatDuration(seconds: number): string {
  const milliseconds = Math.round(seconds * 1000);
  if (milliseconds === 0) return '0s';
  const units: Unit[] = ['d', 'h', 'm', 's'];
  const unit = units.find((candidate) => milliseconds % (SECONDS_PER_UNIT[candidate] * 1000) === 0);
  return unit ? `${milliseconds / (SECONDS_PER_UNIT[unit] * 1000)}${unit}` : `${milliseconds}ms`;
}
