/** Rows of the control database as points of charts: every period has one, also those without a row. Pure. */
import type { PeriodRow } from '../read/overview.ts';
import type { LagRow } from '../read/table.ts';

const MINUTE = 60_000;

/** The begins of the periods up to now, oldest first. */
export function periodsUntil(now: Date, minutes: number, count: number): readonly Date[] {
  const length = minutes * MINUTE;
  const last = Math.floor(now.getTime() / length) * length;
  return Array.from({ length: count }, (_, place) => new Date(last - (count - 1 - place) * length));
}

/** One value for each period. */
export function valuesIn<Row extends { readonly at: Date }>(
  periods: readonly Date[],
  rows: readonly Row[],
  valueOf: (row: Row) => number,
): readonly number[] {
  const known = new Map(rows.map((row) => [row.at.getTime(), valueOf(row)]));
  return periods.map((at) => known.get(at.getTime()) ?? 0);
}

export const rowsOf = ({ inserted, updated, deleted }: PeriodRow): number => inserted + updated + deleted;

export interface LagPoint {
  readonly at: Date;
  /** Seconds. Null before the first success. */
  readonly value: number | null;
}

/**
 * The longest lag in each half hour. A success ends a lag, so a period without a success has the lag that its end had: that of
 * the next success, or of now.
 */
export function lagPoints(rows: readonly LagRow[], lastSuccess: Date | null, now: Date): readonly LagPoint[] {
  const periods = periodsUntil(now, 30, 48);
  const spans = rows.map(({ endedAt, seconds }) => ({
    from: endedAt.getTime() - seconds * 1000,
    to: endedAt.getTime(),
  }));
  if (lastSuccess) spans.push({ from: lastSuccess.getTime(), to: now.getTime() });
  return periods.map((at) => {
    const [begin, end] = [at.getTime(), Math.min(at.getTime() + 30 * MINUTE, now.getTime())];
    const inside = spans.filter(({ from, to }) => from < end && to > begin);
    const lags = inside.map(({ from, to }) => (Math.min(to, end) - from) / 1000);
    return { at, value: lags.length === 0 ? null : Math.max(...lags) };
  });
}
