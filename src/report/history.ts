/** Formats the last runs. The newest run is at the bottom, where a terminal shows it. */
import {
  formatBytes,
  formatCount,
  formatSeconds,
  formatConflicts,
  formatWarned,
  isWarned,
  nameInList,
  LISTED,
  listed,
} from '../format.ts';
import { addConflicts, totalConflicts } from '../conflicts.ts';
import { failureWord, resultOf, rowsChanged, type RunRecord, type RunWord } from '../schema/run-record.ts';
import { formatChart } from './chart.ts';
import { formatColumns, type PrintedColumn } from './columns.ts';
import { localTime } from './local-time.ts';
import { painter, type Style, type TextStyle } from './style.ts';
import { displayWidth, printableLine, wrap } from './text.ts';

interface Run {
  readonly startedAt: Date;
  readonly durationSeconds: number;
  readonly status: 'ok' | 'partial' | 'failed';
  readonly tables: readonly RunRecord[];
  readonly failure: RunRecord | undefined;
  /** The tables that the run did not start. */
  readonly notStarted: readonly string[];
  readonly isRunning?: boolean;
}

const STYLES: Record<RunWord, TextStyle> = {
  ok: 'green',
  running: 'cyan',
  partial: 'yellow',
  busy: 'yellow',
  interrupted: 'yellow',
  killed: 'red',
  failed: 'red',
};

const RUN_COLUMNS: readonly PrintedColumn[] = [
  { title: 'STARTED' },
  { title: 'TOOK', isRight: true },
  { title: 'RESULT' },
  { title: 'TABLES', narrowest: 8 },
  { title: 'ROWS', isRight: true },
  { title: 'BYTES', isRight: true },
];

const TABLE_COLUMNS: readonly PrintedColumn[] = [
  { title: 'STARTED' },
  { title: 'TOOK', isRight: true },
  { title: 'RESULT' },
  { title: 'ACTION', narrowest: 5 },
  { title: 'READ', isRight: true },
  { title: 'CHANGED', isRight: true },
  { title: 'BYTES', isRight: true },
];

const RESULT = 2;

/** `nameOf` maps a destination table to its name in messages. */
type NameOf = (recordName: string) => string;

interface ListedRuns {
  readonly runs: readonly Run[];
  /** Whether older runs are left out. */
  readonly isMore: boolean;
}

export function formatRuns(list: ListedRuns, style: Style, nameOf: NameOf): string {
  return withErrors(list, style, RUN_COLUMNS, runCells, nameOf);
}

const runCells = (run: Run): string[] => [
  localTime(run.startedAt),
  formatSeconds(run.durationSeconds),
  resultOf(run),
  countsOf(run),
  formatCount(sumOf(run.tables, rowsChanged)),
  formatBytes(sumOf(run.tables, ({ bytes }) => bytes)),
];

/** `charted` contains the runs of the chart. Without --limit, it has room for more runs than the list. */
export function formatTableRuns(
  shown: ListedRuns,
  charted: readonly Run[],
  style: Style,
  nameOf: NameOf,
): string {
  const list = withErrors(shown, style, TABLE_COLUMNS, tableCells, nameOf);
  return charted.length < 2 ? list : `${list}\n${pictureOf(charted, style).join('\n')}\n`;
}

const tableCells = (run: Run): string[] => [
  localTime(run.startedAt),
  formatSeconds(run.durationSeconds),
  resultOf(run),
  actionOf(run.tables[0]),
  formatCount(sumOf(run.tables, ({ rows_read }) => rows_read)),
  formatCount(sumOf(run.tables, rowsChanged)),
  formatBytes(sumOf(run.tables, ({ bytes }) => bytes)),
];

/** A table that failed before its plan was made has no action. */
const actionOf = (record: RunRecord | undefined): string =>
  record === undefined || (record.status === 'failed' && record.action === 'skipped') ? '-' : record.action;

