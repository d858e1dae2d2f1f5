/** Charts as SVG. The numbers are in a table below, because a picture alone says nothing to many readers. Pure. */
import { html } from 'hono/html';
import { dataTable, utcClock, type Content, type Html } from './html.ts';

export interface BarSeries {
  readonly name: string;
  /** A class of the style sheet: `insert`, `update`, `delete`, `good` or `bad`. */
  readonly tone: string;
}

export interface Bar {
  readonly at: Date;
  /** For each series, from the bottom to the top. */
  readonly values: readonly number[];
}

interface BarChart {
  readonly title: string;
  readonly series: readonly BarSeries[];
  readonly bars: readonly Bar[];
  readonly format: (value: number) => string;
  readonly limits?: readonly Limit[];
}

interface Limit {
  readonly name: string;
  readonly value: number;
  readonly tone: string;
}

const [WIDTH, HEIGHT] = [720, 96];

const rounded = (value: number): string => value.toFixed(1);

/** Stacked bars, one for each time. Limits are lines across the bars. */
export function barChart({ title, series, bars, format, limits = [] }: BarChart): Html {
  const sums = bars.map(({ values }) => sumOf(values));
  const { top, isCut } = topOf(sums);
  // A limit far above the bars would press them to the bottom, so only its number is shown.
  const shown = limits.filter(({ value }) => value <= top * 8);
  const most = Math.max(top, ...shown.map(({ value }) => value * 1.05));
  const y = (value: number) => HEIGHT - (Math.min(value, most) / most) * HEIGHT;
  const slot = WIDTH / Math.max(1, bars.length);
  const shapes = bars.flatMap(({ values }, place) =>
    values.map((value, part) => {
      const below = sumOf(values.slice(0, part));
      // A value above zero always shows.
      const height = value === 0 ? 0 : Math.max(1.5, y(below) - y(below + value));
      return html`<rect
        class="${series[part]?.tone ?? ''}"
        x="${rounded(place * slot + slot * 0.1)}"
        y="${rounded(Math.max(0, y(below) - height))}"
        width="${rounded(slot * 0.8)}"
        height="${rounded(height)}"
      />`;
    }),
  );
  const lines = shown.map(
    ({ value, tone }) =>
      html`<line
        class="limit ${tone}"
        x1="0"
        x2="${WIDTH}"
        y1="${rounded(y(value))}"
        y2="${rounded(y(value))}"
      />`,
  );
  return figure({
    ...{ title, bars, shapes: [...shapes, ...lines] },
    top: `top: ${format(most)}${isCut ? ', higher bars are cut' : ''}`,
    legend: [
      ...(series.length > 1 ? series : []),
      ...limits.map(({ name, value, tone }) => ({ name: `${name} ${format(value)}`, tone })),
    ],
    numbers: numbersOf({ title, series, bars, format }),
  });
}

/** The first load of a table would hide all later syncs, so bars far above the usual ones are cut. */
export function topOf(sums: readonly number[]): { readonly top: number; readonly isCut: boolean } {
  const most = Math.max(1, ...sums);
  const known = sums.filter((sum) => sum > 0).toSorted((one, other) => one - other);
  const median = known[Math.floor(known.length / 2)] ?? 0;
  const isCut = known.length >= 4 && most > median * 10;
  return { top: isCut ? median * 4 : most, isCut };
}

/** A small picture beside its number, so it needs no words. */
export function sparkline(values: readonly number[]): Html {
  const most = Math.max(1, ...values);
  const bars = values.map((value, place) => {
    const height = value === 0 ? 0 : Math.max(1, (value / most) * 16);
    return html`<rect x="${place}" y="${rounded(16 - height)}" width="0.8" height="${rounded(height)}" />`;
  });
  return html`<svg
    class="sparkline"
    viewBox="0 0 ${Math.max(1, values.length)} 16"
    preserveAspectRatio="none"
    aria-hidden="true"
  >
    ${bars}
  </svg>`;
}

interface Figure {
  readonly title: string;
  readonly shapes: readonly Html[];
  readonly legend: readonly BarSeries[];
  /** The label of the top of the chart. */
  readonly top: string;
  readonly bars: readonly { readonly at: Date }[];
  readonly numbers: Html;
}

function figure({ title, shapes, legend, top, bars, numbers }: Figure): Html {
  const [first, last] = [bars[0]?.at, bars.at(-1)?.at];
  return html`<figure class="chart">
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}">
      ${shapes}
    </svg>
    <figcaption>
      <span>${first ? utcClock(first) : ''}</span>
      <span> ${top} ${legend.map(({ name, tone }) => html` <span class="key ${tone}"></span>${name}`)} </span>
      <span>${last ? utcClock(last) : ''}</span>
    </figcaption>
    <details>
      <summary>Numbers: ${title}</summary>
      ${numbers}
    </details>
  </figure>`;
}

/** Newest first, without empty times. */
function numbersOf({ title, series, bars, format }: BarChart): Html {
  const rows = bars
    .filter(({ values }) => values.some((value) => value > 0))
    .toReversed()
    .map(({ at, values }): readonly Content[] => [utcClock(at), ...values.map(format)]);
  return dataTable({
    caption: title,
    columns: [
      { title: 'Time (UTC)' },
      ...series.map(({ name }) => ({ title: name, isRight: true }) as const),
    ],
    rows,
    empty: 'There are no numbers yet.',
  });
}

const sumOf = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
