import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, parseDuration } from '../../../src/duration.ts';
import { meantTables, nearest } from '../../../src/nearest.ts';

describe('a duration', () => {
  test.each([
    ['250ms', 0.25],
    ['3ms', 0.003],
    ['0s', 0],
    ['10s', 10],
    ['5m', 300],
    ['1h', 3600],
    ['24h', 86_400],
    ['7d', 604_800],
  ])('%s is %d seconds', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  test.each(['', '10', 's', '10 s', '-1s', '1.5h', '1h30m', '10S', '10sec', ' 10s', '10s\n', '9999999999s'])(
    '%j is none',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  test.each([
    [0, '0s'],
    [0.25, '250ms'],
    [1.5, '1500ms'],
    [10, '10s'],
    [90, '90s'],
    [300, '5m'],
    [86_400, '1d'],
    [604_800, '7d'],
  ])('%d seconds are written as %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });

  test('means the same after it was written and read again', () => {
    const durations = fc.tuple(fc.nat(999_999), fc.constantFrom('ms', 's', 'm', 'h', 'd'));
    fc.assert(
      fc.property(durations, ([count, unit]) => {
        const seconds = parseDuration(`${count}${unit}`) ?? NaN;
        expect(parseDuration(formatDuration(seconds))).toBe(seconds);
      }),
    );
  });
});

describe('the nearest spelling', () => {
  const names = ['unique_cols', 'replication_key', 'name', 'dest_name', 'mode'];

  test.each([
    ['unique_col', 'unique_cols'],
    ['uniqueCols', 'unique_cols'],
    ['Unique-Cols', 'unique_cols'],
    ['replicaton_key', 'replication_key'],
    ['replication', 'replication_key'],
    ['NAME', 'name'],
    ['mod', 'mode'],
    ['naem', 'name'],
    ['moed', 'mode'],
  ])('of %s is %s', (word, expected) => {
    expect(nearest(word, names)).toBe(expected);
  });

  test.each(['', 'x', 'primary', 'zzzz'])('of %j is none', (word) => {
    expect(nearest(word, names)).toBeUndefined();
  });

  test('prefers the long form of an abbreviation to a word of the same length', () => {
    expect(nearest('SOURCE_USER', ['SOURCE_URL', 'SOURCE_USERNAME'])).toBe('SOURCE_USERNAME');
    expect(nearest('SOURCE_DBNAME', ['SOURCE_DB', 'SOURCE_USERNAME'])).toBe('SOURCE_DB');
  });

  test.each([
    ['invoices', '; did you mean "billing.invoices" or "crm.invoices"?'],
    ['invoice', '; did you mean "billing.invoices" or "crm.invoices"?'],
    ['billing.invoice', '; did you mean "billing.invoices"?'],
    ['ordres', '; did you mean "orders"?'],
    ['zzzz', ''],
  ])('of the table %s has its schema', (word, text) => {
    expect(meantTables(word, ['orders', 'billing.invoices', 'crm.invoices', 'invoices_old2'])).toBe(text);
  });

  test('of anything among nothing is none', () => {
    expect(nearest('name', [])).toBeUndefined();
  });
});