function withErrors(
  { runs, isMore }: ListedRuns,
  style: Style,
  columns: readonly PrintedColumn[],
  cellsOf: (run: Run) => string[],
  nameOf: NameOf,
): string {
  if (runs.length === 0)
    return 'no runs are recorded for this pipeline (PIPELINE_NAME, or the name of the directory)\n';
  const colored = painter(style);
  const paint = (cell: string, row: number, column: number) => {
    const run = column === RESULT ? runs[row] : undefined;
    if (!run) return cell;
    const word = resultOf(run);
    return colored(word === 'ok' && run.tables.some(isWarned) ? 'yellow' : STYLES[word], cell);
  };
  const [header = '', ...lines] = formatColumns(columns, runs.map(cellsOf), style, paint);
  const errors = runs.map(({ failure }) => (failure ? errorText(failure, nameOf) : ''));
  const warnings = runs.map((run) => warningTexts(run, columns, nameOf));
  const body = lines.flatMap((line, index) => {
    const [run, text = ''] = [runs[index], errors[index]];
    if (!run) return [line];
    const whole = [line, ...cutCounts(line, columns, run, style), ...conflictLine(run, style)];
    const warned = (warnings[index] ?? []).flatMap((warning) => {
      const isLast = !warnings.slice(index + 1).some((later) => later.includes(warning));
      // The counts of the line tell that there are warnings.
      if (isLast) return repeatedLines(warning, undefined, style);
      return columns === TABLE_COLUMNS ? repeatedLines(warning, 'warning: the same as below', style) : [];
    });
    if (!run.failure) return [...whole, ...warned];
    return [
      ...whole,
      ...repeatedLines(
        text,
        errors.lastIndexOf(text) === index ? undefined : errorReference(run.failure, nameOf),
        style,
      ),
      ...othersLine(run, style, nameOf),
      ...warned,
    ];
  });
  return `${[header, ...body, ...wrap(countLine(runs, isMore), style, '  ')].join('\n')}\n`;
}

/** Conflicts are rare, so they have no column. */
function conflictLine({ tables }: Run, style: Style): string[] {
  const counts = tables
    .map(({ conflicts }) => conflicts ?? undefined)
    .reduce((sum, conflicts) => addConflicts(sum, conflicts), undefined);
  return counts && totalConflicts(counts) > 0 ? wrap(`    ${formatConflicts(counts)}`, style, '      ') : [];
}

/** The warnings of one table, or the names of the tables: `status` prints their warnings. */
function warningTexts(run: Run, columns: readonly PrintedColumn[], nameOf: NameOf): string[] {
  const warned = run.tables.filter(isWarned);
  if (columns === TABLE_COLUMNS)
    return warned.flatMap(({ warnings }) => warnings.map((text) => printableLine(`warning: ${text}`)));
  const names = warned.map(({ table_name }) => printableLine(nameInList(nameOf(table_name ?? ''))));
  return names.length === 0 ? [] : [`with warnings: ${listed(names, LISTED)}`];
}

/** The counts of a run again, if its line has no room for them. */
function cutCounts(line: string, columns: readonly PrintedColumn[], run: Run, style: Style): string[] {
  if (columns !== RUN_COLUMNS || line.includes(countsOf(run))) return [];
  return wrap(`    tables: ${countsOf(run)}`, style, '      ');
}

const errorHead = ({ table_name, error_code }: RunRecord, nameOf: NameOf): string =>
  `${error_code ?? ''} ${table_name === null ? '' : `${nameOf(table_name)}: `}`;

const errorText = (failure: RunRecord, nameOf: NameOf): string =>
  printableLine(`${errorHead(failure, nameOf)}${failure.error_message ?? ''}`);

/** The last of equal texts is printed whole. Instead of an earlier one that needs several lines, `reference` refers to it. */
function repeatedLines(text: string, reference: string | undefined, style: Style): string[] {
  const line = `    ${text}`;
  const isShort = reference === undefined || displayWidth(line) <= style.width;
  return wrap(isShort ? line : `    ${reference}`, style, '    ');
}

