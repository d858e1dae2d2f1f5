import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareCursors, keyTypeOf, lowestCursor } from '../../../src/schema/keys.ts';
import { column } from './columns.ts';

test('times, days and integers can order changes, with any precision and through a domain', () => {
  const typeOf = (type: string) => keyTypeOf(column({ type: 'd', base: type }));
  expect(typeOf('timestamp with time zone')).toBe('timestamptz');
  expect(typeOf('timestamp(3) with time zone')).toBe('timestamptz');
  expect(typeOf('timestamp(0) without time zone')).toBe('timestamp');
  expect(typeOf('date')).toBe('date');
  for (const type of ['smallint', 'integer', 'bigint']) expect(typeOf(type)).toBe('integer');
});

test('nothing else can', () => {
  for (const type of ['text', 'uuid', 'numeric', 'time without time zone', 'interval', 'bigint[]']) {
    expect(keyTypeOf(column({ type })), type).toBeUndefined();
  }
});

test('integers compare as numbers, beyond what a double holds', () => {
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (a, b) => {
      expect(compareCursors('integer', String(a), String(b))).toBe(a < b ? -1 : a > b ? 1 : 0);
    }),
  );
});

/** As Postgres prints it: no trailing zeros after the point, and no point without a fraction. */
function printed(microseconds: bigint): string {
  const seconds = new Date(Number(microseconds / 1_000_000n) * 1000).toISOString().slice(0, 19);
  const fraction = String(microseconds % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '');
  return `${seconds.replace('T', ' ')}${fraction && `.${fraction}`}`;
}

test('printed times sort as the times do, to the microsecond', () => {
  const time = fc.bigInt(0n, 4_000_000_000_000_000n);
  const near = fc.tuple(time, fc.bigInt(-2_000_000n, 2_000_000n)).map(([a, by]) => [a, a + by] as const);
  for (const [type, zone] of [
    ['timestamptz', '+00'],
    ['timestamp', ''],
  ] as const) {
    fc.assert(
      fc.property(fc.oneof(near, fc.tuple(time, time)), ([a, b]) => {
        fc.pre(b >= 0n);
        const order = compareCursors(type, `${printed(a)}${zone}`, `${printed(b)}${zone}`);
        expect(order).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  }
});

test('nothing lies below the lowest of cursors, and an unknown one is below all', () => {
  expect(lowestCursor('integer', ['10', '9', '-3'])).toBe('-3');
  expect(lowestCursor('integer', ['10', null, '-3'])).toBeNull();
  expect(lowestCursor('date', ['2026-02-01', '2026-01-31'])).toBe('2026-01-31');
  expect(lowestCursor('date', [])).toBeNull();
});
