import { formatDuration } from '../duration.ts';
import { formatBytes, formatCount } from '../format.ts';
import { painter, type Look, type Paint, type Style } from './look.ts';
import { displayWidth, padEnd, printable } from './text.ts';

/** What of a foreseen table is printed. */
interface PlannedTable {
  readonly name: string;
  readonly action: string;
  readonly reason: string;
  readonly typeChanges: readonly string[];
  readonly loader: string | undefined;
  readonly estimatedRows: number | undefined;
  readonly estimatedBytes: number | undefined;
  readonly cursor: string | null;
  readonly high: string | null;
  readonly hasWork: boolean;
  readonly removesDeleted: boolean;
  readonly deletes: { readonly checkedAt: string | null; readonly everySeconds: number } | undefined;
  readonly warnings: readonly string[];
  readonly error: { readonly next: string } | undefined;
}

const SYMBOLS: Record<string, readonly [symbol: string, style: Style]> = {
  initial: ['+', 'green'],
  reset: ['!', 'yellow'],
  'full-refresh': ['!', 'yellow'],
  incremental: ['~', 'cyan'],
  skipped: ['-', 'gray'],
  refused: ['x', 'red'],
};

/** A line or more a table, and a last line that counts. */
export function formatPlan(tables: readonly PlannedTable[], look: Look): string {
  const colored = painter(look);
  const nameWidth = Math.max(0, ...tables.map(({ name }) => displayWidth(printable(name))));
  const lines = tables.flatMap((table) => tableLines(table, nameWidth, colored));
  return `${[...lines, '', countLine(tables)].join('\n')}\n`;
}

function tableLines(table: PlannedTable, nameWidth: number, colored: Paint): string[] {
  const [symbol, style] = SYMBOLS[table.action] ?? ['?', 'white'];
  const paint = (text: string) => colored(style, text);
  const head = `${paint(symbol)} ${padEnd(printable(table.name), nameWidth)}  ${paint(padEnd(table.action, 12))}  ${printable(effect(table))}`;
  return [
    head,
    ...typeLines(table),
    ...deletesLines(table),
    ...table.warnings.map((warning) => `    note: ${printable(warning)}`),
    ...(table.error ? [`    next: ${printable(table.error.next)}`] : []),
  ];
}

/** The reason of a load is printed, and has them. */
const typeLines = ({ action, typeChanges }: PlannedTable): string[] =>
  action === 'incremental' ? typeChanges.map((change) => `    types: ${printable(change)}`) : [];

function deletesLines({ removesDeleted, deletes }: PlannedTable): string[] {
  if (!deletes) return [];
  const last = deletes.checkedAt === null ? 'never' : deletes.checkedAt;
  const every = formatDuration(deletes.everySeconds);
  return [`    deletes: ${removesDeleted ? 'due now' : 'not due'} (last compared ${last}, every ${every})`];
}

function effect(table: PlannedTable): string {
  if (table.action === 'incremental') return window(table);
  if (table.loader === undefined) return table.reason;
  const rows =
    table.estimatedRows === undefined ? '' : `, about ${formatCount(Math.round(table.estimatedRows))} rows`;
  const bytes = table.estimatedBytes ? `, ${formatBytes(table.estimatedBytes)}` : '';
  return `${table.reason}; by ${table.loader}${rows}${bytes}`;
}

function window({ cursor, high, hasWork, removesDeleted }: PlannedTable): string {
  const isQuiet = !hasWork || (removesDeleted && high === cursor);
  if (isQuiet) return `nothing newer than ${cursor ?? 'an empty table'}`;
  return `rows from ${cursor ?? 'the start'}; the source is at ${high ?? 'no key'}`;
}

function countLine(tables: readonly PlannedTable[]): string {
  const count = (...actions: string[]) => tables.filter(({ action }) => actions.includes(action)).length;
  const parts = [
    `${count('initial')} to load`,
    `${count('reset', 'full-refresh')} to load again`,
    `${tables.filter(({ action, hasWork }) => action === 'incremental' && hasWork).length} with changes`,
    `${tables.filter(({ action, hasWork }) => action === 'incremental' && !hasWork).length} quiet`,
    ...(count('refused') > 0 ? [`${count('refused')} REFUSED`] : []),
    ...(count('skipped') > 0 ? [`${count('skipped')} skipped`] : []),
  ];
  return `Plan: ${parts.join(', ')}.`;
}