const errorReference = (failure: RunRecord, nameOf: NameOf): string =>
  printableLine(`${errorHead(failure, nameOf)}the same error as below`);

/** The other tables that failed, that another run held, or that a signal interrupted. */
function othersLine({ tables, failure }: Run, style: Style, nameOf: NameOf): string[] {
  const others = tables.filter(
    ({ status, table_name }) => status === 'failed' && table_name !== failure?.table_name,
  );
  return [...Map.groupBy(others, failureWord)].flatMap(([word, ofWord]) => {
    const isAlso = failure?.table_name !== null && failure !== undefined && failureWord(failure) === word;
    const groups = [...Map.groupBy(ofWord, ({ error_code: code }) => code ?? '')].map(([code, records]) => {
      const names = records.map(({ table_name }) => printableLine(nameInList(nameOf(table_name ?? ''))));
      return code === failure?.error_code || word !== 'failed'
        ? names.join(', ')
        : `${names.join(', ')} (${code})`;
    });
    return wrap(`    ${isAlso ? 'also ' : ''}${word}: ${groups.join('; ')}`, style, '      ');
  });
}

const sumOf = (records: readonly RunRecord[], number: (record: RunRecord) => number): number =>
  records.reduce((sum, record) => sum + number(record), 0);

function countsOf({ tables, notStarted, isRunning = false }: Run): string {
  const words = [
    ...tables.map((record) => (record.status === 'failed' ? failureWord(record) : 'ok')),
    ...notStarted.map(() => 'not started' as const),
  ];
  const order = ['ok', 'failed', 'killed', 'busy', 'interrupted', 'not started'] as const;
  if (words.length === 0) return 'none';
  // Such a run has only an error of its own. The mail and the end of the run say the same.
  if (tables.length === 0 && !isRunning) return 'none synced';
  const warned = formatWarned(tables);
  return `${counted(words, order)}${isRunning ? ' so far' : ''}${warned === undefined ? '' : ` (${warned})`}`;
}

/** `3 ok, 1 failed`: the words in this order, without a count of zero. */
function counted<Word extends string>(words: readonly Word[], order: readonly Word[]): string {
  const counts = order.map((word) => ({ word, count: words.filter((each) => each === word).length }));
  return counts.flatMap(({ word, count }) => (count > 0 ? [`${formatCount(count)} ${word}`] : [])).join(', ');
}

const ALL_WORDS = ['running', 'ok', 'partial', 'busy', 'interrupted', 'killed', 'failed'] as const;

function countLine(runs: readonly Run[], isMore: boolean): string {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  const noun = runs.length === 1 ? 'run' : 'runs';
  const head = isMore
    ? `The last ${formatCount(runs.length)} ${noun}`
    : `${formatCount(runs.length)} ${noun}`;
  const counts = counted(runs.map(resultOf), ALL_WORDS);
  const warned = runs.filter((run) => run.tables.some(isWarned)).length;
  const ofWhich = warned > 0 ? `, of which ${formatCount(warned)} with warnings` : '';
  return `${head}: ${counts}${ofWhich} (times in ${timeZone})${isMore ? '; older runs: --limit' : ''}`;
}

function pictureOf(runs: readonly Run[], style: Style): string[] {
  const time = (run: Run | undefined) => (run ? localTime(run.startedAt).slice(0, 16) : '');
  return formatChart(
    {
      series: [
        {
          title: 'rows',
          values: runs.map(({ tables }) => sumOf(tables, rowsChanged)),
          format: formatCount,
        },
        {
          title: 'time',
          values: runs.map(({ durationSeconds }) => durationSeconds),
          // For tables without changes, milliseconds are useful.
          format: (most) => (most < 0.1 ? `${Math.round(most * 1000)} ms` : formatSeconds(most)),
        },
      ],
      isFailed: runs.map((run) => ['partial', 'failed', 'killed'].includes(resultOf(run))),
      from: time(runs[0]),
      to: time(runs.at(-1)),
    },
    style,
  );
}
