/**
 * Which warnings a run with `--quiet` and the text of the webhook report: a warning is reported when it is new, again when it has lasted an hour, and
 * then once a day. Also when it concerns twice as many rows as at the last report. A condition that comes and goes
 * counts as one that stays. An event is new each time. Pure.
 */
import * as z from 'zod';
import type { WarningEvent } from '../events.ts';

const standingSchema = z.object({
  /** Null for a warning of the run itself. */
  table: z.string().nullable(),
  /** Without its numbers and parentheses. */
  text: z.string(),
  /** The largest number of rows in the text at the last report. */
  rows: z.number().default(0),
  /** RFC 3339, both. */
  since: z.string(),
  reportedAt: z.string(),
  /** Whether the last run of the table had no such warning. */
  isAbsent: z.boolean().default(false),
});
export type StandingWarning = z.infer<typeof standingSchema>;

export const standingWarningsSchema = z.object({
  format: z.literal(1),
  /** Reported by quiet runs. */
  warnings: z.array(standingSchema),
  /** Reported in the text of the webhook. */
  webhook: z.array(standingSchema).default([]),
});

export interface CurrentWarning {
  /** Null for a warning of the run itself. */
  readonly table: string | null;
  readonly text: string;
  /** Undefined for a condition, which may come and go. */
  readonly event?: WarningEvent | undefined;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The same condition has the same text then, although sessions, counts and times in it differ from run to run. */
const withoutDetails = (text: string): string => text.replaceAll(/ \([^()]*\)/g, '').replaceAll(/\d+/g, '#');

const rowsIn = (text: string): number =>
  Math.max(0, ...[...text.matchAll(/\b(\d+) rows?\b/g)].map(([, rows]) => Number(rows)));

interface Reporting {
  /** What the runs before have reported. */
  readonly known: readonly StandingWarning[];
  readonly current: readonly CurrentWarning[];
  /** The tables of this run; what is known of another table stays. */
  readonly tables: ReadonlySet<string>;
  readonly now: Date;
}

/** `due` are those of `current` to be reported. */
export function reportDue({ known, current, tables, now }: Reporting): {
  readonly due: readonly CurrentWarning[];
  readonly known: StandingWarning[];
} {
  const time = now.toISOString();
  const due: CurrentWarning[] = [];
  const isOfOtherTable = ({ table }: StandingWarning) => table !== null && !tables.has(table);
  const isRecent = ({ reportedAt }: StandingWarning) =>
    Math.abs(now.getTime() - Date.parse(reportedAt)) < DAY_MS;
  const isCurrent = (standing: StandingWarning) =>
    current.some(({ table, text }) => standing.table === table && standing.text === withoutDetails(text));
  const next = known
    .filter((standing) => isOfOtherTable(standing) || (isRecent(standing) && !isCurrent(standing)))
    .map((standing) => (isOfOtherTable(standing) ? standing : { ...standing, isAbsent: true }));
  for (const warning of current) {
    const { table } = warning;
    const text = withoutDetails(warning.text);
    const isSame = (other: StandingWarning) => other.table === table && other.text === text;
    const before = known.find(isSame);
    const rows = rowsIn(warning.text);
    const hasGrown = before !== undefined && before.rows > 0 && rows >= 2 * before.rows;
    const isNew =
      before === undefined || warning.event === 'single' || (warning.event === 'repeated' && before.isAbsent);
    const isDue = isNew || hasGrown || isReportDue(before, now.getTime());
    if (isDue) due.push(warning);
    const reportedAt = isDue ? time : before.reportedAt;
    const since = isNew ? time : before.since;
    if (!next.some(isSame))
      next.push({ table, text, rows: isDue ? rows : before.rows, since, reportedAt, isAbsent: false });
  }
  return { due, known: next };
}

function isReportDue({ since, reportedAt }: StandingWarning, now: number): boolean {
  const [begun, reported] = [Date.parse(since), Date.parse(reportedAt)];
  // A clock that was set back must not silence a warning for long.
  if (!(reported <= now)) return true;
  const hasLasted = reported >= begun + HOUR_MS;
  return now >= (hasLasted ? reported + DAY_MS : begun + HOUR_MS);
}
