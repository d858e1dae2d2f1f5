import { expect, test } from 'vitest';
import { formatChart } from '../../../src/report/chart.ts';

const chart = {
  series: [
    { title: 'rows', values: [1200, 0, 300, 1, 600], format: (value: number) => String(value) },
    { title: 'time', values: [4, 0.5, 1, 1, 2], format: (value: number) => `${value} s` },
  ],
  isFailed: [false, true, false, false, false],
  from: '12:00',
  to: '12:20',
};

const picture = (look: { width: number; isUnicode: boolean }) => `\n${formatChart(chart, look).join('\n')}\n`;

test('bars, labelled axes, and a letter where a run failed', () => {
  expect(picture({ width: 80, isUnicode: true })).toBe(`
1200 │██
rows │██
     │██          ██
     │██    ██ ▁▁ ██
   0 └───F───────────
 4 s │██
time │██
     │██          ██
     │██ ▄▄ ██ ██ ██
   0 └───F───────────
      12:00     12:20
      F: the run failed
`);
});

test('the same in ASCII', () => {
  expect(picture({ width: 80, isUnicode: false })).toBe(`
1200 |##
rows |##
     |##          ##
     |##    ## ## ##
   0 +---F-----------
 4 s |##
time |##
     |##          ##
     |## ## ## ## ##
   0 +---F-----------
      12:00     12:20
      F: the run failed
`);
});

test('bars give way to a narrow terminal, then the times stand side by side', () => {
  expect(picture({ width: 18, isUnicode: false })).toBe(`
1200 |#
rows |#
     |#       #
     |#   # # #
   0 +--F-------
 4 s |#
time |#
     |#       #
     |# # # # #
   0 +--F-------
      12:00 to 12:20
      F: the run failed
`);
});

test('every line fits, however many runs there are', () => {
  const count = 72;
  const many = {
    series: [{ title: 'rows', values: Array.from({ length: count }, (_, index) => index), format: String }],
    isFailed: Array.from({ length: count }, () => false),
    from: '2026-11-21 12:00',
    to: '2026-11-21 18:00',
  };
  const lines = formatChart(many, { width: 80, isUnicode: true });
  for (const line of lines) expect(line.length).toBeLessThan(80);
  expect(lines).toHaveLength(6);
});

test('nothing but zeros is a flat picture, and nothing at all none', () => {
  const flat = {
    series: [{ title: 'rows', values: [0, 0], format: String }],
    isFailed: [false, false],
    from: 'a',
    to: 'b',
  };
  expect(formatChart(flat, { width: 80, isUnicode: false })).toEqual([
    '   0 |',
    'rows |',
    '     |',
    '     |',
    '   0 +------',
    '      a    b',
  ]);
  expect(formatChart({ ...flat, series: [], isFailed: [] }, { width: 80, isUnicode: false })).toEqual([]);
});
