/** Formats columns of text, and shortens columns if the line is too narrow. */
import { glyphsOf, type Style } from './style.ts';
import { displayWidth, padEnd, padStart, truncate } from './text.ts';

export interface PrintedColumn {
  readonly title: string;
  readonly isRight?: boolean;
  /** The number of cells that the column keeps. Columns are cut from the last to the first. */
  readonly narrowest?: number;
}

const GAP = '  ';

/** The heading, then the lines. `paint` colors a padded cell. */
export function formatColumns(
  columns: readonly PrintedColumn[],
  rows: readonly (readonly string[])[],
  style: Style,
  paint: (cell: string, row: number, column: number) => string = (cell) => cell,
): string[] {
  const natural = columns.map(({ title }, index) =>
    Math.max(displayWidth(title), ...rows.map((row) => displayWidth(row[index] ?? ''))),
  );
  const widths = fitted(columns, natural, style.width);
  const { ellipsis } = glyphsOf(style);
  const line = (cells: readonly string[], row: number) =>
    columns
      .map(({ isRight }, column) => {
        const width = widths[column] ?? 0;
        const text = truncate(cells[column] ?? '', width, ellipsis);
        return paint((isRight === true ? padStart : padEnd)(text, width), row, column);
      })
      .join(GAP)
      .trimEnd();
  const titles = columns.map(({ title }) => title);
  return [line(titles, -1), ...rows.map(line)];
}

function fitted(columns: readonly PrintedColumn[], natural: readonly number[], width: number): number[] {
  let excess = natural.reduce((sum, each) => sum + each, GAP.length * (natural.length - 1)) - width;
  const widths = [...natural];
  for (const [index, { narrowest }] of [...columns.entries()].toReversed()) {
    if (narrowest === undefined || excess <= 0) continue;
    const cut = Math.min(excess, Math.max(0, (widths[index] ?? 0) - narrowest));
    widths[index] = (widths[index] ?? 0) - cut;
    excess -= cut;
  }
  return widths;
}
