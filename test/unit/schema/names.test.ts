import fc from 'fast-check';
import { expect, test } from 'vitest';
import { derivedName, fileNameOf, stagingName } from '../../../src/schema/names.ts';

/** Characters of one to four bytes, and those that file systems, SQL and URLs care about. */
const character = fc.constantFrom(...Array.from('azAZ09_-. /\\%"\'\t\néß漢😀'));
const anyName = fc.string({ unit: character, maxLength: 63 });

test('a staging table is called after its table', () => {
  expect(stagingName('orders')).toBe('orders_stg');
  expect(stagingName('x'.repeat(59))).toBe(`${'x'.repeat(59)}_stg`);
});

test('a name that would be too long is cut and told apart by a hash', () => {
  const long = (last: string) => stagingName(`${'x'.repeat(62)}${last}`);
  expect(long('a')).toMatch(/^x{50}_[0-9a-f]{8}_stg$/);
  expect(long('a')).not.toBe(long('b'));
});

test('a derived name never exceeds 63 bytes and never ends inside a character', () => {
  fc.assert(
    fc.property(anyName, (table) => {
      const name = derivedName(table, '_stg');
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
      expect(name.isWellFormed()).toBe(true);
      expect(name.endsWith('_stg')).toBe(true);
    }),
  );
});

test('a file name stays in its folder', () => {
  expect(fileNameOf('../x')).toBe('%2e%2e%2fx');
  expect(fileNameOf('a/b\\c')).toBe('a%2fb%5cc');
  expect(fileNameOf('.')).toBe('%2e');
});

test('tables whose names differ have files whose names differ, also where case does not count', () => {
  expect(fileNameOf('Orders')).toBe('%4frders');
  expect(fileNameOf('%4frders')).not.toBe(fileNameOf('Orders'));
  fc.assert(
    fc.property(anyName, anyName, (a, b) => {
      fc.pre(a !== b);
      expect(fileNameOf(a).toLowerCase()).not.toBe(fileNameOf(b).toLowerCase());
      expect(decodeURIComponent(fileNameOf(a))).toBe(a);
    }),
  );
});

test('a table that is called like a device of Windows has a file that is none', () => {
  expect(fileNameOf('con')).toBe('%63on');
  expect(fileNameOf('lpt1')).toBe('%6cpt1');
  expect(fileNameOf('%63on')).not.toBe(fileNameOf('con'));
  for (const ordinary of ['contracts', 'com', 'com10', 'auxiliary', 'nul_values', 'orders']) {
    expect(fileNameOf(ordinary)).toBe(ordinary);
  }
});

test('names that differ in their normal form only have files that differ', () => {
  const name = 'größe';
  expect(fileNameOf(name.normalize('NFC'))).not.toBe(fileNameOf(name.normalize('NFD')));
  expect(fileNameOf(name.normalize('NFD'))).toMatch(/^[\x21-\x7e]+$/);
});
