import { expect, test } from 'vitest';
import { partitionChanges } from '../../../src/schema/partition-changes.ts';

const before = (files: string[] | null) => ({ files, shape: { oid: '1', columns: [] } });
const now = (files: readonly string[], oid = '1') => ({ oid, files });

test('the state shows which partitions are gone and which are new', () => {
  expect(partitionChanges(before(['2:7', '3:8']), now(['3:9', '4:1']))).toEqual({
    gone: ['2'],
    attached: ['4'],
  });
  expect(partitionChanges(before(['2:7']), now(['2:8']))).toBeUndefined();
});

test('an older state and another table show none', () => {
  expect(partitionChanges(before(null), now(['2:7']))).toBeUndefined();
  expect(partitionChanges(before(['2:7']), now(['9:9'], '5'))).toBeUndefined();
});
