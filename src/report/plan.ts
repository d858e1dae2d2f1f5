import { formatDuration } from '../duration.ts';
import {
  formatBytes,
  formatCounted,
  LISTED,
  listed,
  MANY_TABLES,
  noRowsText,
  listedNames,
} from '../format.ts';
import { tableCommand } from '../shell-word.ts';
import { formatAge } from './age.ts';
import { shortCursor } from './cursor.ts';
import { lastFailureLines, type LastFailure } from './last-failure.ts';
import {
  ALIKE,
  exampleText,
  sameFailure,
  sameFailures,
  sharedHint,
  type NamedFailure,
  type ToldFailures,
} from './same-failure.ts';
import { painter, type Style, type Paint, type TextStyle } from './style.ts';
import { displayWidth, padEnd, printable, printableLine, wrapped } from './text.ts';

interface Estimated {
  readonly rows?: number | undefined;
  readonly bytes?: number | undefined;
  /** Whether the real numbers are larger. */
  readonly isMore?: boolean | undefined;
}

/** The printed part of a planned table. */
interface PlannedTable {
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
        readonly log: string | undefined;
      }
    | undefined;
  /** A sentence about rows that a load would remove. */
  readonly removes: string | undefined;
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
const isOngoing = ({ action }: Pick<PlannedTable, 'action'>): boolean =>
  action === 'incremental' || action === 'append';

const ACTION_WIDTH = 12;
/** Width that the effect needs beside a name. A longer name has a line of its own, so that it moves no other table. */
const EFFECT_ROOM = 36;
const DETAIL_INDENT = 4;

interface PlanFrame {
  readonly isVerbose: boolean;
  readonly jobs: number;
  /** Why a sync would fail before its first table. */
  readonly fault?: string | undefined;
  /** The addresses of the source and of the destination. */
  readonly direction: { readonly from: string; readonly to: string };
}

/**
 * At least one line for each table, and a last line with totals. Tables that a sync would refuse come last, after those
 * whose last sync failed, because a terminal shows the end.
 */
export function formatPlan(
  tables: readonly PlannedTable[],
  style: Style,
  { isVerbose, jobs, fault, direction }: PlanFrame,
): string {
  const nameWidth = nameWidthOf(tables, style);
  const printed = isVerbose ? tables : tables.map(withShortCursor);
  const notes = isVerbose ? [] : sharedNotes(printed);
  const toldNotes = new Set(notes.map(([note]) => note));
  const sorted = printed
    .map((table) => ({ ...table, warnings: table.warnings.filter((note) => !toldNotes.has(note)) }))
    .toSorted((a, b) => trouble(a) - trouble(b));
  const told: ToldFailures = new Map();
  const isMany = tables.filter(({ action }) => action === 'initial').length > MANY_TABLES;
  const quiet = isVerbose ? [] : sorted.filter((table) => isWithoutNews(table, style));
  const grouped = new Set(quiet.length > MANY_TABLES ? quiet : []);
  const quietLine =
    grouped.size === 0
      ? []
      : [
          `${painter(style)('cyan', '~')} ${formatCounted(grouped.size, 'table')} with ${NOTHING_NEW} (-v prints each)`,
        ];
  const alike = isVerbose
    ? []
    : sameFailures(sorted.flatMap(refusalOf)).filter(({ length }) => length >= ALIKE);
  const refused = new Set(alike.flatMap((group) => group.map(({ name }) => name)));
  const lines = sorted.flatMap((table) => {
    if (grouped.has(table) || refused.has(table.name)) return [];
    const seen = isVerbose ? undefined : repetition(table, told);
    if (seen !== undefined) return headLines({ ...table, reason: seen }, nameWidth, style, painter(style));
    const isFoundTold = table.action === 'initial' && isMany && !isVerbose;
    const shown = isFoundTold ? { ...table, pattern: undefined } : table;
    const { lastFailure } = table;
    const lastLines = lastFailure ? lastFailureLines(table.name, lastFailure, told, style) : [];
    return [...tableLines(shown, nameWidth, style), ...lastLines];
  });
  const { from, to } = direction;
  const ending = [`from  ${from}`, `to    ${to}`, countLine(tables, jobs, fault)];
  const together = alike.flatMap((group) => refusedLines(group, style));
  const noteLines = notes.flatMap(([note, names]) => {
    const of = names.length === tables.length ? '' : ` (${listedNames(names.map(printableLine), LISTED)})`;
    return wrapped('note: ', `${printable(note)}${of}`, DETAIL_INDENT, style);
  });
  return `${[...quietLine, ...lines, ...together, '', ...noteLines, ...ending.flatMap((line) => wrapped('', printable(line), DETAIL_INDENT, style))].join('\n')}\n`;
}

