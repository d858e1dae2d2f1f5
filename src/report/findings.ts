import { listed } from '../format.ts';
import { painter, type Style, type Paint } from './style.ts';
import { printable, wrapped } from './text.ts';

interface Finding {
  readonly level: 'error' | 'warning' | 'note';
  readonly code: string;
  readonly table: string | undefined;
  readonly message: string;
  readonly action: string | undefined;
  readonly stopsSync?: boolean | undefined;
}

const LOOKS = { error: ['x', 'red'], warning: ['!', 'yellow'], note: ['-', 'gray'] } as const;
const LEVELS = ['error', 'warning', 'note'] as const;
type Level = Finding['level'];

/** Where the text begins, and goes on: behind the longest of "  ! warning  ". */
const TEXT_AT = 13;

/** What is true of so many tables is said once. */
const ALIKE = 3;
/** Names of such tables that are printed. */
const NAMED = 10;

/** What is about one table stands together; the worst comes first, among tables and within each. `tables`: how many there are. */
export function formatFindings(findings: readonly Finding[], style: Style, tables?: number): string {
  const paint = painter(style);
  const groups = [...Map.groupBy(toldOnce(findings), ({ table }) => table)].map(([table, found]) => ({
    table,
    found: found.toSorted((a, b) => rank(a.level) - rank(b.level)),
  }));
  const worst = groups.toSorted((a, b) => rankOf(a.found) - rankOf(b.found));
  const lines = worst.flatMap(({ table, found }) => [
    ...wrapped('', table === undefined ? 'the pipeline' : printable(table), 2, style.width),
    ...found.flatMap((finding) => findingLines(finding, style, paint)),
    '',
  ]);
  return `${[...lines, ...wrapped('', countLine(findings, tables), 0, style.width)].join('\n')}\n`;
}

function toldOnce(findings: readonly Finding[]): readonly Finding[] {
  const wordsOf = ({ level, code, message, action }: Finding) =>
    JSON.stringify([level, code, message, action]);
  const alike = Map.groupBy(findings, wordsOf);
  return [...alike.values()].flatMap((same) => {
    const [first] = same;
    return first && same.length >= ALIKE ? [{ ...first, table: labelOf(same) }] : same;
  });
}

function labelOf(findings: readonly Finding[]): string {
  const names = findings.flatMap(({ table }) => table ?? []);
  return `${names.length} tables: ${listed(names, NAMED)}`;
}

const rank = (level: Level): number => LEVELS.indexOf(level);
const rankOf = ([first]: readonly Finding[]): number => (first ? rank(first.level) : LEVELS.length);

function findingLines({ level, code, message, action }: Finding, { width }: Style, paint: Paint): string[] {
  const [symbol, style] = LOOKS[level];
  const head = `  ${symbol} ${level}`;
  const [first = '', ...rest] = wrapped(
    head.padEnd(TEXT_AT),
    printable(`${message} [${code}]`),
    TEXT_AT,
    width,
  );
  return [
    `${paint(style, head)}${first.slice(head.length)}`,
    ...rest,
    ...(action === undefined
      ? []
      : wrapped(`${' '.repeat(TEXT_AT)}next: `, printable(action), TEXT_AT, width)),
  ];
}

function countLine(findings: readonly Finding[], tables: number | undefined): string {
  const of = (level: Level) => findings.filter((finding) => finding.level === level);
  const [errors, warnings] = [of('error'), of('warning')];
  const plural = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`;
  const verdict =
    errors.length > 0
      ? errors.some(({ stopsSync }) => stopsSync !== false)
        ? `sync would fail${extentOf(errors, tables)}`
        : 'sync will work; mend the errors'
      : warnings.length > 0
        ? 'sync will work; mind the warnings'
        : 'all is well';
  return `${plural(errors.length, 'error')}, ${plural(warnings.length, 'warning')}: ${verdict}.`;
}

/** Where not every table would: an error that is about no table is about all of them. */
function extentOf(errors: readonly Finding[], tables: number | undefined): string {
  const stopping = errors.filter(({ stopsSync }) => stopsSync !== false);
  const failing = new Set(stopping.map(({ table }) => table));
  if (tables === undefined || failing.has(undefined) || failing.size >= tables) return '';
  return ` for ${failing.size} of ${tables} tables`;
}
