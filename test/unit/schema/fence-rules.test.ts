import { expect, test } from 'vitest';
import { nextFences, settledCursor, windowStart, type Fence } from '../../../src/schema/fence-rules.ts';

const known = (cursor: string | null, fences: readonly Fence[] = [], isSameServerInstance = true) => ({
  keyType: 'integer' as const,
  cursor,
  fences,
  isSameServerInstance,
});

test('a window starts at the cursor while nothing is owed', () => {
  expect(windowStart(known('70'), [])).toBe('70');
  expect(windowStart(known(null), [])).toBeNull();
});

test('a window reaches down to a mark when one of its transactions has ended, and not before', () => {
  const fences = [
    { from: '9', transactions: ['3/1', '3/2'] },
    { from: '40', transactions: ['4/1'] },
  ];
  expect(windowStart(known('70', fences), ['3/1', '3/2', '4/1'])).toBe('70');
  expect(windowStart(known('70', fences), ['3/1', '3/2'])).toBe('40');
  expect(windowStart(known('70', fences), ['3/1', '4/1'])).toBe('9');
});

test('a transaction that began before anything was known asks for the whole table', () => {
  expect(windowStart(known('70', [{ from: null, transactions: ['3/1'] }]), [])).toBeNull();
});

test('a new transaction is remembered with the cursor before, an old one keeps its mark', () => {
  const before = known('70', [{ from: '9', transactions: ['3/1', '3/2'] }]);
  expect(nextFences(before, ['3/2', '5/1', '5/2'])).toEqual([
    { from: '9', transactions: ['3/2'] },
    { from: '70', transactions: ['5/1', '5/2'] },
  ]);
  expect(nextFences(before, [])).toEqual([]);
});

test('after a restart every mark is reached down to, and no name is believed', () => {
  const restarted = known('70', [{ from: '9', transactions: ['3/1'] }], false);
  expect(windowStart(restarted, ['3/1'])).toBe('9');
  expect(nextFences(restarted, ['-1/700', '3/1'])).toEqual([{ from: '9', transactions: ['-1/700', '3/1'] }]);
});

test('marks are bounded in number by lowering some of them, and no transaction is forgotten', () => {
  const fences = Array.from({ length: 40 }, (_, index) => ({
    from: String(100 - index),
    transactions: [`1/${index}`],
  }));
  const names = fences.flatMap(({ transactions }) => transactions);
  const bounded = nextFences(known('200', fences), names);
  expect(bounded).toHaveLength(16);
  expect(bounded.flatMap(({ transactions }) => transactions).toSorted()).toEqual(names.toSorted());
  for (const { from, transactions } of bounded) {
    for (const name of transactions) {
      const before = fences.find((fence) => fence.transactions.includes(name));
      expect(Number(from)).toBeLessThanOrEqual(Number(before?.from));
    }
  }
  expect(bounded[0]?.from).toBe('61');
});

test('what is settled lies below every mark', () => {
  expect(settledCursor(known('70'))).toBe('70');
  expect(settledCursor(known('70', [{ from: '100', transactions: ['3/1'] }]))).toBe('70');
  expect(settledCursor(known('70', [{ from: '9', transactions: ['3/1'] }]))).toBe('9');
  expect(settledCursor(known('70', [{ from: null, transactions: ['3/1'] }]))).toBeNull();
});
