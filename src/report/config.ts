/** Formats the effective settings: first the settings that are set, then the others in short form. */
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
  const lines = [
    `increp ${effective.version}`,
    ...columns(
      [['directory', effective.directory], ...files.map(({ name, what }) => [name, what])].map(clean),
    ),
    '',
    bold('Settings'),
    ...columns(set.map(({ name, value, from }) => clean([`  ${name}`, value ?? '', from ?? '']))),
    ...(unset.length === 0
      ? []
      : wrapped(NOT_SET, unset.map(({ name }) => name).join(', '), NOT_SET.length, {
          ...style,
          width: Math.min(style.width, WIDEST),
        })),
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
    ...tables.flatMap((table) => [
      '',
      bold(`Table ${printable(table.name)}`),
      ...columns(
        table.options
          .filter(({ value }) => value !== null)
          .map(({ name, value, from }) => clean([`  ${name}`, JSON.stringify(value), from])),
      ),
    ]),
    ...(warnings.length + notes.length === 0 ? [] : ['']),
    ...warnings.map((warning) => `warning: ${printable(warning)}`),
    ...notes.map((note) => `note: ${printable(note)}`),
  ];
  return `${lines.join('\n')}\n`;
}

const clean = (row: Row): Row => row.map(printable);
