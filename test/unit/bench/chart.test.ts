import { expect, test } from 'vitest';
import { drawChart } from '../../bench/chart.ts';
import { SAMPLE } from './sample.ts';

const chart = drawChart(SAMPLE);
const widths = [...chart.matchAll(/<rect class="bar(?:-own)?"[^>]* width="([\d.]+)"/g)].map(([, width]) =>
  Number(width),
);

test('each contestant has a bar as long as it took, on the scale of its scenario', () => {
  const [increp = 0, psql = 0, logical = 0, many = 0, few = 0] = widths;
  expect(widths).toHaveLength(5);
  expect(increp / logical).toBeCloseTo(11 / 21, 2);
  expect(psql / logical).toBeCloseTo(9 / 21, 2);
  expect(few / many).toBeCloseTo(1 / 3, 2);
});

test('every bar has its time in words beside it, and the reference its ratio', () => {
  expect(chart).toContain('>11.0 s</text>');
  expect(chart).toContain('>9.00 s  (ratio 1.22)</text>');
});

test('the chart describes itself to those who cannot see it', () => {
  expect(chart).toMatch(/<title id="title">increp and its references/);
  expect(chart).toMatch(/<desc id="description">Initial load by COPY, 3,000,000 rows: increp 11\.0 s, psql/);
  expect(chart).toContain('aria-labelledby="title description"');
});

test('nothing in a name is markup', () => {
  expect(chart).toContain('logical &lt;&quot;&amp;&quot;&gt;');
  expect(chart).not.toContain('logical <');
});

test('it fits a page, follows the colours of the reader, and nothing lies outside of it', () => {
  const [, width = 0, height = 0] = (/viewBox="0 0 (\d+) (\d+)"/.exec(chart) ?? []).map(Number);
  expect(width).toBeLessThanOrEqual(800);
  expect(chart).toContain('prefers-color-scheme: dark');
  for (const [, x, y] of chart.matchAll(/ x="([\d.]+)" y="([\d.]+)"/g)) {
    expect(Number(x)).toBeLessThan(width - 50);
    expect(Number(y)).toBeLessThan(height);
  }
});

test('a scenario of one contestant has nothing to show', () => {
  const [first] = SAMPLE.scenarios;
  const alone = {
    ...SAMPLE,
    scenarios: first ? [{ ...first, contestants: first.contestants.slice(0, 1) }] : [],
  };
  expect(drawChart(alone)).not.toContain('Initial load');
});
