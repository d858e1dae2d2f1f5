/** What `plan` prints for one table. */
import { continuesFromCursor } from '../events.ts';
import { formatDuration } from '../duration.ts';
import { formatBytes, formatCounted, LISTED, listed, noRowsText } from '../format.ts';
import { tableCommand } from '../shell-word.ts';
import { lastDeletesText } from './deletes-text.ts';
import type { LastFailure } from './last-failure.ts';
import { painter, type Paint, type Style, type TextStyle } from './style.ts';
import { displayWidth, padEnd, printable, printableLine, wrapped } from './text.ts';

export interface Estimated {
  readonly rows?: number | undefined;
  readonly bytes?: number | undefined;
  /** Whether the real numbers are larger. */
  readonly isMore?: boolean | undefined;
}

/** The printed part of a planned table. */
export interface PlannedTable {
  readonly name: string;
  readonly action: string;
  readonly reason: string;
  /** Undefined if the table has its own entry. */
  readonly pattern: string | undefined;
  readonly selects: string | undefined;
  readonly rowsFrom?: 'where' | 'query' | undefined;
  /** The destination table, if its name differs. */
  readonly copy: string | undefined;
  readonly typeChanges: readonly string[];
  readonly evolution:
    | {
        readonly alterations: readonly string[];
        readonly filled: readonly string[];
        readonly compared: readonly string[];
        readonly rows: number | undefined;
      }
    | undefined;
  /** How rows are written, if an option changes that. */
  readonly rules: readonly string[];
  readonly loader: string | undefined;
  /** Whether the size of the table decided for COPY. */
  readonly isSmall: boolean;
  readonly estimated: Estimated | undefined;
  /** Rows that are read although there is nothing new. */
  readonly readAgain?: Estimated | undefined;
  readonly cursor: string | null;
  /** How far below the cursor the window begins. */
  readonly lookbackSeconds?: number | undefined;
  readonly high: string | null;
  readonly hasWork: boolean;
  readonly removesDeleted: boolean;
  readonly deletes:
    | {
        /** Since the last comparison. Undefined if there was none. */
        readonly ageSeconds: number | undefined;
        /** That comparison could not remove the rows. */
        readonly hasFailed: boolean;
        readonly everySeconds: number;
        readonly isChanged?: boolean;
        readonly log: string | undefined;
      }
    | undefined;
  /** Rows that the sync would mark as deleted, as text. */
  readonly marks?: readonly string[] | undefined;
  /** Rows and columns that the sync would remove from the destination, as text. */
  readonly removes: readonly string[];
  /** What would be done for copied indexes and constraints. */
  readonly objects: readonly (readonly [what: string, objects: string])[];
  /** Dependent objects, as text. */
  readonly builtOn: readonly string[];
  readonly obstruction: { readonly what: string; readonly next: string } | undefined;
  readonly warnings: readonly string[];
  readonly error: { readonly code: string; readonly message: string; readonly next: string } | undefined;
  /** Of a sync that no success has followed. */
  readonly lastFailure: LastFailure | undefined;
}

const SYMBOLS: Record<string, readonly [symbol: string, style: TextStyle]> = {
  initial: ['+', 'green'],
  reset: ['!', 'yellow'],
  'full-refresh': ['~', 'cyan'],
  incremental: ['~', 'cyan'],
  append: ['~', 'cyan'],
  skipped: ['-', 'gray'],
  refused: ['x', 'red'],
  'not-planned': ['x', 'red'],
};

/** Whether the table continues from a cursor. */
export const isOngoing = ({ action }: Pick<PlannedTable, 'action'>): boolean => continuesFromCursor(action);

export const ACTION_WIDTH = 12;
/** Width that the effect needs beside a name. A longer name has a line of its own, so that it moves no other table. */
export const EFFECT_ROOM = 36;
export const DETAIL_INDENT = 4;

export const isRefused = ({ action, obstruction }: PlannedTable): boolean =>
  action === 'refused' || action === 'not-planned' || obstruction !== undefined;

export const tableLines = (table: PlannedTable, nameWidth: number, style: Style): string[] => [
  ...headLines(table, nameWidth, style, painter(style)),
  ...detailLines(table, style),
];

export function detailLines(table: PlannedTable, style: Style): string[] {
  const detail = (head: string, text: string) =>
    wrapped(`    ${head}: `, printable(text), DETAIL_INDENT + head.length + 2, style);
  return [
    ...patternLines(table).flatMap((text) => detail('found by', text)),
    ...evolutionLines(table).flatMap(([head, text]) => detail(head, text)),
    ...(table.selects === undefined ? [] : detail('selects', table.selects)),
    ...destinationLines(table).flatMap((text) => detail('destination', text)),
    ...typeLines(table).flatMap((text) => detail('types', text)),
    ...table.rules.flatMap((text) => detail('rows', text)),
    ...deletesLines(table).flatMap((text) => detail('deletes', text)),
    ...(table.marks ?? []).flatMap((text) => detail('marks', text)),
    ...table.removes.flatMap((text) => detail('removes', text)),
    ...table.objects.flatMap(([what, text]) => detail(what, text)),
    ...(table.builtOn.length === 0 ? [] : detail('dependent objects', listed(table.builtOn, LISTED))),
    ...(table.obstruction ? detail('would be refused', table.obstruction.what) : []),
    ...table.warnings.flatMap((warning) => detail('note', warning)),
    ...[table.obstruction, table.error].flatMap((problem) => (problem ? detail('next', problem.next) : [])),
  ];
}

