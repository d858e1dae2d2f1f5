/** The settings in force, as a person reads them: what is set first, what nobody has set in few words. */
import { painter, type Look } from './look.ts';
import { displayWidth, padEnd, printable } from './text.ts';

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
  readonly tables: readonly { readonly name: string; readonly options: readonly Option[] }[];
  readonly warnings: readonly string[];
}

type Row = readonly string[];

/** Columns as wide as what is in them, the last one as it comes. */
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

export function formatEffective(effective: Effective, look: Look): string {
  const bold = (text: string) => painter(look)('bold', text);
  const { settings, tables, files, warnings } = effective;
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
      : wrapped(
          '  not set: ',
          unset.map(({ name }) => name),
          look.width,
        )),
    ...tables.flatMap((table) => [
      '',
      bold(`Table ${printable(table.name)}`),
      ...columns(
        table.options
          .filter(({ value }) => value !== null)
          .map(({ name, value, from }) => clean([`  ${name}`, JSON.stringify(value), from])),
      ),
    ]),
    ...(warnings.length === 0 ? [] : ['', ...warnings.map((warning) => `warning: ${printable(warning)}`)]),
  ];
  return `${lines.join('\n')}\n`;
}

const clean = (row: Row): Row => row.map(printable);

const WIDEST = 80;

/** A list that is broken between its words. */
function wrapped(label: string, words: readonly string[], width: number): string[] {
  const lines = [label];
  for (const [index, word] of words.entries()) {
    const text = index === words.length - 1 ? word : `${word}, `;
    const last = lines.at(-1) ?? '';
    if (last.length + text.trimEnd().length > Math.min(width, WIDEST))
      lines.push(' '.repeat(label.length) + text);
    else lines[lines.length - 1] = last + text;
  }
  return lines.map((line) => line.trimEnd());
}
