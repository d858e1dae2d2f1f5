/** Draws a bar for each run with characters. */
import type { Style } from './style.ts';
import { displayWidth, padEnd, padStart } from './text.ts';

export interface Series {
  /** Printed beside the bars. */
  readonly title: string;
  readonly values: readonly number[];
  /** The label of the largest value. */
  readonly format: (value: number) => string;
}

interface Chart {
  /** The charts, one above the other, for the same runs. */
  readonly series: readonly Series[];
  /** Runs that are marked by a letter on the axis. */
  readonly isFailed: readonly boolean[];
  /** The times of the first and the last run. */
  readonly from: string;
  readonly to: string;
}

const HEIGHT = 4;
/** The width if the output is not a terminal. */
const USUAL_WIDTH = 80;
const NARROWEST = 20;

const EIGHTHS = ['', '▁', '▂', '▃', '▄', '▅', '▆', '▇'] as const;
const UNICODE = { full: '█', side: '│', corner: '└', floor: '─' } as const;
const ASCII = { full: '#', side: '|', corner: '+', floor: '-' } as const;

type Marks = { readonly [Name in keyof typeof UNICODE]: string };

/** The minimum number of runs that fit: each takes a cell. */
export const runsThatFit = ({ width }: Pick<Style, 'width'>): number =>
  (Number.isFinite(width) ? width : USUAL_WIDTH) - NARROWEST;

export function formatChart(chart: Chart, style: Pick<Style, 'width' | 'isUnicode'>): string[] {
  const count = chart.isFailed.length;
  if (count === 0) return [];
  const labels = chart.series.flatMap(({ title, values, format }) => [title, format(Math.max(...values))]);
  const margin = Math.max(...labels.map(displayWidth));
  // A space, the side of the chart, and a free cell at the end, because some terminals wrap a full line.
  const room = Math.min(style.width, USUAL_WIDTH) - margin - 3;
  const slot = count * 3 <= room ? 3 : count * 2 <= room ? 2 : 1;
  const marks: Marks = style.isUnicode ? UNICODE : ASCII;
  const lines = chart.series.flatMap((series) =>
    barLines(series, chart.isFailed, { margin, slot, marks, style }),
  );
  const indent = ' '.repeat(margin + 2);
  return [
    ...lines,
    `${indent}${timesLine(chart, count * slot)}`,
    ...(chart.isFailed.includes(true) ? [`${indent}F: the run failed`] : []),
  ];
}

interface ChartLayout {
  readonly margin: number;
  /** The number of cells of a run. */
  readonly slot: number;
  readonly marks: Marks;
  readonly style: Pick<Style, 'isUnicode'>;
}

function barLines(series: Series, isFailed: readonly boolean[], drawing: ChartLayout): string[] {
  const { margin, slot, marks, style } = drawing;
  const most = Math.max(...series.values);
  const bar = Math.max(1, slot - 1);
  const label = (text: string) => padStart(text, margin);
  const rows = Array.from({ length: HEIGHT }, (_, index) => {
    const floor = HEIGHT - 1 - index;
    const cells = series.values.map((value) => {
      const mark = markAt(heightOf(value, most, style.isUnicode) - floor, marks);
      return padEnd(mark.repeat(bar), slot);
    });
    const text = index === 0 ? series.format(most) : index === 1 ? series.title : '';
    return `${label(text)} ${marks.side}${cells.join('')}`.trimEnd();
  });
  const axis = isFailed.map((failed) => `${failed ? 'F' : marks.floor}${marks.floor.repeat(slot - 1)}`);
  return [...rows, `${label('0')} ${marks.corner}${axis.join('')}`];
}

/** In cells. A value above zero always shows. */
function heightOf(value: number, most: number, isUnicode: boolean): number {
  if (value <= 0 || most <= 0) return 0;
  const steps = isUnicode ? 8 : 1;
  return Math.max(1, Math.round((value / most) * HEIGHT * steps)) / steps;
}

/** `height` is the height of the bar above the bottom of this cell, in cells. */
function markAt(height: number, { full }: Marks): string {
  if (height >= 1) return full;
  return EIGHTHS[Math.max(0, Math.round(height * 8))] || ' ';
}

function timesLine({ from, to }: Chart, cells: number): string {
  const gap = cells - displayWidth(from) - displayWidth(to);
  if (from === to) return from;
  return gap < 2 ? `${from} to ${to}` : `${from}${' '.repeat(gap)}${to}`;
}