/** Notes of many tables, with their names. */
const sharedNotes = (
  tables: readonly PlannedTable[],
): (readonly [note: string, names: readonly string[]])[] =>
  [
    ...Map.groupBy(
      tables.flatMap(({ name, warnings }) => warnings.map((note) => ({ name, note }))),
      ({ note }) => note,
    ),
  ].flatMap(([note, all]) => (all.length < ALIKE ? [] : [[note, all.map(({ name }) => name)] as const]));

const nameWidthOf = (tables: readonly PlannedTable[], { width }: Style): number => {
  const most = width - ACTION_WIDTH - 6 - EFFECT_ROOM;
  const widths = tables.map(({ name }) => displayWidth(printableLine(name)));
  return Math.max(0, ...widths.filter((each) => each <= most));
};

const refusalOf = ({ name, error }: PlannedTable): NamedFailure[] =>
  error ? [{ name, code: error.code, message: error.message, hint: error.next }] : [];

function refusedLines(group: readonly NamedFailure[], style: Style): string[] {
  const [first] = group;
  if (!first) return [];
  const names = listedNames(
    group.map(({ name }) => printableLine(name)),
    LISTED,
  );
  const shared = sharedHint(group);
  const detail = (text: string) => wrapped('    ', printable(text), DETAIL_INDENT, style);
  return [
    ...wrapped(
      `${painter(style)('red', 'x')} `,
      `${formatCounted(group.length, 'table')} refused: ${names}`,
      2,
      style,
    ),
    ...detail(first.message),
    ...wrapped('    next: ', printable(shared ?? first.hint), DETAIL_INDENT + 6, style),
    ...(shared !== undefined ? [] : detail(exampleText(first.name, 'plan'))),
  ];
}

/** For a table that is refused like one before it: a reference to that table. */
function repetition({ name, error }: PlannedTable, told: ToldFailures): string | undefined {
  if (!error) return undefined;
  const { code, message, next: hint } = error;
  return sameFailure({ name, code, message, hint }, printableLine(name), told);
}

const withShortCursor = (table: PlannedTable): PlannedTable => ({
  ...table,
  cursor: table.cursor === null ? null : shortCursor(table.cursor),
  high: table.high === null ? null : shortCursor(table.high),
});

const isRefused = ({ action, obstruction }: PlannedTable): boolean =>
  action === 'refused' || action === 'not-planned' || obstruction !== undefined;

/** Whether there is no more to say about the table than that it is quiet. */
const isWithoutNews = (table: PlannedTable, style: Style): boolean =>
  isOngoing(table) && isQuiet(table) && trouble(table) === 0 && detailLines(table, style).length === 0;

/** The largest comes last. */
const trouble = (table: PlannedTable): number => (isRefused(table) ? 2 : table.lastFailure ? 1 : 0);

const tableLines = (table: PlannedTable, nameWidth: number, style: Style): string[] => [
  ...headLines(table, nameWidth, style, painter(style)),
  ...detailLines(table, style),
];

function detailLines(table: PlannedTable, style: Style): string[] {
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
    ...(table.removes === undefined ? [] : detail('removes', table.removes)),
    ...table.objects.flatMap(([what, text]) => detail(what, text)),
    ...(table.builtOn.length === 0 ? [] : detail('dependent objects', listed(table.builtOn, LISTED))),
    ...(table.obstruction ? detail('would be refused', table.obstruction.what) : []),
    ...table.warnings.flatMap((warning) => detail('note', warning)),
    ...[table.obstruction, table.error].flatMap((problem) => (problem ? detail('next', problem.next) : [])),
  ];
}

