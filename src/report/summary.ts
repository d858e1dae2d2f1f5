/** Formats a run: as a whole at its end, or table by table while it runs. */
import type { Action, Failure, RunEvent, RunSummary, TableOutcome } from '../events.ts';
import { ONLY_AT_DESTINATION, type Difference, type Reason } from '../reasons.ts';
import { localTime } from './local-time.ts';
import {
  formatCount,
  formatDeferred,
  formatSeconds,
  formatTableCounts,
  labelOf,
  LISTED,
  listed,
  MANY_TABLES,
  outcomeWord,
  formatCounted,
  labelInList,
} from '../format.ts';
import { needSummary, summaryLines } from './failure-groups.ts';
import { tablesCommand } from '../shell-word.ts';
import type { CurrentWarning } from '../schema/standing-warnings.ts';
import { runSeconds } from './summary-json.ts';
import {
  failureKey,
  SAME_STEP,
  sameFailures,
  sharedHint,
  wasPrinted,
  type NamedFailure,
  type ToldFailures,
} from './same-failure.ts';
import { painter, type Style } from './style.ts';
import {
  columnsFor,
  columnsOf,
  detailLines,
  failureDetails,
  INDENT,
  tableLines,
  warningDetail,
  type Columns,
  type Detail,
} from './table-lines.ts';
import { printable, printableLine, wrap, wrapInline } from './text.ts';

const asText = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

const VERDICTS = { ok: 'done, with warnings', partial: 'partly failed', failed: 'FAILED' } as const;

/** If another run held the tables, or a signal ended the run, nothing has failed. */
function verdictOf({ status, tables, error }: RunSummary): string {
  const words = new Set([
    ...tables.map(outcomeWord),
    ...(error ? [outcomeWord({ status: 'failed', error })] : []),
  ]);
  if (words.has('failed')) return VERDICTS[status];
  if (words.has('interrupted')) return 'interrupted';
  return words.has('busy') ? (status === 'failed' ? 'busy' : 'partly busy') : VERDICTS[status];
}

/** For --quiet: only the failures, the pipeline, and the age of the destination tables that stay in use. */
export function formatProblems(
  summary: RunSummary,
  chosen: number,
  lastSuccesses: ReadonlyMap<string, Date>,
  style: Style,
): string {
  const shared = { warnings: new Set(sharedWarnings(summary).keys()), failures: new Map() };
  const printed = summary.tables.filter(
    ({ status, warnings }) => status === 'failed' || warnings.some((text) => !shared.warnings.has(text)),
  );
  const failures = failuresOf(printed);
  const firsts = new Set(sameFailures(failures).map(([first]) => first?.label));
  // The end names all tables of each failure.
  const isTold = (table: TableOutcome) =>
    failures.length <= MANY_TABLES ||
    outcomeWord(table) !== 'failed' ||
    firsts.has(printableLine(labelOf(table)));
  const columns = columnsOf(printed.filter(isTold), style);
  const linesOf = (outcome: TableOutcome) => [
    ...tableLines(outcome, shared, columns, style),
    ...(outcome.status === 'failed'
      ? lastDetails(lastSuccesses.get(labelOf(outcome)), summary.finishedAt).flatMap((detail) =>
          detailLines(detail, INDENT, style),
        )
      : []),
  ];
  const last = [...lastSuccesses.values()].toSorted((a, b) => b.getTime() - a.getTime())[0];
  const isBeforeTables = summary.error !== undefined && summary.tables.length === 0;
  return asText([
    `pipeline ${printableLine(summary.pipeline)}: ${verdictOf(summary)}`,
    ...printed.filter(isTold).flatMap(linesOf),
    ...(isBeforeTables
      ? lastDetails(last, summary.finishedAt).flatMap((detail) => detailLines(detail, '', style))
      : []),
    ...endingLines(
      summary,
      closingLines(summary, chosen, [...sharedWarnings(summary)].map(sharedDetail), style),
      style,
      { withCause: false },
    ),
  ]);
}

/** Without a line if it is not known, for example because the table was reset. */
const lastDetails = (last: Date | undefined, now: Date): Detail[] =>
  last
    ? [
        {
          label: 'last success:',
          text: `${localTime(last)}, ${formatSeconds((now.getTime() - last.getTime()) / 1000)} before`,
        },
      ]
    : [];

/** Instead of the error, whose process and time differ from run to run. */
const HELD = 'another run holds the table';

const isHeld = (table: TableOutcome): boolean => outcomeWord(table) === 'busy';

/**
 * A cron job prints nothing else about a load that no command requested. A reset is a request, and changed columns are an
 * ordinary load.
 */
