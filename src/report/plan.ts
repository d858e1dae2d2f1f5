/** Prints plans: the tables that need attention, and how much the next sync would read. */
import { formatCounted, LISTED, listedNames, MANY_TABLES } from '../format.ts';
import { shortCursor } from './cursor.ts';
import { lastFailureLines } from './last-failure.ts';
import {
  ACTION_WIDTH,
  DETAIL_INDENT,
  detailLines,
  EFFECT_ROOM,
  headLines,
  isOngoing,
  isQuiet,
  isReadAgain,
  isRefused,
  tableLines,
  volumeWords,
  type Estimated,
  type PlannedTable,
} from './planned-table.ts';
import {
  ALIKE,
  exampleText,
  sameFailure,
  sameFailures,
  sharedHint,
  type NamedFailure,
  type ToldFailures,
} from './same-failure.ts';
import { painter, type Style } from './style.ts';
import { displayWidth, printable, printableLine, wrapped } from './text.ts';

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
      : [`${painter(style)('cyan', '~')} ${formatCounted(grouped.size, 'quiet table')} (-v prints each)`];
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
    const lastLines = lastFailure ? lastFailureLines({ name: table.name }, lastFailure, told, style) : [];
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

/** Whether there is no more to say about the table than that it is quiet. */
const isWithoutNews = (table: PlannedTable, style: Style): boolean =>
  isOngoing(table) && isQuiet(table) && trouble(table) === 0 && detailLines(table, style).length === 0;

/** The largest comes last. */
const trouble = (table: PlannedTable): number => (isRefused(table) ? 2 : table.lastFailure ? 1 : 0);

function totalOf(volumes: readonly (Estimated | undefined)[]): {
  readonly rows: number;
  readonly bytes: number;
  readonly isMore: boolean;
} {
  const sum = (of: 'rows' | 'bytes') => volumes.reduce((total, volume) => total + (volume?.[of] ?? 0), 0);
  return {
    rows: sum('rows'),
    bytes: sum('bytes'),
    isMore: volumes.some((volume) => volume?.isMore === true),
  };
}

function countLine(tables: readonly PlannedTable[], jobs: number, fault: string | undefined): string {
  const working = tables.filter(({ obstruction }) => !obstruction);
  const blocked = tables.length - working.length;
  const count = (...actions: string[]) => working.filter(({ action }) => actions.includes(action)).length;
  const failed = tables.filter(({ lastFailure }) => lastFailure).length;
  const ongoing = working.filter(isOngoing);
  const again = ongoing.filter(isReadAgain);
  const withoutWork = ongoing.filter(({ hasWork }) => !hasWork).length;
  const read = totalOf(working.map(({ estimated, readAgain }) => estimated ?? readAgain));
  const readAgain = totalOf(again.map((table) => table.readAgain));
  const share = readAgain.rows === read.rows ? '' : ` (${volumeWords(readAgain)})`;
  const counts: readonly (readonly [tables: number, what: string])[] = [
    [count('refused'), 'REFUSED'],
    [count('not-planned'), 'NOT PLANNED'],
    [blocked, 'WOULD BE REFUSED'],
    [count('initial'), 'to load'],
    [count('reset'), 'to load again'],
    [count('full-refresh'), 'full-refresh'],
    [ongoing.filter(({ hasWork }) => hasWork).length, 'with changes'],
    again.length === withoutWork
      ? [withoutWork, `quiet but read again${share}`]
      : [
          withoutWork,
          `quiet${again.length === 0 ? '' : `, of which ${again.length} ${again.length === 1 ? 'is' : 'are'} read again${share}`}`,
        ],
    [count('skipped'), 'skipped'],
  ];
  const parts = counts.filter(([found]) => found > 0).map(([found, what]) => `${found} ${what}`);
  const failedWords = failed === 0 ? '' : `; ${failed} FAILED at the last sync`;
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
  return `Plan: ${formatCounted(tables.length, 'table')}: ${parts.length === 0 ? 'nothing to do' : parts.join(', ')}${total}${failedWords}${fault === undefined ? '' : `; ${fault}`}.${together}`;
}
