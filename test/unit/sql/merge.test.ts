import { expect, test } from 'vitest';
import { keepNewest, mergeStatements, type Merge } from '../../../src/sql/merge.ts';

const merge = (change: Partial<Merge> = {}): Merge => ({
  destination: { schema: 'public', table: 'orders' },
  staging: { schema: 'public', table: 'orders_stg' },
  columns: ['id', 'note'],
  mergeKey: ['id'],
  replicationKey: 'updated_at',
  nullableKey: [],
  hasSameColumns: true,
  isSoftDelete: false,
  ...change,
});

test('a merge whose key has no NULLs is one pass that an index can serve', () => {
  const { remove, update, insert } = mergeStatements(merge());
  expect([remove.length, update.length, insert.length]).toEqual([1, 1, 1]);
  expect(update[0]).toContain('t."id" = s."id"');
  expect(update[0]).toContain('t.* *<> s.*');
  expect(update.join() + insert.join()).not.toContain('IS NOT DISTINCT FROM');
});

test('NULLs in the key get a pass of their own, which still joins on the columns that have none', () => {
  const { update, insert } = mergeStatements(merge({ mergeKey: ['id', 'part'], nullableKey: ['part'] }));
  expect([update.length, insert.length]).toEqual([2, 2]);
  expect(update[0]).toContain('t."part" IS NOT NULL AND t."id" = s."id" AND t."part" = s."part"');
  expect(update[1]).toContain('t."id" = s."id" AND t."part" IS NOT DISTINCT FROM s."part"');
});

test('sides that differ in columns are compared by name, under an alias that no column has', () => {
  const { update } = mergeStatements(merge({ columns: ['id', 'image'], hasSameColumns: false }));
  expect(update[0]).toContain('(SELECT image_ FROM (SELECT t."id", t."image") image_) *<>');
});

test('names are quoted wherever they stand', () => {
  const evil = 'a"; DROP TABLE x; --';
  const statements = mergeStatements(merge({ columns: [evil], mergeKey: [evil], nullableKey: [evil] }));
  const text = [
    ...statements.remove,
    ...statements.update,
    ...statements.insert,
    keepNewest(merge({ mergeKey: [evil] })),
  ].join();
  expect(text).toContain('"a""; DROP TABLE x; --"');
  expect(text.replaceAll('"a""; DROP TABLE x; --"', '')).not.toContain('DROP');
});
