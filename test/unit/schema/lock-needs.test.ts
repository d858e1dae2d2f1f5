import { expect, test } from 'vitest';
import { fillsLockTable, lockNeedsAdvice, lockNeedsText } from '../../../src/schema/lock-needs.ts';

const DEFAULTS = { perTransaction: 64, transactions: 100 };

test('a table is named if it needs more locks than the lock table is sized for', () => {
  expect(fillsLockTable({ tables: 2001, indexes: 4002, ...DEFAULTS })).toBe(false);
  expect(fillsLockTable({ tables: 4001, indexes: 8002, ...DEFAULTS })).toBe(true);
  expect(fillsLockTable({ tables: 4001, indexes: 8002, ...DEFAULTS, perTransaction: 134 })).toBe(false);
});

test('the text has the numbers, and the advice a setting that has room for other sessions', () => {
  const needs = { tables: 4001, indexes: 8002, ...DEFAULTS };
  expect(lockNeedsText(needs)).toBe(
    'has 4,000 partitions with 8,002 indexes, and a query locks all of them: 12,003 locks. The lock table of the source is sized for 6,400',
  );
  expect(lockNeedsAdvice(needs)).toContain('ALTER SYSTEM SET max_locks_per_transaction = 134.');
});
