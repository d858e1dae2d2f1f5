/** The lines below one table in `status`: what is wrong with it, since when, and the next step. */
import { capitalized, formatConflicts, utcTime } from '../format.ts';
import { totalConflicts, type ConflictCounts } from '../conflicts.ts';
import { formatAge } from './age.ts';
import { shortCursor } from './cursor.ts';
import {
  failureBefore,
  failureIn,
  failureWord,
  type KnownSince,
  type RunRecord,
} from '../schema/run-record.ts';
import { lastDeletesText, type DeletesState } from './deletes-text.ts';
import { codesText } from './error.ts';
import { lossStep } from './lost-rows.ts';
import { requestedText } from './requested-loads.ts';
import { sameFailure, type ToldFailures } from './same-failure.ts';
import { printable, printableLine } from './text.ts';
import { limitWords, type OverLimit } from './verify.ts';
import { onlyAtDestination, tableCommand } from '../shell-word.ts';

interface PrintedFailure {
  readonly started_at: string;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly error_hint: string | null;
  readonly sqlstate: string | null;
}

export interface PrintedStatus {
  readonly name: string;
  readonly condition: string;
  readonly needsAttention: boolean;
  readonly failures: number;
  /** Whether there is a saved state for the next sync, as far as it was read. */
  readonly hasState: boolean;
  /** The time of a reset since the last sync. */
  readonly resetAt: Date | undefined;
  readonly cursor: string | null;
  readonly completeUpTo: string | null;
  readonly openSince?: Date | undefined;
  readonly openAfter?: Date | undefined;
  readonly lastSuccessAt: Date | undefined;
  /** No success is known, but there may have been one. */
  readonly mayHaveSucceeded?: boolean;
  readonly lagSeconds: number | undefined;
  readonly rowsLastDay: number;
  readonly conflictsLastDay?: ConflictCounts | undefined;
  readonly lastFailure: PrintedFailure | undefined;
  readonly knownSince?: KnownSince | undefined;
  readonly lastRun: RunRecord | undefined;
  /** The newest run that did not fail. */
  readonly lastOk?: RunRecord | undefined;
  /** The commit of the newest sync. */
  readonly syncedAt?: Date | undefined;
  /** The run that syncs it now. */
  readonly activeRun?: string | undefined;
  readonly drift:
    | { readonly what: string; readonly next: string; readonly isRefused?: boolean; readonly action?: string }
    | undefined;
  readonly refusal: { readonly code: string; readonly message: string; readonly next: string } | undefined;
  readonly difference?:
    | {
        readonly message: string;
        readonly since: string;
        readonly only?: 'extra' | 'duplicated-at-source' | null;
        readonly foundBy?: string;
        readonly overLimit?: OverLimit | null;
      }
    | undefined;
  /** A load that `sync --full-refresh` has not done. */
  readonly requestedLoad?: { readonly since: string } | undefined;
  readonly pendingLoad: { readonly done: number; readonly of: number } | undefined;
  readonly deletes?: DeletesState | undefined;
}

export const isOverdue = ({ condition }: PrintedStatus): boolean =>
  condition === 'stale' || condition === 'late';

export const secondsSince = (date: Date, now: Date): number => (now.getTime() - date.getTime()) / 1000;

interface Details {
  readonly told: ToldFailures;
  readonly now: Date;
  /** Whether the end has the failures and drifts of all tables, or the step of overdue tables, because there are many. */
  readonly isMany: { readonly failures: boolean; readonly drifts: boolean; readonly overdue: boolean };
  readonly overdueStep: string;
  /** Undefined if the pipeline has one destination. */
  readonly destination: string | undefined;
}

const conflictDetails = ({ conflictsLastDay: counts }: PrintedStatus): string[] =>
  counts && totalConflicts(counts) > 0 ? [`${formatConflicts(counts)} in the last 24 hours`] : [];

