/**
 * Formats the status of each destination table: its state, and below it the fix. Tables that need attention come last,
 * because a terminal shows the end.
 */
import { STATE_FILE_IGNORED, STATE_FILE_RENAMED } from '../schema/state-record.ts';
import { formatCount, LISTED, listedNames, MANY_TABLES, formatCounted } from '../format.ts';
import { formatAge } from './age.ts';
import { formatColumns, type PrintedColumn } from './columns.ts';
import { shortCursor } from './cursor.ts';
import { groupedLines, needSummary, summaryLines } from './failure-groups.ts';
import { loadSteps, requestedLines } from './requested-loads.ts';
import { ALIKE, sameFailures, type NamedFailure, type ToldFailures } from './same-failure.ts';
import { painter, type Style, type TextStyle } from './style.ts';
import { printableLine, wrap, wrapInline } from './text.ts';
import {
  deletesDetails,
  detailsOf,
  driftOf,
  failureOf,
  isOverdue,
  requestedDetails,
  secondsSince,
  type PrintedStatus,
} from './status-details.ts';

const STYLES: Record<string, TextStyle> = {
  ok: 'green',
  late: 'yellow',
  stale: 'yellow',
  drift: 'yellow',
  different: 'red',
  pending: 'yellow',
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
  /** The next steps for requested loads of these tables. */
  readonly stepsOf?: (names: readonly string[]) => string;
}

export function formatStatus(
  all: readonly PrintedStatus[],
  {
    style,
    now,
    isVerbose,
    hasDeletes = false,
    fault,
    isFromFiles = false,
    stepsOf = loadSteps,
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
      ...(unloaded.length === 1 ? requestedDetails(table, now, stepsOf) : []),
      ...(hasDeletes ? deletesDetails(table, now) : []),
      ...(isLastOverdue ? overdueLines(overdue, overdueStep) : []),
    ];
    return [line, ...details.flatMap(inWidth(style))];
  });
  const end = [
    ...warningsOf(all, now),
    ...(isMany.drifts ? groupedLines('DRIFT', drifts) : []),
    ...(isMany.failures ? groupedLines('FAILED', failures) : []),
    ...(unloaded.length > 1 ? requestedLines(unloaded, stepsOf(unloaded)) : []),
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
const urgency = (table: PrintedStatus): number =>
  !table.needsAttention ? 0 : isOverdue(table) ? 1 : table.condition === 'failing' ? 3 : 2;

/** A failure of another table shows that runs have started. */
const overdueStepBeside = (all: readonly PrintedStatus[]): string =>
  `next: ${all.some(({ condition }) => condition === 'failing') ? '' : 'No run has failed since then. '}Check the scheduler that starts the runs (cron, a timer). To see whether a signal ends them, run "increp history".`;

function overdueLines(tables: readonly PrintedStatus[], step: string): string[] {
  const names = tables.map(({ name }) => printableLine(name));
  const word = [...new Set(tables.map(({ condition }) => condition.toUpperCase()))].join(' or ');
  return [`${word} ${formatCounted(tables.length, 'table')}: ${listedNames(names, LISTED)}`, `  ${step}`];
}

/** Whether they are printed together, at the end. */
const areMany = (failures: readonly NamedFailure[]): boolean =>
  failures.length > MANY_TABLES || sameFailures(failures).some(({ length }) => length >= ALIKE);

const cellsOf = (table: PrintedStatus, now: Date, printed: (cursor: string) => string): string[] => [
  conditionText(table),
  printableLine(table.name),
  lastSuccessText(table, now),
  table.lagSeconds === undefined ? '-' : formatAge(table.lagSeconds),
  formatCount(table.rowsLastDay),
  table.cursor === null ? '-' : printed(table.cursor),
];

const lastSuccessText = ({ lastSuccessAt, mayHaveSucceeded = false }: PrintedStatus, now: Date): string =>
  lastSuccessAt
    ? `${formatAge(secondsSince(lastSuccessAt, now))} ago`
    : mayHaveSucceeded
      ? 'unknown'
      : 'never';

const conditionText = ({ condition, failures }: PrintedStatus): string =>
  condition === 'failing' ? `failing(${failures})` : condition;

/** Further lines of a next step are aligned below its first. */
const inWidth =
  (style: Style) =>
  (detail: string): string[] => {
    const label = /^ *next: /.exec(detail)?.[0] ?? '  ';
    return wrap(`${INDENT}${detail}`, style, `${INDENT}${' '.repeat(label.length)}`);
  };

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
function warningsOf(tables: readonly PrintedStatus[], now: Date): string[] {
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
  tables: readonly PrintedStatus[],
  { fault, isFromFiles }: Pick<StatusStyle, 'fault' | 'isFromFiles'>,
): string {
  const counts = new Map<string, number>();
  for (const { condition } of tables) counts.set(condition, (counts.get(condition) ?? 0) + 1);
  const parts = [...counts].map(([condition, count]) => `${formatCount(count)} ${condition}`);
  const since = isFromFiles ? ', as of the last run on this machine (from its files)' : '';
  return `${formatCounted(tables.length, 'table')}: ${parts.join(', ')}${since}${fault === undefined ? '' : `; ${fault}`}`;
}