const UNREQUESTED: Partial<Record<Reason['code'], string>> = {
  'destination-emptied': 'no command requested this load, and the table was empty until its end',
  'destination-without-state': 'no command requested this load, and the table was missing until its end',
  'destination-dropped':
    'the destination table was missing, so increp loaded it again; views on the former table do not use the new table',
};

const unrequestedLoad = ({ status, reasons, rowsDeleted, cursorBefore }: TableOutcome): string[] => {
  if (status !== 'ok') return [];
  return reasons.flatMap((reason) => {
    if (reason.code === 'destination-dropped' && reason.renamedTo !== undefined)
      return `${UNREQUESTED[reason.code]}. If ${reason.renamedTo} is that table, its former rows are only there`;
    // A table without a cursor, in mode full-refresh, is loaded at each sync anyway.
    if (reason.code !== 'drift' || cursorBefore === null) return UNREQUESTED[reason.code] ?? [];
    const cause = causeOf(reason.differences);
    if (cause === undefined) return [];
    const removed = rowsDeleted > 0 ? ` (rows removed: ${formatCount(rowsDeleted)})` : '';
    return `no command requested this load: ${cause}${removed}`;
  });
};

/** Undefined if only columns of the source or settings have changed. */
function causeOf(differences: readonly Difference[]): string | undefined {
  const recreation = differences.find((each) => each.code === 'source-recreated');
  if (recreation)
    return recreation.movedTo === undefined
      ? 'the source table was dropped and created again'
      : `another table has its name at the source now, and the former one is ${recreation.movedTo}`;
  return differences.every(({ code }) => ONLY_AT_DESTINATION.includes(code))
    ? 'the destination table was altered'
    : undefined;
}

/** The warnings of a run and of its tables. A table that another run holds is one, because a first load can take hours. */
export const warningsIn = ({ tables, warnings }: RunSummary): readonly CurrentWarning[] => [
  ...warnings.map((text) => ({ table: null, text })),
  ...tables.flatMap((table) =>
    [...table.warnings, ...(isHeld(table) ? [HELD] : [])].map((text) => ({ table: labelOf(table), text })),
  ),
];

/** For a run whose ordinary results nobody sees. */
export const withUnrequestedLoads = (summary: RunSummary): RunSummary => ({
  ...summary,
  tables: summary.tables.map((table) => ({
    ...table,
    warnings: [...table.warnings, ...unrequestedLoad(table)],
  })),
});

/** The same run with these warnings alone. */
export function withWarnings(summary: RunSummary, due: readonly CurrentWarning[]): RunSummary {
  const isDue = (table: string | null, text: string) =>
    due.some((warning) => warning.table === table && warning.text === text);
  const tables = summary.tables
    .filter((table) => !isHeld(table) || isDue(labelOf(table), HELD))
    .map((table) => ({
      ...table,
      warnings: table.warnings.filter((text) => isDue(labelOf(table), text)),
    }));
  const isSilent =
    tables.length < summary.tables.length &&
    !tables.some(({ status }) => status === 'failed') &&
    (summary.error ?? { code: 'RUN_LOCKED' }).code === 'RUN_LOCKED';
  return {
    ...summary,
    ...(isSilent && { status: 'ok', error: undefined }),
    warnings: summary.warnings.filter((text) => isDue(null, text)),
    tables,
  };
}

export const hasProblems = ({ status, warnings, tables }: RunSummary): boolean =>
  status !== 'ok' || warnings.length > 0 || tables.some((table) => table.warnings.length > 0);

/**
 * The same lines while the run continues. Of many tables, the tables without changes, and those that failed like one before,
 * are only counted, at the end. A warning of several tables is printed below the first table. The end names the other tables.
 */
export function summaryByTable(lookNow: () => Style): (event: RunEvent) => string | undefined {
  const said = { warnings: new Set<string>(), failures: new Map() };
  let names: readonly string[] = [];
  let longestAction: Action = 'incremental';
  const linesOf = (outcome: TableOutcome): string => {
    const style = lookNow();
    const hasNews = outcome.warnings.some((warning) => !said.warnings.has(warning));
    if (names.length > MANY_TABLES && !hasNews && (outcome.isQuiet || failsLike(said.failures, outcome)))
      return '';
    const columns: Columns = columnsFor(names, longestAction, style);
    const lines = tableLines(outcome, said, columns, style);
    for (const warning of outcome.warnings) said.warnings.add(warning);
    return asText(lines);
  };
  return (event) => {
    if (event.type === 'run-started') {
      names = labelsOf(event);
      longestAction = event.hasFullRefresh === true ? 'full-refresh' : 'incremental';
    }
    return event.type === 'table-finished' ? linesOf(event.outcome) : undefined;
  };
}

