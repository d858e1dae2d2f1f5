import { expect, test } from 'vitest';
import { openTerminal, textOf } from '../../../scripts/screen.ts';
import { drawScreen } from '../../../scripts/terminal-svg.ts';
import { projectFile } from '../../support/deploy-files.ts';
import { wellFormed } from './well-formed.ts';

/** What stays on a terminal of 20 columns. */
async function screenOf(text: string) {
  const terminal = openTerminal(20, 5);
  await terminal.write(text);
  return terminal.read();
}

test('what is drawn over and erased is not on the screen', async () => {
  const screen = await screenOf('copying 10 %\r\u001b[Kcopying 99 %\r\u001b[Kdone\r\n');
  expect(textOf(screen)).toBe('done');
});

test('lines that have scrolled away are there, and a long one is broken as the terminal breaks it', async () => {
  const lines = ['1', '2', '3', '4', '5', '6', 'twenty-one characters'];
  expect(textOf(await screenOf(lines.join('\r\n')))).toBe('1\n2\n3\n4\n5\n6\ntwenty-one character\ns');
});

test('neighbours of one look are one run, at their column', async () => {
  const [runs] = await screenOf('a \u001b[1;31mred one\u001b[0m \u001b[2mdim\u001b[0m');
  expect(runs).toEqual([
    { column: 0, width: 1, text: 'a', color: undefined, isBold: false, isDim: false },
    { column: 2, width: 7, text: 'red one', color: 1, isBold: true, isDim: false },
    { column: 10, width: 3, text: 'dim', color: undefined, isBold: false, isDim: true },
  ]);
});

test('a wide character takes two cells, and what follows keeps its place', async () => {
  const screen = await screenOf('東京 \u001b[32mok');
  expect(screen[0]?.map(({ column, width, text }) => ({ column, width, text }))).toEqual([
    { column: 0, width: 4, text: '東京' },
    { column: 5, width: 2, text: 'ok' },
  ]);
});

test('a colour that the picture has no word for is refused', async () => {
  await expect(screenOf('\u001b[38;5;200mpink')).rejects.toThrow('sixteen colours');
});

test('the picture is text in cells, and no name can break out of it', async () => {
  const svg = drawScreen(await screenOf('<b>&"\r\n  \u001b[92mgreen'), 20, 'A <title>');
  expect(wellFormed(svg)).toEqual([]);
  expect(svg).toContain('<title id="title">A &lt;title&gt;</title>');
  expect(svg).toContain('>&lt;b&gt;&amp;&quot;</text>');
  // The bright green of a terminal is our green; its two spaces are 2 cells of 8.4 behind the margin of 16.
  expect(svg).toContain(
    '<text class="c2" x="32.8" y="49" textLength="42.0" lengthAdjust="spacingAndGlyphs">green</text>',
  );
});

test('columns stay where they are in a renderer that shrinks spaces', async () => {
  const svg = drawScreen(await screenOf('ok   orders two'), 20, 'columns');
  expect(svg).toContain('<text x="16.0" y="30" textLength="16.8" lengthAdjust="spacingAndGlyphs">ok</text>');
  expect(svg).toContain(
    '<text x="58.0" y="30" textLength="84.0" lengthAdjust="spacingAndGlyphs">orders two</text>',
  );
});

test('a colour never stands where only one kind of paper is thought of', () => {
  const svg = drawScreen([], 80, 'nothing');
  const [light = '', dark = ''] = svg.split('prefers-color-scheme: dark');
  const hues = (css: string) => [...css.matchAll(/\.(c\d|dim|paper) \{/g)].map(([, name]) => name);
  expect(new Set(hues(dark))).toEqual(new Set(hues(light)));
});

test('the picture in the documentation is one, fits 80 columns and tells nothing of where it was made', async () => {
  const svg = await projectFile('docs/sync.svg');
  expect(wellFormed(svg)).toEqual([]);
  const [, description = ''] = /<desc[^>]*>([^]*?)<\/desc>/.exec(svg) ?? [];
  for (const command of ['plan', 'sync', 'status']) expect(description).toContain(`$ increp ${command}\n`);
  expect(
    Math.max(
      ...description
        .replaceAll(/&\w+;/g, '.')
        .split('\n')
        .map((line) => line.length),
    ),
  ).toBeLessThanOrEqual(80);
  expect(svg).not.toMatch(
    /\/(tmp|home|root|work|Users|var)\/|increp-demo-|postgres(ql)?:\/\/|127\.0\.0\.1|PASSWORD/,
  );
  expect(svg).not.toContain('\u001b');
  expect(svg).not.toMatch(/<(script|image|foreignObject)|href=|url\(/);
});
