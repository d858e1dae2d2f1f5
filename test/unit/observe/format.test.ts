import { expect, test } from 'vitest';
import {
  firstLine,
  formatBytes,
  formatCount,
  formatSeconds,
  formatTableCounts,
} from '../../../src/format.ts';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [12_345_678, '12.3 MB'],
  [999_949, '999.9 kB'],
  [999_950, '1.0 MB'],
  [999_999_999_999, '1.0 TB'],
  [5e18, '5000.0 PB'],
])('%d bytes are read as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0, '0.0 s'],
  [2.14, '2.1 s'],
  [59.94, '59.9 s'],
  [59.96, '1 min 0 s'],
  [125, '2 min 5 s'],
  [3599.6, '1 h 0 min'],
  [3725, '1 h 2 min'],
  [-1, '0.0 s'],
])('%d seconds are read as %s', (seconds, text) => {
  expect(formatSeconds(seconds)).toBe(text);
});

test('large counts have separators', () => {
  expect(formatCount(1_234_567)).toBe('1,234,567');
});

test.each([
  [[], 'no tables'],
  [['ok'], '1 table ok'],
  [['ok', 'ok', 'failed'], '2 tables ok, 1 failed'],
  [['failed', 'skipped'], '1 table failed, 1 skipped'],
] as const)('%j counts as %s', (statuses, text) => {
  expect(formatTableCounts(statuses.map((status) => ({ status })))).toBe(text);
});

test('the first line of a message can be built into a sentence', () => {
  expect(firstLine('\nit broke.\r\nDETAIL: here')).toBe('it broke');
  expect(firstLine('')).toBe('');
});
