/**
 * Formats the effective settings. The connections are at the end, where a terminal shows them. What was set has a line each,
 * and the rest is in short form.
 */
import { painter, type Style } from './style.ts';
import { displayWidth, padEnd, printable, wrapped } from './text.ts';

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

const NOT_SET = '  not set: ';
const BUILT_IN = '  built in: ';

/** Wrapped even if the output is not a terminal, because the list is long. */
const WIDEST = 80;

/** Each column is as wide as its content. The last column is not padded. */
function columns(rows: readonly Row[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => displayWidth(row[column] ?? ''))),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : padEnd(cell, widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
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
    ),
    ...tableLines(tables, { short, bold, style }),
    '',
    bold('Settings'),
    ...columns(set.map(({ name, value, from }) => clean([`  ${name}`, value ?? '', from ?? '']))),
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
        group.map(({ name }) => printable(name)),
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
