import { expect, test } from 'vitest';
import type { Figures } from '../../bench/result.ts';
import { compare, limit, median, medianFigures, summarise } from '../../bench/statistics.ts';

const ran = (wall_s: number, cpu_s: number | null = 1, peak_bytes: number | null = 10): Figures => ({
  wall_s,
  cpu_s,
  peak_bytes,
});

const NOTHING = { rows: null, bytes: null };

test.each([
  [[3], 3],
  [[5, 1, 3], 3],
  [[4, 1, 3, 2], 2.5],
  [[10, 9], 9.5],
])('the median of %j is %d', (values, expected) => {
  expect(median(values)).toBe(expected);
});

test('there is no median of nothing', () => {
  expect(median([])).toBeNaN();
});

test('each figure has a median of its own, and one that was not always known has none', () => {
  expect(medianFigures([ran(3, 1, null), ran(1, 5, 20), ran(2, 3, 10)])).toEqual(ran(2, 3, null));
});

test('what a second brings is told by the median', () => {
  const result = summarise('increp', [ran(1), ran(2), ran(9)], { rows: 100, bytes: 3000 });
  expect(result).toMatchObject({ name: 'increp', median: ran(2), rows_per_s: 50, bytes_per_s: 1500 });
  expect(summarise('increp', [ran(1)], NOTHING)).toMatchObject({ rows_per_s: null, bytes_per_s: null });
});

test('two are compared by their medians, and round by round', () => {
  const one = summarise('increp', [ran(2), ran(6), ran(4)], NOTHING);
  const other = summarise('psql', [ran(1), ran(8), ran(5)], NOTHING);
  expect(compare(one, other, 1)).toEqual({
    subject: 'increp',
    reference: 'psql',
    ratio_of_medians: 0.8,
    median_of_ratios: 0.8,
    target: 1,
    verdict: 'met',
  });
  expect(compare(other, one, 1)).toMatchObject({
    ratio_of_medians: 1.25,
    median_of_ratios: 1.25,
    verdict: 'ABOVE TARGET',
  });
});

test('rounds that were slow for both do not tell in the ratios of the rounds', () => {
  const one = summarise('increp', [ran(1), ran(10), ran(20)], NOTHING);
  const other = summarise('psql', [ran(2), ran(20), ran(4)], NOTHING);
  expect(compare(one, other, null)).toMatchObject({
    ratio_of_medians: 2.5,
    median_of_ratios: 0.5,
    verdict: 'no target',
  });
});

test('a target is met at its very value, and not by what was never measured', () => {
  expect(limit('rows', 'rows', 0, 0).verdict).toBe('met');
  expect(limit('rows', 'rows', 1, 0).verdict).toBe('ABOVE TARGET');
  expect(limit('rows', 'rows', Number.NaN, 0).verdict).toBe('ABOVE TARGET');
  expect(limit('rows', 'rows', 1, null).verdict).toBe('no target');
});
