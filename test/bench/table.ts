/** The result as two tables of Markdown: what each contestant took, and what that is worth against the targets. */
import { formatBytes, formatCount } from '../../src/format.ts';
import type { BenchResult, ContestantResult, Figures, ScenarioResult, Unit } from './result.ts';

type Cells = readonly string[];

export function formatTables(result: BenchResult): string {
  return [timesTable(result), '', targetsTable(result), '', ...notesOf(result)].join('\n').trimEnd();
}

function timesTable({ scenarios }: BenchResult): string {
  const head = ['scenario', 'contestant', 'wall', 'least to most', 'CPU', 'peak memory', 'rows/s', 'bytes/s'];
  const rows = scenarios.flatMap((scenario) =>
    scenario.contestants.map((contestant, index) => [
      index === 0 ? scenario.title : '',
      contestant.name,
      ...figureCells(contestant),
    ]),
  );
  return markdownTable(head, rows, 2);
}

function figureCells({ median, runs, rows_per_s, bytes_per_s }: ContestantResult): Cells {
  return [
    formatWall(median.wall_s),
    rangeOf(runs),
    median.cpu_s === null ? '' : formatWall(median.cpu_s),
    median.peak_bytes === null ? '' : formatBytes(median.peak_bytes),
    rows_per_s === null ? '' : formatCount(rows_per_s),
    bytes_per_s === null ? '' : formatBytes(bytes_per_s),
  ];
}

const rangeOf = (runs: readonly Figures[]) => {
  const walls = runs.map(({ wall_s }) => wall_s);
  return `${formatWall(Math.min(...walls))} to ${formatWall(Math.max(...walls))}`;
};

function targetsTable({ scenarios, is_quick }: BenchResult): string {
  const head = ['scenario', 'measured', 'value', 'round by round', 'target', 'verdict'];
  return markdownTable(
    is_quick ? [...head.slice(0, -1), 'verdict (quick: targets are for the full run)'] : head,
    scenarios.flatMap(targetRows),
    2,
  );
}

function targetRows({ title, comparisons, limits }: ScenarioResult): Cells[] {
  const rows = [
    ...comparisons.map((each) => [
      `${each.subject} / ${each.reference}`,
      formatRatio(each.ratio_of_medians),
      formatRatio(each.median_of_ratios),
      each.target === null ? '' : formatRatio(each.target),
      each.verdict,
    ]),
    ...limits.map(({ what, unit, value, target, verdict }) => [
      what,
      formatValue(value, unit),
      '',
      target === null ? '' : formatValue(target, unit),
      verdict,
    ]),
  ];
  return rows.map((cells, index) => [index === 0 ? title : '', ...cells]);
}

function notesOf({ scenarios, notes }: BenchResult): string[] {
  const all = [
    ...notes,
    ...scenarios.flatMap(({ title, notes: own }) => own.map((note) => `${title}: ${note}`)),
  ];
  return all.map((note) => `- ${note}`);
}

export const formatRatio = (ratio: number): string => ratio.toFixed(2);

/** Three digits that mean something: `0.045 s`, `1.23 s`, `12.3 s`. */
export const formatWall = (seconds: number): string =>
  `${seconds.toFixed(seconds < 0.995 ? 3 : seconds < 9.95 ? 2 : 1)} s`;

function formatValue(value: number, unit: Unit): string {
  switch (unit) {
    case 's':
      return formatWall(value);
    case 'ms':
      return `${value.toFixed(1)} ms`;
    case 'bytes':
      return formatBytes(value);
    case 'rows':
      return formatCount(value);
    case 'round trips':
      return value.toFixed(1);
  }
}

/** Padded, so that it can be read in a terminal too; `words` columns at the left are words, the others figures. */
function markdownTable(head: Cells, rows: readonly Cells[], words: number): string {
  const widths = head.map((cell, column) =>
    Math.max(3, cell.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const isFigure = (column: number) => column >= words && head[column]?.startsWith('verdict') !== true;
  const line = (cells: Cells) =>
    `| ${widths.map((width, column) => (isFigure(column) ? (cells[column] ?? '').padStart(width) : (cells[column] ?? '').padEnd(width))).join(' | ')} |`;
  const rule = widths.map((width, column) =>
    isFigure(column) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  );
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}
