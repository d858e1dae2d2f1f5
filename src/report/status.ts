/** How fresh each copy is, as a person reads it: the state first, and below it what to do. */
import { formatCount } from '../format.ts';
import { formatAge } from './age.ts';
import { formatColumns, type Column } from './columns.ts';
import { codesText } from './error.ts';
import { painter, type Style, type TextStyle } from './style.ts';
import { printable, printableLine, wrap } from './text.ts';

interface Failure {
  readonly started_at: string;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly error_hint: string | null;
  readonly sqlstate: string | null;
}

interface Status {
  readonly name: string;
  readonly condition: string;
  readonly failures: number;
  /** Whether there is a state to begin the next sync with, where it was looked for. */
  readonly hasState: boolean;
  readonly cursor: string | null;
  readonly completeUpTo: string | null;
  readonly lastSuccessAt: Date | undefined;
  readonly lagSeconds: number | undefined;
  readonly rowsLastDay: number;
  readonly lastFailure: Failure | undefined;
  readonly drift: { readonly what: string; readonly next: string } | undefined;
  readonly pendingLoad: { readonly done: number; readonly of: number } | undefined;
}

const STYLES: Record<string, TextStyle> = {
  ok: 'green',
  stale: 'yellow',
  drift: 'yellow',
  failing: 'red',
  running: 'cyan',
};

const COLUMNS: readonly Column[] = [
  { title: 'STATE' },
  { title: 'TABLE', narrowest: 12 },
  { title: 'LAST SUCCESS' },
  { title: 'LAG', isRight: true },
  { title: 'ROWS/24H', isRight: true },
  // Without its microseconds it still says where the copy is.
  { title: 'CURSOR', narrowest: 6 },
];

const INDENT = '    ';

export function formatStatus(tables: readonly Status[], style: Style, now: Date): string {
  const colored = painter(style);
  const paint = (cell: string, row: number, column: number) => {
    const tint = column === 0 ? STYLES[tables[row]?.condition ?? ''] : undefined;
    return tint ? colored(tint, cell) : cell;
  };
  const rows = tables.map((table) => cellsOf(table, now));
  const [header = '', ...lines] = formatColumns(COLUMNS, rows, style, paint);
  const explained = new Map<string, string>();
  const body = lines.flatMap((line, index) => {
    const table = tables[index];
    return table ? [line, ...detailsOf(table, explained, now).flatMap(inWidth(style))] : [line];
  });
  return `${[header, ...body, countLine(tables)].join('\n')}\n`;
}

const cellsOf = (table: Status, now: Date): string[] => [
  conditionText(table),
  printableLine(table.name),
  table.lastSuccessAt ? `${formatAge(secondsSince(table.lastSuccessAt, now))} ago` : 'never',
  table.lagSeconds === undefined ? '-' : formatAge(table.lagSeconds),
  formatCount(table.rowsLastDay),
  table.cursor ?? '-',
];

const secondsSince = (date: Date, now: Date): number => (now.getTime() - date.getTime()) / 1000;

const conditionText = ({ condition, failures }: Status): string =>
  condition === 'failing' ? `failing(${failures})` : condition;

const inWidth =
  ({ width }: Style) =>
  (detail: string): string[] =>
    wrap(`${INDENT}${detail}`, width, `${INDENT}  `);

/** `explained`: what has been said above, and of which table. A destination that is down is one trouble, not fifty. */
function detailsOf(table: Status, explained: Map<string, string>, now: Date): string[] {
  return [
    ...failureDetails(table, explained, now),
    ...driftDetails(table),
    ...(table.condition === 'stale'
      ? ['next: No run of it has failed since: look at what starts them (cron, a timer).']
      : []),
    ...(!table.hasState && ['ok', 'stale'].includes(table.condition)
      ? ['no cursor is known here: the next sync may load the table again']
      : []),
    ...(table.pendingLoad
      ? [`load in chunks: ${table.pendingLoad.done} of ${table.pendingLoad.of} chunks`]
      : []),
    ...(table.cursor !== null && table.completeUpTo !== table.cursor
      ? [`open transactions may still bring rows from ${table.completeUpTo ?? 'the start'}`]
      : []),
  ];
}

function failureDetails(
  { name, lastFailure, condition }: Status,
  explained: Map<string, string>,
  now: Date,
): string[] {
  if (!lastFailure || condition === 'disabled') return [];
  const { error_code: code, error_message: message, error_hint: hint, sqlstate, started_at } = lastFailure;
  const key = JSON.stringify([code, message, hint]);
  const before = explained.get(key);
  if (before !== undefined) return [`error: the same as of ${printableLine(before)}`];
  explained.set(key, name);
  const [first = '', ...more] = printable(message ?? '').split('\n');
  const codes = codesText(code ?? '', sqlstate);
  const age = `${formatAge(secondsSince(new Date(started_at), now))} ago`;
  return [
    [`error: ${first} (${codes}, ${age})`, ...more].join('\n'),
    ...(hint === null || hint === '' ? [] : [`next: ${printable(hint)}`]),
  ];
}

/** Where a run was refused because of it, its error says so. */
const driftDetails = ({ drift, lastFailure, condition }: Status): string[] =>
  !drift || lastFailure?.error_code === 'SCHEMA_CHANGE_REFUSED' || condition === 'disabled'
    ? []
    : [`drift: ${printable(drift.what)}`, `next: ${printable(drift.next)}`];

function countLine(tables: readonly Status[]): string {
  const counts = new Map<string, number>();
  for (const { condition } of tables) counts.set(condition, (counts.get(condition) ?? 0) + 1);
  const parts = [...counts].map(([condition, count]) => `${formatCount(count)} ${condition}`);
  return `${formatCount(tables.length)} ${tables.length === 1 ? 'table' : 'tables'}: ${parts.join(', ')}`;
}
