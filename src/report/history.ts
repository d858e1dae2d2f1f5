/** Formats the last runs. The newest run is at the bottom, where a terminal shows it. */
import { formatBytes, formatCount, formatSeconds } from '../format.ts';
import { rowsChanged, type RunRecord } from '../schema/run-record.ts';
import { formatChart } from './chart.ts';
import { formatColumns, type PrintedColumn } from './columns.ts';
import { localTime } from './local-time.ts';
import { glyphsOf, painter, type Style, type TextStyle } from './style.ts';
import { printableLine, truncate, wrap } from './text.ts';

interface Run {
  readonly startedAt: Date;
  readonly durationSeconds: number;
  readonly status: 'ok' | 'partial' | 'failed';
  readonly tables: readonly RunRecord[];
  readonly failure: RunRecord | undefined;
}

const STYLES: Record<Run['status'], TextStyle> = { ok: 'green', partial: 'yellow', failed: 'red' };

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

export function formatRuns(runs: readonly Run[], style: Style, nameOf: NameOf): string {
  return withErrors(runs, style, RUN_COLUMNS, runCells, nameOf);
}

const runCells = ({ startedAt, durationSeconds, status, tables }: Run): string[] => [
  localTime(startedAt),
  formatSeconds(durationSeconds),
  status,
  countsOf(tables),
  formatCount(sumOf(tables, rowsChanged)),
  formatBytes(sumOf(tables, ({ bytes }) => bytes)),
];

/** `charted` contains the runs of the chart, which has room for more runs than the list. */
export function formatTableRuns(
  runs: readonly Run[],
  charted: readonly Run[],
  style: Style,
  nameOf: NameOf,
): string {
  const list = withErrors(runs, style, TABLE_COLUMNS, tableCells, nameOf);
  return charted.length < 2 ? list : `${list}\n${pictureOf(charted, style).join('\n')}\n`;
}

const tableCells = ({ startedAt, durationSeconds, status, tables }: Run): string[] => [
  localTime(startedAt),
  formatSeconds(durationSeconds),
  status,
  tables[0]?.action ?? '-',
  formatCount(sumOf(tables, ({ rows_read }) => rows_read)),
  formatCount(sumOf(tables, rowsChanged)),
  formatBytes(sumOf(tables, ({ bytes }) => bytes)),
];

function withErrors(
  runs: readonly Run[],
  style: Style,
  columns: readonly PrintedColumn[],
  cellsOf: (run: Run) => string[],
  nameOf: NameOf,
): string {
  if (runs.length === 0) return 'no runs are recorded\n';
  const colored = painter(style);
  const paint = (cell: string, row: number, column: number) => {
    const run = column === RESULT ? runs[row] : undefined;
    return run ? colored(STYLES[run.status], cell) : cell;
  };
  const [header = '', ...lines] = formatColumns(columns, runs.map(cellsOf), style, paint);
  const body = lines.flatMap((line, index) => {
    const run = runs[index];
    if (!run?.failure) return [line];
    return [line, errorLine(run.failure, style, nameOf), ...othersLine(run, style, nameOf)];
  });
  return `${[header, ...body, countLine(runs)].join('\n')}\n`;
}

/** The error in one line, with the code first. `status` prints the whole error and the fix. */
function errorLine(
  { table_name, error_code, error_message }: RunRecord,
  style: Style,
  nameOf: NameOf,
): string {
  const where = table_name === null ? '' : `${nameOf(table_name)}: `;
  const text = printableLine(`${error_code ?? ''} ${where}${error_message ?? ''}`);
  return truncate(`    ${text}`, style.width, glyphsOf(style).ellipsis);
}

/** The other tables that failed. */
function othersLine({ tables, failure }: Run, style: Style, nameOf: NameOf): string[] {
  const others = tables.filter((table) => table.status === 'failed' && table !== failure);
  const names = others.map(({ table_name }) => printableLine(nameOf(table_name ?? '')));
  return names.length === 0 ? [] : wrap(`    also failed: ${names.join(', ')}`, style, '      ');
}

const sumOf = (records: readonly RunRecord[], number: (record: RunRecord) => number): number =>
  records.reduce((sum, record) => sum + number(record), 0);

function countsOf(tables: readonly RunRecord[]): string {
  const failed = tables.filter(({ status }) => status === 'failed').length;
  const parts = [
    ...(tables.length > failed ? [`${formatCount(tables.length - failed)} ok`] : []),
    ...(failed > 0 ? [`${formatCount(failed)} failed`] : []),
  ];
  return parts.length === 0 ? 'none' : parts.join(', ');
}

function countLine(runs: readonly Run[]): string {
  const parts = (['ok', 'partial', 'failed'] as const).flatMap((status) => {
    const count = runs.filter((run) => run.status === status).length;
    return count > 0 ? [`${formatCount(count)} ${status}`] : [];
  });
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  return `${formatCount(runs.length)} ${runs.length === 1 ? 'run' : 'runs'}: ${parts.join(', ')} (times in ${timeZone})`;
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
      isFailed: runs.map(({ status }) => status !== 'ok'),
      from: time(runs[0]),
      to: time(runs.at(-1)),
    },
    style,
  );
}
