import { expect, test } from 'vitest';
import { afterComparisons, type NotedComparison } from '../../../src/schema/known-differences.ts';

const NOW = new Date('2026-11-30T12:00:00Z');

const foundBy = (
  by: 'verify' | 'sync' | 'lost-rows' | 'lost-kept-rows',
  cursor = '5',
  message = '1 changed',
): NotedComparison => ({
  ...{ kind: 'different', table: 'orders', cursor, foundBy: by, message, only: null, duplicates: null },
});
const onlyExtra: NotedComparison = {
  ...{
    kind: 'different',
    table: 'orders',
    cursor: '5',
    foundBy: 'verify',
    message: '2 extra',
    only: 'extra',
    duplicates: null,
  },
};
const equal = (hasMore: boolean, cursor = '5'): NotedComparison => ({
  ...{ kind: 'equal', table: 'orders', cursor, hasMore },
});
const named: NotedComparison = {
  ...{ kind: 'equal', table: 'orders', cursor: '5', hasMore: true },
  isNamed: true,
};
const synced = (
  isLoad: boolean,
  isVerified: boolean,
  cursor = '5',
  hasUniqueKeys = false,
): NotedComparison => ({
  ...{ kind: 'synced', table: 'orders', cursor, isLoad, isVerified, areDeletesDone: false },
  hasUniqueKeys,
});
const removed: NotedComparison = {
  ...{ kind: 'synced', table: 'orders', cursor: '5', isLoad: false, isVerified: false, areDeletesDone: true },
  hasUniqueKeys: false,
};

const requested: NotedComparison = {
  ...{ kind: 'synced', table: 'orders', cursor: '5', isLoad: true, isRequested: true, isVerified: false },
  ...{ areDeletesDone: false, hasUniqueKeys: false },
};

const twice: NotedComparison = {
  ...{ kind: 'different', table: 'orders', cursor: '5', foundBy: 'verify' },
  ...{ message: '3 missing, 2 duplicated', only: null, duplicates: '2 duplicated' },
};

const areLeft = (...results: readonly NotedComparison[]): boolean =>
  afterComparisons([], results, NOW).length > 0;

test.each<[string, boolean, readonly NotedComparison[]]>([
  ['a plain sync commits what --verify rolled back', true, [foundBy('sync'), synced(false, false)]],
  ['sync --verify reads the same rows again', false, [foundBy('sync'), synced(false, true)]],
  ['sync --verify reads later rows only', true, [foundBy('sync'), synced(false, true, '6')]],
  ['a load without --verify may write them again', true, [foundBy('sync'), synced(true, false)]],
  ['a load with --verify', false, [foundBy('sync'), synced(true, true, '6')]],
  ['the rows are not at the destination yet', true, [foundBy('sync'), equal(true)]],
  ['all rows are equal', false, [foundBy('sync'), equal(false)]],
  ['the rows of a later sync are equal', false, [foundBy('sync'), equal(true, '6')]],
  ['an incremental sync leaves old rows as they are', true, [foundBy('verify'), synced(false, true)]],
  ['a load corrects them', false, [foundBy('verify'), synced(true, false)]],
  ['a sync without a comparison removes no rows', true, [onlyExtra, synced(false, false)]],
  ['a sync has removed the rows that are gone', false, [onlyExtra, removed]],
  ['a plain sync leaves the rows of detached partitions', true, [foundBy('lost-rows'), synced(false, false)]],
  ['a comparison finds none of them', false, [foundBy('lost-rows'), equal(true)]],
  ['a load that no command requested loses kept rows', true, [foundBy('lost-kept-rows'), synced(true, true)]],
  ['a full refresh was requested after it', false, [foundBy('lost-kept-rows'), requested]],
  ['a comparison of all tables does not accept it', true, [foundBy('lost-kept-rows'), equal(true)]],
  ['a comparison of the named table does', false, [foundBy('lost-kept-rows'), named]],
  ['a removal of rows leaves changed rows as they are', true, [foundBy('verify'), removed]],
  ['a load reads the same duplicates of the source', true, [twice, synced(true, false)]],
  ['a load finds no duplicates any more', false, [twice, synced(true, false, '5', true)]],
  ['verify finds no duplicates any more', false, [twice, equal(false)]],
  ['verify finds no difference', false, [foundBy('verify'), equal(true)]],
])('%s: known to differ: %s', (_, isLeft, results) => {
  expect(areLeft(...results)).toBe(isLeft);
});

test('a difference keeps its first time and its newest text', () => {
  const [first] = afterComparisons([], [foundBy('verify')], NOW);
  const known = first ? [first] : [];
  const later = afterComparisons(known, [foundBy('sync', '6', '2 missing')], new Date());
  expect(later).toEqual([{ ...first, message: '2 missing' }]);
  expect(afterComparisons(known, [synced(false, false)], NOW)).toBe(known);
});

test('after a load, the duplicates of the source are what is left', () => {
  const left = afterComparisons([], [twice, synced(true, false)], NOW);
  expect(left).toMatchObject([{ message: '2 duplicated', only: 'duplicated-at-source' }]);
  expect(afterComparisons(left, [synced(true, false), removed], NOW)).toBe(left);
});

test('what a comparison has found stays when partitions are gone, and it replaces what a sync says of them', () => {
  const [before] = afterComparisons([], [foundBy('verify')], NOW);
  expect(afterComparisons([], [foundBy('verify'), foundBy('lost-rows')], NOW)).toEqual([before]);
  expect(afterComparisons([], [foundBy('lost-rows'), foundBy('verify')], NOW)).toEqual([before]);
});

test('the loss of kept rows stays until the operator compares', () => {
  const [before] = afterComparisons([], [foundBy('lost-kept-rows')], NOW);
  const later = [foundBy('lost-kept-rows', '6'), foundBy('sync'), foundBy('lost-rows')];
  expect(afterComparisons([], [foundBy('lost-kept-rows'), ...later], NOW)).toEqual([before]);
  const [compared] = afterComparisons([], [foundBy('lost-kept-rows'), foundBy('verify')], NOW);
  expect(compared?.foundBy).toBe('verify');
});
