/**
 * Formats the status of each destination table: its state, and below it the fix. Tables that need attention come last,
 * because a terminal shows the end.
 */
import { STATE_FILE_IGNORED, STATE_FILE_RENAMED } from '../schema/state-record.ts';
import {
  capitalized,
  formatCount,
  LISTED,
  listedNames,
  MANY_TABLES,
  formatConflicts,
  formatCounted,
  utcTime,
} from '../format.ts';
import { totalConflicts, type ConflictCounts } from '../conflicts.ts';
import { formatAge } from './age.ts';
import { formatColumns, type PrintedColumn } from './columns.ts';
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
import { groupedLines, needSummary, summaryLines } from './failure-groups.ts';
import { loadCommand, requestedLines, requestedText } from './requested-loads.ts';
import { ALIKE, sameFailure, sameFailures, type NamedFailure, type ToldFailures } from './same-failure.ts';
import { painter, type Style, type TextStyle } from './style.ts';
import { printable, printableLine, wrap, wrapInline } from './text.ts';
import { limitWords, type OverLimit } from './verify.ts';
import { onlyAtDestination, tableCommand } from '../shell-word.ts';

interface PrintedFailure {
  readonly started_at: string;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly error_hint: string | null;
  readonly sqlstate: string | null;
}

interface Status {
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

const STYLES: Record<string, TextStyle> = {
  ok: 'green',
  late: 'yellow',
  stale: 'yellow',
  drift: 'yellow',
  different: 'red',
  failing: 'red',
  refused: 'red',
  reset: 'yellow',
  running: 'cyan',
};

const COLUMNS: readonly PrintedColumn[] = [
  { title: 'STATE' },
  { title: 'TABLE', narrowest: 12 },
  { title: 'LAST SUCCESS' },
  { title: 'LAG', isRight: true },
  { title: 'ROWS/24H', isRight: true },
  { title: 'CURSOR', narrowest: 10 },
];

const INDENT = '    ';

interface StatusStyle {
  readonly style: Style;
  readonly now: Date;
  /** Prints cursors with fractions of a second. */
  readonly isVerbose: boolean;
  /** Prints when deleted rows were compared. */
  readonly hasDeletes?: boolean;
  /** Why a sync would fail before its first table. */
  readonly fault?: string | undefined;
  /** Only the files of this machine were read. They do not know of runs on other machines. */
  readonly isFromFiles?: boolean;
  /** Undefined if the pipeline has one destination. */
  readonly destination?: string | undefined;
  /** The command for requested loads of these tables. */
  readonly loadsOf?: (names: readonly string[]) => string;
}

export function formatStatus(
  all: readonly Status[],
  {
    style,
    now,
    isVerbose,
    hasDeletes = false,
    fault,
    isFromFiles = false,
    loadsOf = loadCommand,
    destination,
  }: StatusStyle,
): string {
  const tables = all.toSorted((a, b) => urgency(a) - urgency(b));
  const printed = (cursor: string) => (isVerbose ? cursor : shortCursor(cursor));
  const colored = painter(style);
  const paint = (cell: string, row: number, column: number) => {
    const tint = column === 0 ? STYLES[tables[row]?.condition ?? ''] : undefined;
    return tint ? colored(tint, cell) : cell;
  };
  const rows = tables.map((table) => cellsOf(table, now, printed));
  const [header = '', ...lines] = formatColumns(COLUMNS, rows, style, paint);
  const told: ToldFailures = new Map();
  const failures = tables.flatMap((table) => failureOf(table) ?? []);
  const drifts = tables.flatMap((table) => driftOf(table) ?? []);
  const overdue = tables.filter(isOverdue);
  const isMany = { failures: areMany(failures), drifts: areMany(drifts), overdue: overdue.length > 1 };
  const overdueStep = overdueStepBeside(all);
  const unloaded = tables.flatMap(({ name, requestedLoad }) => (requestedLoad ? [name] : []));
  const body = lines.flatMap((line, index) => {
    const table = tables[index];
    if (!table) return [line];
    const isLastOverdue = isMany.overdue && table === overdue.at(-1);
    const details = [
      ...detailsOf(table, { told, now, isMany, overdueStep, destination }),
      ...(unloaded.length === 1 ? requestedDetails(table, now, loadsOf) : []),
      ...(hasDeletes ? deletesDetails(table, now) : []),
      ...(isLastOverdue ? overdueLines(overdue, overdueStep) : []),
    ];
    return [line, ...details.flatMap(inWidth(style))];
  });
  const end = [
    ...warningsOf(all, now),
    ...(isMany.drifts ? groupedLines('DRIFT', drifts) : []),
    ...(isMany.failures ? groupedLines('FAILED', failures) : []),
    ...(unloaded.length > 1 ? requestedLines(unloaded, loadsOf(unloaded)) : []),
  ];
  const groups = isMany.failures ? sameFailures(failures) : [];
  const count = wrap(countLine(tables, { fault, isFromFiles }), style, INDENT);
  const details = end.flatMap(inWidth(style));
  const summary = summaryLines(groups).flatMap((line) =>
    wrapInline(`${INDENT}${line}`, style, `${INDENT}  `),
  );
  const ending = needSummary(groups) ? [...details, ...count, ...summary] : [...count, ...details];
  return `${[header, ...body, ...ending].join('\n')}\n`;
}

/** The largest comes last. */
const urgency = (table: Status): number =>
  !table.needsAttention ? 0 : isOverdue(table) ? 1 : table.condition === 'failing' ? 3 : 2;

const isOverdue = ({ condition }: Status): boolean => condition === 'stale' || condition === 'late';

/** A failure of another table shows that runs have started. */
const overdueStepBeside = (all: readonly Status[]): string =>
  `next: ${all.some(({ condition }) => condition === 'failing') ? '' : 'No run has failed since then. '}Check the scheduler that starts the runs (cron, a timer). To see whether a signal ends them, run "increp history".`;

function overdueLines(tables: readonly Status[], step: string): string[] {
  const names = tables.map(({ name }) => printableLine(name));
  const word = [...new Set(tables.map(({ condition }) => condition.toUpperCase()))].join(' or ');
  return [`${word} ${formatCounted(tables.length, 'table')}: ${listedNames(names, LISTED)}`, `  ${step}`];
}

/** Whether they are printed together, at the end. */
const areMany = (failures: readonly NamedFailure[]): boolean =>
  failures.length > MANY_TABLES || sameFailures(failures).some(({ length }) => length >= ALIKE);

const cellsOf = (table: Status, now: Date, printed: (cursor: string) => string): string[] => [
  conditionText(table),
  printableLine(table.name),
  lastSuccessText(table, now),
  table.lagSeconds === undefined ? '-' : formatAge(table.lagSeconds),
  formatCount(table.rowsLastDay),
  table.cursor === null ? '-' : printed(table.cursor),
];

const lastSuccessText = ({ lastSuccessAt, mayHaveSucceeded = false }: Status, now: Date): string =>
  lastSuccessAt
    ? `${formatAge(secondsSince(lastSuccessAt, now))} ago`
    : mayHaveSucceeded
      ? 'unknown'
      : 'never';

const secondsSince = (date: Date, now: Date): number => (now.getTime() - date.getTime()) / 1000;

const conditionText = ({ condition, failures }: Status): string =>
  condition === 'failing' ? `failing(${failures})` : condition;

/** Further lines of a next step are aligned below its first. */
const inWidth =
  (style: Style) =>
  (detail: string): string[] => {
    const label = /^ *next: /.exec(detail)?.[0] ?? '  ';
    return wrap(`${INDENT}${detail}`, style, `${INDENT}${' '.repeat(label.length)}`);
  };

interface Details {
  readonly told: ToldFailures;
  readonly now: Date;
  /** Whether the end has the failures and drifts of all tables, or the step of overdue tables, because there are many. */
  readonly isMany: { readonly failures: boolean; readonly drifts: boolean; readonly overdue: boolean };
  readonly overdueStep: string;
  /** Undefined if the pipeline has one destination. */
  readonly destination: string | undefined;
}

const conflictDetails = ({ conflictsLastDay: counts }: Status): string[] =>
  counts && totalConflicts(counts) > 0 ? [`${formatConflicts(counts)} in the last 24 hours`] : [];

/** An error of many tables, such as an unreachable destination, is printed once. */
function detailsOf(table: Status, { told, now, isMany, overdueStep, destination }: Details): string[] {
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

const requestedDetails = (
  { name, requestedLoad }: Status,
  now: Date,
  loadsOf: (names: readonly string[]) => string,
): string[] =>
  requestedLoad
    ? [
        requestedText(secondsSince(new Date(requestedLoad.since), now)),
        `  next: To load it, run "${loadsOf([name])}".`,
      ]
    : [];

/** The next sync loads a table without a state. */
function deletesDetails({ deletes, hasState, condition }: Status, now: Date): string[] {
  if (!deletes || !hasState || condition === 'disabled') return [];
  const { checkedAt, refusedAt, everySeconds } = deletes;
  const at = refusedAt ?? checkedAt;
  const ageSeconds = at === null ? undefined : secondsSince(new Date(at), now);
  const last = lastDeletesText({ ageSeconds, hasFailed: refusedAt !== null });
  const left = everySeconds - (ageSeconds ?? everySeconds);
  const next =
    refusedAt !== null || left <= 0 ? 'the next sync compares' : `next comparison in ${formatAge(left)}`;
  return [`deleted rows: ${last}, ${next}`];
}

/** Without pg_read_all_stats, only the syncs before and after the start of a transaction are known. */
function openText({ openSince, openAfter }: Status, now: Date): string {
  if (openSince === undefined) return '';
  const latest = formatAge(secondsSince(openSince, now));
  if (openAfter === undefined) return ` (the oldest began ${latest} ago or earlier)`;
  const earliest = formatAge(secondsSince(openAfter, now));
  return earliest === latest
    ? ` (the oldest began ${latest} ago)`
    : ` (the oldest began between ${earliest} and ${latest} ago)`;
}

/** The failure that `status` prints for a table. */
function failureOf({ name, lastFailure, knownSince, condition, drift }: Status) {
  if (!lastFailure || condition === 'disabled') return undefined;
  const failure = knownSince ? failureBefore(lastFailure, knownSince, drift?.action) : failureIn(lastFailure);
  return { name, ...failure, startedAt: new Date(lastFailure.started_at) };
}

function failureDetails(table: Status, told: ToldFailures, now: Date): string[] {
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

/** If the last run was refused because of the same drift, its error already describes it. */
function driftOf(table: Status) {
  const { name, drift, lastFailure, condition, knownSince } = table;
  if (!drift || condition === 'disabled') return undefined;
  if (drift.isRefused === true && lastFailure?.error_message === drift.what) return undefined;
  // The next step of the failure comes first.
  const hint = failureOf(table)?.hint && knownSince !== 'equal' ? '' : drift.next;
  return { name, code: '', message: drift.what, hint, sqlstate: null };
}

function driftDetails(table: Status): string[] {
  const drift = driftOf(table);
  if (!drift) return [];
  return [
    `drift: ${printable(drift.message)}`,
    ...(drift.hint === '' ? [] : [`  next: ${printable(drift.hint)}`]),
  ];
}

/** The error of the last run may be about the same rows. */
function differenceDetails(
  { name, difference, condition, lastFailure }: Status,
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
      `  next: If you need these rows, restore them from a backup of the destination. To accept the loss, run "${verify}".`,
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
function refusalDetails({ name, refusal, lastFailure }: Status, told: ToldFailures): string[] {
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
function stoppedDetails({ lastRun, lastFailure, condition, syncedAt }: Status, now: Date): string[] {
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

/** A damaged state file is good again after a sync has renamed it. */
const openWarnings = (warnings: readonly string[]): readonly string[] =>
  warnings.some((text) => text.startsWith(STATE_FILE_RENAMED))
    ? warnings.filter(
        (text) => ![STATE_FILE_IGNORED, STATE_FILE_RENAMED].some((start) => text.startsWith(start)),
      )
    : warnings;

/**
 * Once for all tables that have it. The tables without changes share one record, so its warnings may have no table. A run
 * that failed or met another run does not end what an earlier run has found.
 */
function warningsOf(tables: readonly Status[], now: Date): string[] {
  const found = tables.flatMap(({ name, lastRun, lastOk, condition, difference }) => {
    const isTold = (text: string) => difference?.foundBy === 'lost-rows' && difference.message.includes(text);
    const run = lastRun?.status === 'failed' && lastRun.warnings.length === 0 ? lastOk : lastRun;
    return condition === 'disabled' || !run
      ? []
      : openWarnings(run.warnings).flatMap((text) =>
          isTold(text)
            ? []
            : { text, run, name: run.table_name === null && !run.warned_tables?.[text] ? undefined : name },
        );
  });
  return [...Map.groupBy(found, ({ text }) => text)].map(([text, same]) => {
    const names = same.flatMap(({ name }) => (name === undefined ? [] : printableLine(name)));
    const times = same.map(({ run }) => Date.parse(run.started_at));
    const age = formatAge(secondsSince(new Date(Math.max(...times)), now));
    const where = names.length === 0 ? '' : `${listedNames(names, LISTED)}, `;
    return `warning (${where}${age} ago): ${printableLine(text)}`;
  });
}

function countLine(
  tables: readonly Status[],
  { fault, isFromFiles }: Pick<StatusStyle, 'fault' | 'isFromFiles'>,
): string {
  const counts = new Map<string, number>();
  for (const { condition } of tables) counts.set(condition, (counts.get(condition) ?? 0) + 1);
  const parts = [...counts].map(([condition, count]) => `${formatCount(count)} ${condition}`);
  const since = isFromFiles ? ', as of the last run on this machine (from its files)' : '';
  return `${formatCounted(tables.length, 'table')}: ${parts.join(', ')}${since}${fault === undefined ? '' : `; ${fault}`}`;
}
