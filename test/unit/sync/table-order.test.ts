import { expect, test } from 'vitest';
import { WaitBudget } from '../../../src/sync/context/wait-budget.ts';
import { TimeLimit } from '../../../src/sync/context/time-limit.ts';
import { outlineOf, type TableOutline } from '../../../src/sync/run/table-outline.ts';
import { byTableOrder } from '../../../src/sync/run/table-order.ts';
import { facts, record } from './table-facts.ts';

const table = (name: string, syncedAt?: string): TableOutline =>
  outlineOf({
    ...facts(),
    recordName: name,
    saved: syncedAt
      ? { kind: 'record', record: record({ syncedAt }), warnings: [] }
      : { kind: 'none', why: { code: 'cursor-unknown' }, warnings: [] },
  });

const order = (tables: readonly TableOutline[], attempts: Record<string, string> = {}) =>
  byTableOrder(tables, new Map(Object.entries(attempts).map(([name, at]) => [name, Date.parse(at)]))).map(
    ({ recordName }) => recordName,
  );

test('those that were never tried go first, in the order of the configuration', () => {
  expect(order([table('a', '2026-01-01T00:00:00Z'), table('b'), table('c'), table('d')])).toEqual([
    ...['b', 'c', 'd'],
    'a',
  ]);
});

test('else who has waited longest, and a try that came to nothing counts as one', () => {
  const tables = [table('a', '2026-01-01T00:00:03Z'), table('b', '2026-01-01T00:00:01Z'), table('c')];
  expect(order(tables)).toEqual(['c', 'b', 'a']);
  expect(order(tables, { c: '2026-01-01T00:00:02Z' })).toEqual(['b', 'c', 'a']);
  expect(order(tables, { c: '2026-01-01T00:00:09Z', b: '2026-01-01T00:00:00Z' })).toEqual(['b', 'a', 'c']);
});

test('a time limit runs by its clock, and one without a limit never ends', () => {
  let now = 1000;
  const box = new TimeLimit(50, () => now);
  expect([box.isLimited, box.isOver, box.remainingSeconds]).toEqual([true, false, 50]);
  now += 49_999;
  expect(box.isOver).toBe(false);
  now += 1;
  expect([box.isOver, box.remainingSeconds]).toEqual([true, 0]);
  now += 1_000_000;
  expect(box.remainingSeconds).toBe(0);
  const open = new TimeLimit(undefined, () => now);
  now += 1e12;
  expect([open.isLimited, open.isOver]).toEqual([false, false]);
});

test('waiting for open transactions ends with the time limit', () => {
  let now = 0;
  const budget = new WaitBudget(40, new TimeLimit(2, () => now));
  expect(budget.isSpent).toBe(false);
  now = 2000;
  expect(budget.isSpent).toBe(true);
});

test('tables that wait at the same time spend their common time once', () => {
  let now = 0;
  const budget = new WaitBudget(5, undefined, () => now);
  now = 2000;
  budget.spend(2);
  // Another job has waited since the same moment.
  budget.spend(2);
  expect(budget.isSpent).toBe(false);
  now = 4000;
  budget.spend(3);
  expect(budget.isSpent).toBe(false);
  now = 6000;
  budget.spend(1);
  expect(budget.isSpent).toBe(true);
});
