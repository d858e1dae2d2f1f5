/** Values of tables and runs as text and HTML. Pure. */
import { html } from 'hono/html';
import {
  formatConflicts,
  formatBytes,
  formatCount,
  formatCounted,
  formatSeconds,
  formatTimeLeft,
} from '../../format.ts';
import { formatDuration } from '../../duration.ts';
import { addConflicts, type ConflictCounts } from '../../conflicts.ts';
import { formatAge } from '../../report/age.ts';
import { pastHint } from '../../schema/run-record.ts';
import type {
  AttemptRow,
  FailureRow,
  OutcomeRow,
  ProgressRow,
  ScheduleText,
  WaitingCount,
} from '../read/rows.ts';
import { ago, NONE, quiet, secondsBetween, until, type Content, type Html } from './html.ts';

/** `every 30s`, or the fields of cron with their time zone. */
export const scheduleText = ({ seconds, expression, timeZone }: ScheduleText): string =>
  seconds === null ? `${expression ?? ''} (${timeZone ?? ''})` : `every ${formatDuration(seconds)}`;

/** `every 30s, next in 12 s`. A schedule that is paused goes on, but its runs are left out. */
export const dueText = (
  schedule: ScheduleText & { readonly dueAt: Date; readonly problem: string | null },
  { isPaused, now }: { readonly isPaused: boolean; readonly now: Date },
): Html => {
  const due = isPaused ? 'paused' : html`next ${until(schedule.dueAt, now)}`;
  return html`${scheduleText(schedule)}, ${schedule.problem ?? due}`;
};

/** `40 s of 5 min`. */
export function lagText(lag: number | null, limit: number | null): Content {
  if (lag === null) return NONE;
  return limit === null
    ? html`${formatAge(lag)} ${quiet('no limit')}`
    : html`${formatAge(lag)} ${quiet(`of ${formatAge(limit)}`)}`;
}

/** Seconds after which a count needs its time. */
const FRESH = 120;

/** `12`, `10,000 or more`, or `not known`. While a sync runs, the rows wait until its commit. */
export function waitingText(
  { rows, isMore, at, unknown = 0 }: WaitingCount & { readonly unknown?: number },
  now: Date,
): Content {
  if (rows === null) return quiet('not known');
  const isOld = at !== null && secondsBetween(at, now) > FRESH;
  const more = [
    ...(isMore ? ['or more'] : []),
    ...(unknown > 0 ? [`and ${formatCounted(unknown, 'table')} not known`] : []),
  ].join(', ');
  return html`${formatCount(rows)}${more === '' ? '' : html` ${quiet(more)}`}${isOld ? html` ${quiet(ago(at, now))}` : ''}`;
}

/** A text with several lines may show a place of a file, so its spaces stay. */
export const textBlock = (text: string): Html =>
  text.includes('\n') ? html`<pre class="mono">${text}</pre>` : html`<p>${text}</p>`;

/** What happened, and what to do about it. */
export const failureText = ({ code, message, hint }: FailureRow): Html =>
  html`<div class="cause">
    ${textBlock(message)}
    <p class="quiet">${pastHint(code, hint)} <code>${code}</code></p>
  </div>`;

/** The first error of a table at its destinations. */
export const failureOf = (outcome: readonly OutcomeRow[] | null): FailureRow | undefined =>
  outcome?.find(({ error }) => error)?.error ?? undefined;

export interface RowSums {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly read: number;
  readonly bytes: number;
  readonly conflicts: ConflictCounts | undefined;
}

export function sumsOf(outcomes: readonly OutcomeRow[]): RowSums {
  const sum = (of: (outcome: OutcomeRow) => number) =>
    outcomes.reduce((total, outcome) => total + of(outcome), 0);
  return {
    inserted: sum((outcome) => outcome.rows_inserted),
    updated: sum((outcome) => outcome.rows_updated),
    deleted: sum((outcome) => outcome.rows_deleted),
    read: sum((outcome) => outcome.rows_read),
    bytes: sum(({ bytes }) => bytes),
    conflicts: outcomes
      .map(({ conflicts }) => conflicts ?? undefined)
      .reduce((total, counts) => addConflicts(total, counts), undefined),
  };
}

/** `+12 ~3 −1`, with words for screen readers. */
export function rowsText({ inserted, updated, deleted, conflicts }: RowSums): Content {
  if (inserted + updated + deleted === 0) return '0';
  const parts = [
    { sign: '+', word: 'inserted', count: inserted },
    { sign: '~', word: 'updated', count: updated },
    { sign: '−', word: 'deleted', count: deleted },
  ].filter(({ count }) => count > 0);
  return html`${parts.map(
    ({ sign, word, count }) =>
      html`<span title="${formatCount(count)} rows ${word}"
        ><span aria-hidden="true">${sign}</span>${formatCount(count)}<span class="unseen">
          ${word}</span
        ></span
      > `,
  )}${conflicts ? quiet(formatConflicts(conflicts)) : ''}`;
}

/** The outcomes of the table of an attempt, one for each destination. */
export const ownOutcomes = ({ outcome, table }: AttemptRow): readonly OutcomeRow[] =>
  (outcome?.tables ?? []).filter(({ name }) => name === table);

export const secondsOf = ({ startedAt, finishedAt, progress }: AttemptRow, now: Date): number =>
  finishedAt || progress.seconds === 0
    ? ((finishedAt ?? now).getTime() - startedAt.getTime()) / 1000
    : (now.getTime() - startedAt.getTime()) / 1000;

/** Bytes of a copy that is under way, its speed and the time that it needs. */
export function speedOf({ phases, seconds, bytes, rows, estimatedRows }: ProgressRow): {
  readonly perSecond: number | undefined;
  readonly secondsLeft: number | undefined;
} {
  const copy = phases.at(-1);
  const copying = copy?.phase === 'copy' ? seconds - copy.at : 0;
  if (copying < 1 || bytes === 0) return { perSecond: undefined, secondsLeft: undefined };
  const isKnown = rows !== null && rows > 0 && estimatedRows !== null && estimatedRows > rows;
  return {
    perSecond: bytes / copying,
    secondsLeft: isKnown ? ((estimatedRows - rows) / rows) * copying : undefined,
  };
}

/** The phase of a running attempt, with what it waits for. */
export function phaseText({ phase, progress }: AttemptRow): Content {
  const { waitsFor, chunks } = progress;
  return html`${phase ?? 'begins'}${waitsFor === null ? '' : html` ${quiet(`waits for ${waitsFor}`)}`}${
    chunks
      ? html` <progress value="${chunks.done}" max="${chunks.of}" aria-label="Loaded chunks"></progress>
          ${quiet(`${chunks.done} of ${chunks.of} chunks`)}`
      : ''
  }`;
}

export const progressCells = (attempt: AttemptRow, now: Date): readonly Content[] => {
  const { bytes, rows } = attempt.progress;
  const { perSecond, secondsLeft } = speedOf(attempt.progress);
  return [
    phaseText(attempt),
    rows === null ? NONE : formatCount(rows),
    bytes === 0 ? NONE : formatBytes(bytes),
    perSecond === undefined ? NONE : `${formatBytes(perSecond)}/s`,
    secondsLeft === undefined ? NONE : formatTimeLeft(secondsLeft),
    formatSeconds(secondsOf(attempt, now)),
  ];
};

export const workerText = ({
  host,
  process,
  worker,
}: Pick<AttemptRow, 'host' | 'process' | 'worker'>): string =>
  host === null ? `worker ${worker.slice(0, 8)}` : `${host}:${process ?? ''}`;
