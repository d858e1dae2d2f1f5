import { formatCounted, LISTED, listedNames } from '../format.ts';
import { ALIKE, exampleText, sameFailures, sharedHint } from './same-failure.ts';
import { painter, type Style, type Paint } from './style.ts';
import { printable, printableLine, wrapped } from './text.ts';

interface PrintedFinding {
  readonly level: 'error' | 'warning' | 'note';
  readonly code: string;
  readonly table: string | undefined;
  readonly message: string;
  readonly action: string | undefined;
  readonly stopsSync?: boolean | undefined;
  /** Whether it was printed for an earlier destination, word for word. */
  readonly isTold?: boolean | undefined;
}

const STYLES = { error: ['x', 'red'], warning: ['!', 'yellow'], note: ['-', 'gray'] } as const;
const LEVELS = ['note', 'warning', 'error'] as const;
type FindingLevel = PrintedFinding['level'];

/** The column of the text: after the longest of "  ! warning  ". */
const TEXT_AT = 13;
/** Before an action: indented below the finding, as the advice below an error. */
const NEXT = '    next: ';

/** A finding of several tables. */
interface GroupedFinding extends PrintedFinding {
  /** Set if the texts differ: the table whose text is printed. */
  readonly example?: string | undefined;
}

interface Printing {
  /** The number of tables. */
  readonly tables?: number;
  /** Prints each finding, also if it is the same for many tables. */
  readonly isVerbose?: boolean;
}

/** Groups the findings by table. The highest level comes last, because a terminal shows the end. */
export function formatFindings(
  findings: readonly PrintedFinding[],
  style: Style,
  { tables, isVerbose = false }: Printing = {},
): string {
  const paint = painter(style);
  const news = isVerbose ? findings : findings.filter(({ isTold }) => isTold !== true);
  const printed = isVerbose ? news : withoutRepeats(news);
  const groups = [...Map.groupBy(printed, ({ table }) => table)].map(([table, found]) => ({
    table,
    found: found.toSorted((a, b) => rank(a.level) - rank(b.level)),
  }));
  const isPipeline = ({ table }: { readonly table: string | undefined }) => Number(table === undefined);
  const ordered = groups.toSorted(
    (a, b) => rankOf(a.found) - rankOf(b.found) || isPipeline(a) - isPipeline(b),
  );
  const lines = ordered.flatMap(({ table, found }) => [
    ...wrapped('', table === undefined ? 'the pipeline' : printableLine(table), 2, style),
    ...found.flatMap((finding) => findingLines(finding, style, paint)),
    '',
  ]);
  const told = isVerbose ? [] : findings.filter(({ isTold }) => isTold === true);
  const toldLines =
    told.length === 0 ? [] : [...wrapped('', `${levelCounts(told)} as above (-v prints each)`, 2, style), ''];
  return `${[...toldLines, ...lines, ...wrapped('', countLine(findings, tables), 0, style)].join('\n')}\n`;
}

/** The last line counts by level, too. */
const levelCounts = (findings: readonly PrintedFinding[]): string =>
  LEVELS.toReversed()
    .map((level) => ({ level, count: findings.filter((each) => each.level === level).length }))
    .flatMap(({ level, count }) => (count > 0 ? [formatCounted(count, level)] : []))
    .join(', ');

function withoutRepeats(findings: readonly PrintedFinding[]): readonly GroupedFinding[] {
  const named = findings.map((finding) => ({
    finding,
    name: finding.table ?? '',
    code: `${finding.level} ${finding.code} ${finding.action === undefined}`,
    message: finding.message,
    hint: finding.action ?? '',
  }));
  return sameFailures(named).flatMap((group) => {
    const same = group.map(({ finding }) => finding);
    const [first] = same;
    return first && same.length >= ALIKE ? [together(first, same, sharedHint(group))] : same;
  });
}

/** The texts may differ in the names of the tables, or in numbers of rows. One step may be for all tables. */
function together(
  first: PrintedFinding,
  findings: readonly PrintedFinding[],
  shared: string | undefined,
): GroupedFinding {
  const isSame =
    findings.every(({ message }) => message === first.message) ||
    (shared !== undefined && shared !== first.action && shared !== '');
  return {
    ...first,
    table: labelOf(findings),
    action: first.action === undefined ? undefined : (shared ?? first.action),
    example: shared !== undefined && isSame ? undefined : first.table,
  };
}

function labelOf(findings: readonly PrintedFinding[]): string {
  const names = findings.flatMap(({ table }) => table ?? []);
  return `${names.length} tables: ${listedNames(names, LISTED)}`;
}

const rank = (level: FindingLevel): number => LEVELS.indexOf(level);
const rankOf = (found: readonly PrintedFinding[]): number =>
  Math.max(...found.map(({ level }) => rank(level)));

function findingLines(
  { level, code, message, action, example }: GroupedFinding,
  style: Style,
  paint: Paint,
): string[] {
  const [symbol, tint] = STYLES[level];
  const head = `  ${symbol} ${level}`;
  const [first = '', ...rest] = wrapped(
    head.padEnd(TEXT_AT),
    printable(`${message} [${code}]`),
    TEXT_AT,
    style,
  );
  return [
    `${paint(tint, head)}${first.slice(head.length)}`,
    ...rest,
    ...(action === undefined ? [] : wrapped(NEXT, printable(action), NEXT.length, style)),
    ...(example === undefined ? [] : wrapped('    ', printable(exampleText(example, 'check')), 4, style)),
  ];
}

function countLine(findings: readonly PrintedFinding[], tables: number | undefined): string {
  const of = (level: FindingLevel) => findings.filter((finding) => finding.level === level);
  const [errors, warnings] = [of('error'), of('warning')];
  const plural = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`;
  const failed = warnings.filter(({ code }) => code === 'LAST_SYNC_FAILED').length;
  const verdict =
    errors.length > 0
      ? errors.some(({ stopsSync }) => stopsSync !== false)
        ? `sync would fail${extentOf(errors, tables)}${failed === 0 ? '' : `; the last sync failed for ${plural(failed, 'other table')}`}`
        : 'sync will work; fix the errors'
      : warnings.length > 0
        ? `${failed === 0 ? 'sync will work' : `the last sync failed for ${plural(failed, 'table')}`}; check the warnings`
        : 'no problems found';
  return `${plural(errors.length, 'error')}, ${plural(warnings.length, 'warning')}: ${verdict}.`;
}

/** For a part of the tables. An error without a table concerns all tables. */
function extentOf(errors: readonly PrintedFinding[], tables: number | undefined): string {
  const stopping = errors.filter(({ stopsSync }) => stopsSync !== false);
  const failing = new Set(stopping.map(({ table }) => table));
  if (tables === undefined || failing.has(undefined) || failing.size >= tables) return '';
  return ` for ${failing.size} of ${tables} tables`;
}