function headLines(table: PlannedTable, nameWidth: number, style: Style, colored: Paint): string[] {
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
  const { ageSeconds, hasFailed } = deletes;
  const last =
    ageSeconds === undefined
      ? 'no comparison has finished yet'
      : `${hasFailed ? 'the last comparison failed' : 'last compared'} ${formatAge(ageSeconds)} ago`;
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

function volumeWords(estimated: PlannedTable['estimated']): string {
  const { rows, bytes, isMore = false } = estimated ?? {};
  const words = [
    ...(rows === undefined ? [] : [formatCounted(Math.round(rows), 'row')]),
    ...(bytes ? [formatBytes(bytes)] : []),
  ].join(', ');
  return words === '' ? '' : `${isMore ? 'more than' : 'about'} ${words}`;
}

const NOTHING_NEW = 'nothing new';

const isQuiet = ({ cursor, high, hasWork, removesDeleted }: PlannedTable): boolean =>
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

const isReadAgain = ({ hasWork, readAgain }: PlannedTable): boolean => !hasWork && Boolean(readAgain?.rows);

function totalOf(volumes: readonly (Estimated | undefined)[]): {
  readonly rows: number;
  readonly bytes: number;
} {
  const sum = (of: 'rows' | 'bytes') => volumes.reduce((total, volume) => total + (volume?.[of] ?? 0), 0);
  return { rows: sum('rows'), bytes: sum('bytes') };
}

function countLine(tables: readonly PlannedTable[], jobs: number, fault: string | undefined): string {
  const working = tables.filter(({ obstruction }) => !obstruction);
  const blocked = tables.length - working.length;
  const count = (...actions: string[]) => working.filter(({ action }) => actions.includes(action)).length;
  const failed = tables.filter(({ lastFailure }) => lastFailure).length;
  const ongoing = working.filter(isOngoing);
  const again = ongoing.filter(isReadAgain);
  const read = totalOf(working.map(({ estimated, readAgain }) => estimated ?? readAgain));
  const readAgain = totalOf(again.map((table) => table.readAgain));
  const share = readAgain.rows === read.rows ? '' : ` (${volumeWords(readAgain)})`;
  const counts: readonly (readonly [tables: number, what: string])[] = [
    [count('refused'), 'REFUSED'],
    [count('not-planned'), 'NOT PLANNED'],
    [blocked, 'WOULD BE REFUSED'],
    [failed, 'FAILED at the last sync'],
    [count('initial'), 'to load'],
    [count('reset'), 'to load again'],
    [count('full-refresh'), 'full-refresh'],
    [ongoing.filter(({ hasWork }) => hasWork).length, 'with changes'],
    [ongoing.filter((table) => !table.hasWork && !isReadAgain(table)).length, 'quiet'],
    [again.length, `quiet but read again${share}`],
    [count('skipped'), 'skipped'],
  ];
  const parts = counts.filter(([found]) => found > 0).map(([found, what]) => `${found} ${what}`);
  const unknown = working.filter(
    (table) => table.hasWork && !isOngoing(table) && table.estimated?.rows === undefined,
  );
  const small = unknown.filter(({ isSmall }) => isSmall).length;
  const large = unknown.length - small;
  const volume = [
    ...(read.rows + read.bytes === 0 ? [] : [volumeWords(read)]),
    // There are no statistics, but a load has asked whether the table is small.
    ...(small === 0 ? [] : [formatCounted(small, 'small table')]),
    ...(large === 0 ? [] : [`${formatCounted(large, 'table')} of unknown size`]),
  ]
    .join(', ')
    .replace(/, (?=[^,]*table[^,]*$)/, ', and ');
  const total = volume === '' ? '' : `; ${volume} to read`;
  const together =
    jobs === 1 || tables.length === 1
      ? ''
      : ` ${jobs} jobs: up to ${jobs} tables are synced at the same time.`;
  return `Plan: ${formatCounted(tables.length, 'table')}: ${parts.length === 0 ? 'nothing to do' : parts.join(', ')}${total}${fault === undefined ? '' : `; ${fault}`}.${together}`;
}