/** An error of many tables, such as an unreachable destination, is printed once. */
export function detailsOf(
  table: PrintedStatus,
  { told, now, isMany, overdueStep, destination }: Details,
): string[] {
  return [
    ...(table.activeRun === undefined ? [] : [`running: ${printableLine(table.activeRun)}`]),
    ...(isMany.failures ? [] : failureDetails(table, told, now)),
    ...(isMany.drifts ? [] : driftDetails(table)),
    ...refusalDetails(table, told),
    ...differenceDetails(table, { now, destination }),
    ...conflictDetails(table),
    ...stoppedDetails(table, now),
    ...(isOverdue(table) && !isMany.overdue ? [overdueStep] : []),
    ...(table.resetAt
      ? [`reset ${formatAge(secondsSince(table.resetAt, now))} ago: the next sync loads the table again`]
      : []),
    ...(!table.hasState &&
    !table.resetAt &&
    !table.refusal &&
    ['ok', 'late', 'stale'].includes(table.condition)
      ? ['no cursor was found, so the next sync may load the table again']
      : []),
    ...(table.pendingLoad
      ? [`load in chunks: ${table.pendingLoad.done} of ${table.pendingLoad.of} chunks`]
      : []),
    ...(table.cursor !== null && table.completeUpTo !== table.cursor
      ? [
          `${table.completeUpTo === null ? '' : `complete up to ${shortCursor(table.completeUpTo)}; `}transactions were open at the source${openText(table, now)}, and a sync after their end copies their rows`,
        ]
      : []),
  ];
}

export const requestedDetails = (
  { name, requestedLoad }: PrintedStatus,
  now: Date,
  stepsOf: (names: readonly string[]) => string,
): string[] =>
  requestedLoad
    ? [requestedText(secondsSince(new Date(requestedLoad.since), now)), `  next: ${stepsOf([name])}`]
    : [];

/** The next sync loads a table without a state. */
export function deletesDetails({ deletes, hasState, condition }: PrintedStatus, now: Date): string[] {
  if (!deletes || !hasState || condition === 'disabled') return [];
  const { checkedAt, refusedAt, everySeconds, isChanged } = deletes;
  const at = refusedAt ?? checkedAt;
  const ageSeconds = at === null ? undefined : secondsSince(new Date(at), now);
  const last = lastDeletesText({ ageSeconds, hasFailed: refusedAt !== null, isChanged });
  const left = everySeconds - (ageSeconds ?? everySeconds);
  const next =
    isChanged || refusedAt !== null || left <= 0
      ? 'the next sync compares'
      : `next comparison in ${formatAge(left)}`;
  return [`deleted rows: ${last}, ${next}`];
}

/** Without pg_read_all_stats, only the syncs before and after the start of a transaction are known. */
function openText({ openSince, openAfter }: PrintedStatus, now: Date): string {
  if (openSince === undefined) return '';
  const latest = formatAge(secondsSince(openSince, now));
  if (openAfter === undefined) return ` (the oldest began ${latest} ago or earlier)`;
  const earliest = formatAge(secondsSince(openAfter, now));
  return earliest === latest
    ? ` (the oldest began ${latest} ago)`
    : ` (the oldest began between ${earliest} and ${latest} ago)`;
}

/** The failure that `status` prints for a table. */
export function failureOf({ name, lastFailure, knownSince, condition, drift }: PrintedStatus) {
  if (!lastFailure || condition === 'disabled') return undefined;
  const failure = knownSince ? failureBefore(lastFailure, knownSince, drift?.action) : failureIn(lastFailure);
  return { name, ...failure, startedAt: new Date(lastFailure.started_at) };
}

function failureDetails(table: PrintedStatus, told: ToldFailures, now: Date): string[] {
  const failure = failureOf(table);
  if (!failure) return [];
  const { code, message, hint, sqlstate, startedAt } = failure;
  const same = sameFailure(failure, table.name, told);
  if (same !== undefined) return [`error: ${printableLine(same)}`];
  const [first = '', ...more] = printable(message).split('\n');
  const codes = codesText(code, sqlstate);
  const age = `${formatAge(secondsSince(startedAt, now))} ago`;
  return [
    [`error: ${first} (${codes}, ${age})`, ...more].join('\n'),
    ...(hint === '' ? [] : [`  next: ${printable(hint)}`]),
  ];
}