export function headLines(table: PlannedTable, nameWidth: number, style: Style, colored: Paint): string[] {
  const [symbol, tint] = SYMBOLS[table.obstruction ? 'refused' : table.action] ?? ['?', 'white'];
  const paint = (text: string) => colored(tint, text);
  const name = printableLine(table.name);
  const text = printable(effect(table));
  const indent = nameWidth + ACTION_WIDTH + 6;
  if (displayWidth(name) > nameWidth) {
    const head = `${paint(symbol)} ${name}  ${paint(table.action)}`;
    return isOngoing(table) && isQuiet(table)
      ? [`${head}  ${NOTHING_NEW}`]
      : [head, ...wrapped('    ', text, DETAIL_INDENT, style)];
  }
  // Colors are added after wrapping, because escape sequences would count as width.
  const action = padEnd(table.action, ACTION_WIDTH);
  const plain = `${symbol} ${padEnd(name, nameWidth)}  ${action}  `;
  const [first = '', ...rest] = wrapped(plain, text, indent, style);
  const head = `${paint(symbol)} ${padEnd(name, nameWidth)}  ${paint(action)}  `;
  return [`${head}${first.slice(plain.length)}`, ...rest];
}

/** For a new table that tables-config.json does not name. */
const patternLines = ({ action, pattern }: PlannedTable): string[] =>
  pattern !== undefined && ['initial', 'refused'].includes(action) ? [`the pattern "${pattern}"`] : [];

/** For a destination table that increp is about to create. */
const destinationLines = ({ action, copy }: PlannedTable): string[] =>
  action === 'initial' && copy !== undefined ? [copy] : [];

/** The printed reason of a load already names them. */
const typeLines = (table: PlannedTable): readonly string[] => (isOngoing(table) ? table.typeChanges : []);

function evolutionLines({ evolution, reason, action }: PlannedTable): [head: string, text: string][] {
  if (!evolution) return [];
  const { alterations, filled, compared, rows } = evolution;
  const volume = volumeWords({ rows });
  const forRows = volume === '' ? 'the rows of the destination table' : volume;
  return [
    ...(isOngoing({ action }) ? [['shape', reason] as [string, string]] : []),
    ...alterations.map((statement): [string, string] => ['alter', statement]),
    ...(filled.length === 0 ? [] : [['fill', `${namesOf(filled)} of ${forRows}`] as [string, string]]),
    ...(compared.length === 0
      ? []
      : [['compare', `${namesOf(compared)} of ${forRows}, copied where it differs`] as [string, string]]),
  ];
}

const namesOf = (columns: readonly string[]): string => columns.map((name) => `"${name}"`).join(', ');

/** Only for an incremental sync: a load removes deleted rows anyway. */
function deletesLines(table: PlannedTable): string[] {
  const { removesDeleted, deletes } = table;
  if (!deletes || !isOngoing(table)) return [];
  const { hasFailed } = deletes;
  const last = lastDeletesText(deletes);
  const every = formatDuration(deletes.everySeconds);
  const count = hasFailed
    ? '; it compares all keys again, and fails again if the cause is the same'
    : `; to count the rows to remove, run "${tableCommand('verify', table.name)}"`;
  const comparison = removesDeleted
    ? `due now (${last}, every ${every})${count}`
    : `not due (${last}, every ${every})`;
  return deletes.log === undefined
    ? [comparison]
    : [`at each sync from ${deletes.log}; comparison ${comparison}`];
}

function effect(table: PlannedTable): string {
  if (isOngoing(table)) return window(table);
  const volume = volumeWords(table.estimated);
  return table.loader === undefined
    ? table.reason
    : `${table.reason}; by ${table.loader}${table.isSmall ? ' (small table)' : ''}${volume === '' ? '' : `, ${volume}`}`;
}

export function volumeWords(estimated: PlannedTable['estimated']): string {
  const { rows, bytes, isMore = false } = estimated ?? {};
  const words = [
    ...(rows === undefined ? [] : [formatCounted(Math.round(rows), 'row')]),
    ...(bytes ? [formatBytes(bytes)] : []),
  ].join(', ');
  return words === '' ? '' : `${isMore ? 'at least' : 'about'} ${words}`;
}

const NOTHING_NEW = 'nothing new';

export const isQuiet = ({ cursor, high, hasWork, removesDeleted }: PlannedTable): boolean =>
  !hasWork || (removesDeleted && high === cursor);

function window(table: PlannedTable): string {
  const { cursor, estimated, readAgain } = table;
  const lookback = table.lookbackSeconds ? formatDuration(table.lookbackSeconds) : undefined;
  if (isQuiet(table)) {
    if (cursor === null) return noRowsText(table.rowsFrom, 'no rows at the source');
    const again = readAgain?.rows ? volumeWords(readAgain) : undefined;
    if (again === undefined) return `nothing newer than ${cursor}`;
    return `nothing newer than ${cursor}; the sync reads ${lookback === undefined ? `${again} again` : `the ${lookback} before it again: ${again}`}`;
  }
  const volume = volumeWords(estimated);
  const start =
    cursor === null ? 'the start' : lookback === undefined ? cursor : `${lookback} before ${cursor}`;
  return `${volume === '' ? 'rows' : `${volume},`} from ${start} on`;
}

export const isReadAgain = ({ hasWork, readAgain }: PlannedTable): boolean =>
  !hasWork && Boolean(readAgain?.rows);
