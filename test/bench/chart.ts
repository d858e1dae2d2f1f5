/** The result as a picture: for each scenario one bar a contestant, as long as it took. */
import { isIncrep, type BenchResult, type ScenarioResult } from './result.ts';
import { formatRatio, formatWall } from './table.ts';

const WIDTH = 760;
const LABEL_WIDTH = 250;
const FIGURE_WIDTH = 190;
const BAR_HEIGHT = 16;
const LINE = 24;
const TITLE_LINE = 30;
const TOP = 72;
const MARGIN = 16;

/** In an image, the colours follow the reader's system; increp's bars also have a border and bold labels. */
const STYLE = `
    text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
    .title { font-size: 16px; font-weight: 600; }
    .scenario { font-weight: 600; }
    .small { font-size: 12px; fill: #59636e; }
    .own { font-weight: 600; }
    .paper { fill: #ffffff; }
    .bar { fill: #b8c0ca; }
    .bar-own { fill: #2f6fdb; stroke: #1b4796; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .small { fill: #9198a1; }
      .paper { fill: #0d1117; }
      .bar { fill: #57606a; }
      .bar-own { fill: #4c8df6; stroke: #a9c9ff; }
    }`;

export function drawChart(result: BenchResult): string {
  const scenarios = result.scenarios.filter(({ contestants }) => contestants.length > 1);
  const drawn: string[] = [];
  let y = TOP;
  for (const scenario of scenarios) {
    drawn.push(...drawScenario(scenario, y));
    y += TITLE_LINE + scenario.contestants.length * LINE + 8;
  }
  const height = y + MARGIN;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title description">`,
    `  <title id="title">${escape(titleOf(result))}</title>`,
    `  <desc id="description">${escape(inWords(scenarios))}</desc>`,
    `  <style>${STYLE}\n  </style>`,
    `  <rect class="paper" width="${WIDTH}" height="${height}" rx="6"/>`,
    `  <text class="title" x="${MARGIN}" y="26">${escape(titleOf(result))}</text>`,
    ...subtitlesOf(result).map(
      (line, index) => `  <text class="small" x="${MARGIN}" y="${44 + index * 16}">${escape(line)}</text>`,
    ),
    ...drawn,
    '</svg>',
  ].join('\n')}\n`;
}

const titleOf = ({ is_quick }: BenchResult) =>
  `increp and its references: wall time, shorter is better${is_quick ? ' (quick run)' : ''}`;

const subtitlesOf = ({ date, machine, rounds }: BenchResult) => [
  `${date.slice(0, 10)}, ${machine.cpu}, ${machine.cores} cores; medians of ${rounds} rounds`,
  'Each scenario has its own scale. A ratio is the time of increp over that of its reference.',
];

function drawScenario({ title, contestants, comparisons }: ScenarioResult, top: number): string[] {
  const longest = Math.max(...contestants.map(({ median }) => median.wall_s));
  const room = WIDTH - LABEL_WIDTH - FIGURE_WIDTH - MARGIN;
  const bars = contestants.flatMap((contestant, index) => {
    const { name, median } = contestant;
    const y = top + TITLE_LINE + index * LINE;
    const isOwn = isIncrep(contestant);
    const length = Math.max(2, (median.wall_s / longest) * room);
    const against = comparisons.find(({ reference }) => reference === name);
    const figure = `${formatWall(median.wall_s)}${against ? `  (ratio ${formatRatio(against.ratio_of_medians)})` : ''}`;
    const baseline = y + BAR_HEIGHT - 3;
    return [
      `  <text class="${isOwn ? 'own' : 'other'}" x="${LABEL_WIDTH - 8}" y="${baseline}" text-anchor="end">${escape(name)}</text>`,
      `  <rect class="${isOwn ? 'bar-own' : 'bar'}" x="${LABEL_WIDTH}" y="${y}" width="${length.toFixed(1)}" height="${BAR_HEIGHT}" rx="2"/>`,
      `  <text class="${isOwn ? 'own' : 'other'}" x="${(LABEL_WIDTH + length + 8).toFixed(1)}" y="${baseline}">${escape(figure)}</text>`,
    ];
  });
  return [`  <text class="scenario" x="${MARGIN}" y="${top + 18}">${escape(title)}</text>`, ...bars];
}

/** For those who cannot see it. */
const inWords = (scenarios: readonly ScenarioResult[]) =>
  scenarios
    .map(
      ({ title, contestants }) =>
        `${title}: ${contestants.map(({ name, median }) => `${name} ${formatWall(median.wall_s)}`).join(', ')}.`,
    )
    .join(' ');

const escape = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
