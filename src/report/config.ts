/**
 * Formats the effective settings. The connections are at the end, where a terminal shows them. What was set has a line each,
 * and the rest is in short form.
 */
import { painter, type Style } from './style.ts';
import { displayWidth, padEnd, printable, printableLine, wrapped } from './text.ts';

interface Setting {
  readonly name: string;
  readonly value: string | null;
  readonly from: string | null;
}

interface Option {
  readonly name: string;
  readonly value: unknown;
  readonly from: string;
}

export interface Effective {
  readonly version: string;
  readonly directory: string;
  readonly files: readonly { readonly name: string; readonly what: string }[];
  readonly settings: readonly Setting[];
  /** If there are several destinations. */
  readonly destinations: readonly {
    readonly name: string;
    readonly address: string;
    readonly schema: string;
    readonly from: string;
  }[];
  readonly tables: readonly { readonly name: string; readonly options: readonly Option[] }[];
  readonly warnings: readonly string[];
  readonly notes: readonly string[];
}

type Row = readonly string[];

/** Also if the output is not a terminal, because the list is long. */
const WIDEST = 80;
const NOT_SET = '  not set: ';
const BUILT_IN = '  built in: ';

const GAP = 2;
const LEAST_COLUMN = 12;

/**
 * Each column is as wide as its content. If the lines would be longer than the page, the widest column but the last
 * becomes narrower. A value that is longer stays whole, and the cells after it are on the next line.
 */
function columns(rows: readonly Row[], page: Pick<Style, 'width'>): string[] {
  const natural = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => displayWidth(row[column] ?? ''))),
  );
  const excess = natural.reduce((sum, width) => sum + width + GAP, -GAP) - Math.min(page.width, WIDEST);
  const widest = natural.indexOf(Math.max(...natural.slice(0, -1)));
  const widths = natural.map((width, column) =>
    column === widest && excess > 0 ? Math.max(width - excess, Math.min(width, LEAST_COLUMN)) : width,
  );
  return rows.flatMap((row) => linesOf(row, widths));
}

function linesOf(row: Row, widths: readonly number[]): string[] {
  const lines: string[] = [];
  let current = '';
  let at = 0;
  for (const [column, cell] of row.entries()) {
    if (column > 0 && displayWidth(current) + GAP > at) {
      lines.push(current);
      current = '';
    }
    current = `${padEnd(current, at)}${cell}`.trimEnd();
    at += (widths[column] ?? 0) + GAP;
  }
  return [...lines, current];
}

export function formatEffective(effective: Effective, style: Style): string {
  const bold = (text: string) => painter(style)('bold', text);
  const { settings, destinations, tables, files, warnings, notes } = effective;
  const set = settings.filter(({ value }) => value !== null);
  const unset = settings.filter(({ value }) => value === null);
  const short = (head: string, parts: readonly string[]) =>
    parts.length === 0
      ? []
      : wrapped(head, parts.map(printable).join(', '), head.length, {
          ...style,
          width: Math.min(style.width, WIDEST),
        });
  const lines = [
    `increp ${effective.version}`,
    ...columns(
      [['directory', effective.directory], ...files.map(({ name, what }) => [name, what])].map(clean),
      style,
    ),
    ...tableLines(tables, { short, bold, style }),
    '',
    bold('Settings'),
    ...columns(
      set.map(({ name, value, from }) => clean([`  ${name}`, value ?? '', from ?? ''])),
      style,
    ),
    ...short(
      NOT_SET,
      unset.map(({ name }) => name),
    ),
    ...(destinations.length === 0
      ? []
      : [
          '',
          bold('Destinations'),
          ...columns(
            destinations.map(({ name, address, schema, from }) =>
              clean([`  ${name}`, address, `schema ${schema}`, from]),
            ),
            style,
          ),
        ]),
    ...(warnings.length + notes.length === 0 ? [] : ['']),
    ...warnings.map((warning) => `warning: ${printable(warning)}`),
    ...notes.map((note) => `note: ${printable(note)}`),
  ];
  return `${lines.join('\n')}\n`;
}

interface TablePrinting {
  readonly short: (head: string, parts: readonly string[]) => string[];
  readonly bold: (text: string) => string;
  readonly style: Style;
}

/** Built-in options that all tables share are printed once, and so are tables with the same options. */
function tableLines(tables: Effective['tables'], { short, bold, style }: TablePrinting): string[] {
  const builtIns = tables.map(builtInOf);
  const [first = [], ...others] = builtIns;
  const shared =
    others.length === 0 ? [] : first.filter((each) => others.every((list) => list.includes(each)));
  const alike = Map.groupBy(
    tables.map(({ name, options }, index) => ({
      name,
      lines: [
        ...columns(
          options
            .filter(({ value, from }) => value !== null && from !== 'built in')
            .map((option) => clean([`  ${option.name}`, JSON.stringify(option.value), option.from])),
          style,
        ),
        ...short(
          BUILT_IN,
          (builtIns[index] ?? []).filter((each) => !shared.includes(each)),
        ),
      ],
    })),
    ({ lines }) => lines.join('\n'),
  );
  return [
    ...[...alike.values()].flatMap((group) => [
      '',
      ...heading(
        group.map(({ name }) => printableLine(name)),
        style,
      ).map(bold),
      ...(group[0]?.lines ?? []),
    ]),
    ...(shared.length === 0 ? [] : ['', bold(`All ${tables.length} tables`), ...short(BUILT_IN, shared)]),
  ];
}

const heading = (names: readonly string[], style: Style): string[] =>
  names.length === 1
    ? [`Table ${names.join()}`]
    : wrapped('', `Tables ${names.join(', ')} (${names.length})`, 2, {
        width: Math.min(style.width, WIDEST),
      });

/** The default of dest_name is another one for each table, but the same rule. */
const builtInOf = ({ name: table, options }: Effective['tables'][number]): string[] =>
  options
    .filter(({ value, from }) => value !== null && from === 'built in')
    .map(({ name, value }) =>
      name === 'dest_name' && value === table
        ? 'dest_name (the name of the table)'
        : `${name} ${JSON.stringify(value)}`,
    );

const clean = (row: Row): Row => row.map(printable);