const failsLike = (told: ToldFailures, { status, error, name }: TableOutcome): boolean =>
  error !== undefined && outcomeWord({ status, error }) === 'failed' && wasPrinted({ ...error, name }, told);

const labelsOf = ({ tables, destinations }: Extract<RunEvent, { type: 'run-started' }>): readonly string[] =>
  destinations?.flatMap((destination) => tables.map((name) => labelOf({ name, destination }))) ?? tables;

/**
 * The lines that `summaryByTable` has not printed. After many tables, the failed ones are named again. `chosen` is the
 * number of tables that the run would have synced, at all destinations.
 */
export const formatEnding = (summary: RunSummary, chosen: number, style: Style): string =>
  asText(
    endingLines(summary, closingLines(summary, chosen, repeatedDetails(summary), style), style, {
      withCause: true,
    }),
  );

/** The errors of more tables fill a terminal. */
const FEW_FAILURES = 3;

interface FailedAgain {
  /** Repeats the message, which may stand many lines above. */
  readonly withCause: boolean;
}

/** The failed tables again, after the closing lines. If their steps fill a terminal, the closing lines come after them. */
function endingLines(
  { tables }: RunSummary,
  closing: readonly string[],
  style: Style,
  how: FailedAgain,
): readonly string[] {
  const failed = failuresOf(tables);
  if (tables.length <= MANY_TABLES && failed.length <= FEW_FAILURES) return closing;
  const groups = sameFailures(failed);
  const linesOf = (some: typeof groups) => some.flatMap((group) => failedLines(group, style, how));
  if (!needSummary(groups)) return [...closing, ...linesOf(groups)];
  return [
    ...linesOf(groups.filter((group, place) => group.length > 1 || place >= LISTED)),
    ...closing,
    ...inOneLine(groups, style),
  ];
}

const inOneLine = (groups: readonly (readonly LabeledFailure[])[], style: Style): string[] =>
  summaryLines(groups).flatMap((line) => wrapInline(`${INDENT}${line}`, style, `${INDENT}    `));

interface LabeledFailure extends NamedFailure {
  readonly label: string;
  readonly next: string;
}

const failuresOf = (tables: readonly TableOutcome[]): LabeledFailure[] =>
  tables
    .filter((table) => outcomeWord(table) === 'failed')
    .flatMap(({ error, ...table }) =>
      // Each table has its own next step above.
      error
        ? [
            {
              ...error,
              hint: '',
              next: error.hint,
              name: table.name,
              label: printableLine(labelInList(table)),
            },
          ]
        : [],
    );

/** `check` prints the statement for each table of a group, unless one statement is for all. */
function failedLines(group: readonly LabeledFailure[], style: Style, { withCause }: FailedAgain): string[] {
  const [first] = group;
  if (!first) return [];
  const { code, message } = first;
  const labels = group.map((table) => table.label);
  // One line for each table, also for its command, because there may be hundreds.
  if (group.length === 1) return inOneLine([group], style);
  return [
    `FAILED ${formatCount(group.length)} tables (${code}): ${listed(labels, LISTED)}`,
    ...(withCause ? [`  ${printableLine(message)}`] : []),
    `  next: ${printable(stepFor(group))}`,
  ].flatMap((line) =>
    wrap(`${INDENT}${line}`, style, `${INDENT}${' '.repeat(line.startsWith('  next') ? 8 : 4)}`),
  );
}

/** One step for all tables, the step of the first table if the others differ in their names alone, or the way to all steps. */
function stepFor(group: readonly LabeledFailure[]): string {
  const steps = group.map(({ next, ...failure }) => ({ ...failure, hint: next }));
  const shared = sharedHint(steps);
  if (shared !== undefined) return shared;
  if (sameFailures(steps).length === 1) return `${steps[0]?.hint}\n${SAME_STEP}`;
  const names = group.length > LISTED ? [] : group.map(({ name }) => name);
  return `The tables need different steps. To see them, run "${tablesCommand('check', names, names.length === 0 ? ['-v'] : [])}"`;
}

const isSame = (one: Failure, other: Failure): boolean =>
  failureKey({ ...one, name: '' }) === failureKey({ ...other, name: '' });

/** A table that a signal interrupted has its own message. */
const isToldByTable = (error: Failure, { tables }: RunSummary): boolean =>
  tables.some(
    (table) =>
      table.error !== undefined &&
      (isSame(table.error, error) || (error.code === 'INTERRUPTED' && table.error.code === 'INTERRUPTED')),
  );

