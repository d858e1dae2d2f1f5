import { expect, test } from 'vitest';
import { exposition, type Family } from '../../../../src/observe/metrics/exposition.ts';

const family = (changes: Partial<Family> = {}): Family => ({
  name: 'x_rows_total',
  help: 'Rows.',
  type: 'counter',
  samples: [{ labels: { table: 'orders' }, value: 3 }],
  ...changes,
});

test('a family has its help, its type and its samples', () => {
  expect(
    exposition([family(), family({ name: 'y', type: 'gauge', samples: [{ labels: {}, value: 1.5 }] })]),
  ).toBe(
    '# HELP x_rows_total Rows.\n# TYPE x_rows_total counter\nx_rows_total{table="orders"} 3\n' +
      '# HELP y Rows.\n# TYPE y gauge\ny 1.5\n',
  );
});

test('backslash, quote and newline are escaped; half a character is not written', () => {
  const samples = [{ labels: { table: 'a\\b"c\nd\ud800' }, value: 1 }];
  expect(exposition([family({ help: 'a\\b\n', samples })])).toBe(
    '# HELP x_rows_total a\\\\b\\n\n# TYPE x_rows_total counter\nx_rows_total{table="a\\\\b\\"c\\nd\ufffd"} 1\n',
  );
});

test('what is not known is absent, and a family without samples too', () => {
  const samples = [undefined, NaN, Infinity].map((value) => ({ labels: {}, value }));
  expect(exposition([family({ samples })])).toBe('');
});