/** If the last run failed because of the same drift, its error already describes it. */
export function driftOf(table: PrintedStatus) {
  const { name, drift, lastFailure, condition, knownSince } = table;
  if (!drift || condition === 'disabled') return undefined;
  if (drift.isRefused === true && lastFailure?.error_message === drift.what) return undefined;
  if (lastFailure?.error_hint?.includes(drift.what)) return undefined;
  // The next step of the failure comes first.
  const hint = failureOf(table)?.hint && knownSince !== 'equal' ? '' : drift.next;
  return { name, code: '', message: drift.what, hint, sqlstate: null };
}

function driftDetails(table: PrintedStatus): string[] {
  const drift = driftOf(table);
  if (!drift) return [];
  return [
    `drift: ${printable(drift.message)}`,
    ...(drift.hint === '' ? [] : [`  next: ${printable(drift.hint)}`]),
  ];
}

/** The error of the last run may be about the same rows. */
function differenceDetails(
  { name, difference, condition, lastFailure }: PrintedStatus,
  { now, destination }: Pick<Details, 'now' | 'destination'>,
): string[] {
  if (!difference || condition === 'disabled' || condition === 'reset') return [];
  if (lastFailure?.error_code === 'VERIFY_FAILED') return [];
  const age = formatAge(secondsSince(new Date(difference.since), now));
  const verify = tableCommand('verify', name);
  if (difference.foundBy === 'lost-rows') return [`found ${age} ago: ${printable(difference.message)}`];
  if (difference.foundBy === 'lost-kept-rows')
    return [
      `lost rows, noticed ${utcTime(difference.since)} (${age} ago): ${printable(difference.message)}`,
      `  next: ${lossStep(name)}.`,
    ];
  return [
    `a comparison found differences ${age} ago: ${printable(difference.message)}`,
    difference.only === 'duplicated-at-source'
      ? `  next: Correct the rows of the source with the same unique key, or set other unique_cols. Then run "${verify}".`
      : difference.overLimit
        ? `  next: ${capitalized(limitWords([difference.overLimit]))}"${onlyAtDestination(tableCommand('verify', name, '--repair', '--force'), destination)}".`
        : `  next: Run "${verify}". To fetch or remove the rows that differ, add --repair.`,
  ];
}

/** The next sync fails for another reason than the last run. */
function refusalDetails({ name, refusal, lastFailure }: PrintedStatus, told: ToldFailures): string[] {
  if (!refusal) return [];
  const { code, message, next: hint } = refusal;
  // The step of the failure above repeats the flag, and the refusal would recommend what has just failed.
  const [flag] = /--(?:adopt|replace)\b/.exec(lastFailure?.error_hint ?? '') ?? [];
  if (code === 'DESTINATION_NOT_OURS' && flag !== undefined)
    return [`a sync without ${flag} is refused (${code})`];
  const same = sameFailure({ name, code, message, hint }, name, told);
  return same === undefined
    ? [`the next sync fails: ${printable(message)} (${code})`, `  next: ${printable(hint)}`]
    : [`the next sync fails: ${printableLine(same)}`];
}

/**
 * A run that did not fail but was ended by a signal, or that another run kept from the table. The other run has probably
 * ended; if not, it is named.
 */
function stoppedDetails({ lastRun, lastFailure, condition, syncedAt }: PrintedStatus, now: Date): string[] {
  if (!lastRun || lastRun.status !== 'failed' || lastFailure) return [];
  const startedAt = new Date(lastRun.started_at);
  const age = formatAge(secondsSince(startedAt, now));
  const word = failureWord(lastRun);
  // A reset has answered the failure.
  if (word === 'failed') return [];
  const isSyncedSince = syncedAt !== undefined && syncedAt >= startedAt;
  if (word === 'busy')
    return condition === 'ok' || condition === 'running' || isSyncedSince
      ? []
      : [`last run: another run had the table (busy, ${age} ago)`];
  const hint = lastRun.error_hint === null ? [] : [`  next: ${printable(lastRun.error_hint)}`];
  return [`last run: ${word} (${lastRun.action}, ${age} ago)`, ...hint];
}