function closingLines(
  summary: RunSummary,
  chosen: number,
  shared: readonly Detail[],
  style: Style,
): string[] {
  const { error } = summary;
  const details = [
    ...(error && !isToldByTable(error, summary) ? failureDetails(error, painter(style)) : []),
    ...shared,
    ...summary.warnings.map(warningDetail),
  ];
  const left = formatDeferred(summary);
  return [
    ...details.flatMap((detail) => detailLines(detail, '', style)),
    closingLine(summary, chosen),
    ...(left === undefined ? [] : wrap(printableLine(left), style, INDENT)),
    ...nextForRest(summary, chosen).flatMap((line) => wrap(line, style, INDENT)),
  ];
}

/** For tables that a run did not start because another one failed. After a signal, the error has the command. */
const nextForRest = ({ repeatCommand, tables, error }: RunSummary, chosen: number): string[] =>
  repeatCommand === undefined || tables.length === 0 || tables.length >= chosen || error
    ? []
    : [`next: For the tables that were not started, run "${printableLine(repeatCommand)}"`];

/** The warnings that several tables have, with the names of the tables. */
function sharedWarnings({ tables }: RunSummary): Map<string, readonly string[]> {
  const namesOf = new Map<string, string[]>();
  for (const table of tables) {
    for (const warning of new Set(table.warnings))
      namesOf.set(warning, [...(namesOf.get(warning) ?? []), labelInList(table)]);
  }
  return new Map([...namesOf].filter(([, names]) => names.length > 1));
}

const sharedDetail = ([text, names]: [string, readonly string[]]): Detail =>
  warningDetail(`${formatCount(names.length)} tables (${listed(names, LISTED)}): ${text}`);

/** For warnings that were printed below the first table. */
function repeatedDetails(summary: RunSummary): Detail[] {
  return [...sharedWarnings(summary)].map(([text, [, ...others]]) =>
    warningDetail(`${beginningOf(text)} (also ${listed(others, LISTED)})`),
  );
}

/** Enough to recognize a warning that was printed before. */
const BEGINNING = 60;

function beginningOf(text: string): string {
  if (text.length <= BEGINNING) return text;
  const end = text.lastIndexOf(' ', BEGINNING);
  const cut = text.slice(0, end === -1 ? BEGINNING : end);
  const bracket = cut.lastIndexOf(' (');
  // An open bracket would enclose what follows.
  return `${bracket > cut.lastIndexOf(')') ? cut.slice(0, bracket) : cut} ...`;
}

/** Seconds. A webhook that answers takes less. */
const NOTICEABLE = 2;

function closingLine(summary: RunSummary, chosen: number): string {
  const { reportSeconds = 0 } = summary;
  const reporting =
    reportSeconds < NOTICEABLE ? '' : `, and ${formatSeconds(reportSeconds)} more to report the run`;
  const seconds = `${formatSeconds(runSeconds(summary))}${reporting}`;
  if (summary.tables.length === 0 && summary.error)
    return `Run failed after ${seconds}. No table was synced.`;
  const missing = chosen - summary.tables.length;
  const notStarted = missing > 0 ? `, ${formatCount(missing)} not started` : '';
  const { length: places } = summary.destinations ?? [];
  const where = places === 0 ? '' : ` at ${formatCounted(places, 'destination')}`;
  const unlisted = summary.tables.length > MANY_TABLES ? unchangedText(summary.tables) : '';
  const warned = summary.tables.filter(
    ({ status, warnings }) => status === 'ok' && warnings.length > 0,
  ).length;
  const warnings = warned > 0 ? `, ${formatCount(warned)} with warnings` : '';
  return `${formatTableCounts(summary.tables, unlisted)}${warnings}${notStarted}${where} in ${seconds}`;
}

/** The rows of some tables are read to find out that nothing has changed. These tables have lines of their own. */
function unchangedText(tables: readonly TableOutcome[]): string {
  const unchanged = tables.filter(isUnchanged);
  if (unchanged.length === 0) return '';
  const read = unchanged.filter(({ rowsRead }) => rowsRead > 0).length;
  return ` (${formatCount(unchanged.length)} without changes${read > 0 ? `, of which ${formatCount(read)} ${read === 1 ? 'was' : 'were'} read again` : ''})`;
}

const isUnchanged = (table: TableOutcome): boolean =>
  outcomeWord(table) === 'ok' &&
  table.rowsInserted + table.rowsUpdated + table.rowsDeleted === 0 &&
  table.action !== 'initial' &&
  table.reasons.every(({ code }) => code !== 'drift');
