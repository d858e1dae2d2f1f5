/** A screen as a picture that is text: it can be searched, follows light and dark, and is read out by screen readers. */
import { displayWidth } from '../src/report/text.ts';
import { textOf, type Run, type Screen } from './screen.ts';

const FONT_SIZE = 14;
/** Of a cell: what the common monospaced fonts have at that size; `textLength` holds the others to it. */
const CELL_WIDTH = 8.4;
const LINE_HEIGHT = 19;
const MARGIN = 16;

/** Red, green, yellow, blue, magenta, cyan and grey, each readable on its paper (contrast above 4.5). */
const LIGHT = {
  1: '#b3261e',
  2: '#1a7f37',
  3: '#8a5a00',
  4: '#0b5cad',
  5: '#8250a8',
  6: '#0e6f7c',
  8: '#59636e',
};
const DARK = {
  1: '#ff8b82',
  2: '#5fd07a',
  3: '#e3b341',
  4: '#79b8ff',
  5: '#d2a8ff',
  6: '#56d4dd',
  8: '#9198a1',
};

const colorRules = (colors: Readonly<Record<number, string>>, indent: string) =>
  Object.entries(colors)
    .map(([index, color]) => `${indent}.c${index} { fill: ${color}; }`)
    .join('\n');

const STYLE = `
    text { font: ${FONT_SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1f2328; white-space: pre; }
    .paper { fill: #ffffff; stroke: #d1d9e0; }
    .bold { font-weight: 700; }
    .dim { fill: #59636e; }
${colorRules(LIGHT, '    ')}
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .paper { fill: #0d1117; stroke: #3d444d; }
      .dim { fill: #9198a1; }
${colorRules(DARK, '      ')}
    }`;

export function drawScreen(screen: Screen, columns: number, title: string): string {
  const width = Math.ceil(columns * CELL_WIDTH) + 2 * MARGIN;
  const height = screen.length * LINE_HEIGHT + 2 * MARGIN;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description">`,
    `  <title id="title">${escape(title)}</title>`,
    `  <desc id="description">${escape(textOf(screen))}</desc>`,
    `  <style>${STYLE}\n  </style>`,
    `  <rect class="paper" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    ...screen.flatMap((runs, row) => runs.flatMap((run) => drawRun(run, row))),
    '</svg>',
  ].join('\n')}\n`;
}

/** Each column of a table by itself: not every renderer keeps more than one space. */
function drawRun(run: Run, row: number): string[] {
  const y = MARGIN + row * LINE_HEIGHT + FONT_SIZE;
  const classes = classesOf(run);
  return [...run.text.matchAll(/\S+(?: \S+)*/g)].map(({ 0: text, index }) => {
    const x = MARGIN + (run.column + displayWidth(run.text.slice(0, index))) * CELL_WIDTH;
    const length = displayWidth(text) * CELL_WIDTH;
    return `  <text${classes && ` class="${classes}"`} x="${x.toFixed(1)}" y="${y}" textLength="${length.toFixed(1)}" lengthAdjust="spacingAndGlyphs">${escape(text)}</text>`;
  });
}

/** The bright colours look like the others; black and white are the colour of the text, which the paper decides. */
function classesOf({ color, isBold, isDim }: Run): string {
  const hue = color === undefined || color === 8 ? color : color % 8;
  const tint = hue === undefined || hue === 0 || hue === 7 ? '' : `c${hue}`;
  return [tint, isBold ? 'bold' : '', isDim ? 'dim' : ''].filter(Boolean).join(' ');
}

const escape = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
