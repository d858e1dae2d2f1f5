import { expect, test } from 'vitest';
import { metadataColumnDefinitions } from '../../../src/sql/metadata-columns.ts';
import { keepNewest, mergePasses, type Merge } from '../../../src/sql/merge.ts';

const merge = (change: Partial<Merge> = {}): Merge => ({
  destination: { schema: 'public', table: 'orders' },
  staging: { schema: 'public', table: 'orders_stg' },
  columns: ['id', 'note'],
  mergeKey: ['id'],
  replicationKey: 'updated_at',
  nullableKey: [],
  hasSameColumns: true,
  metadataColumns: [],
  yieldsToNewer: false,
  fixed: [],
  kept: [],
  canMerge: true,
  ...change,
});

test('a merge whose key has no NULLs is one pass that an index can serve', () => {
  const passes = mergePasses(merge());
  expect(passes).toMatchObject([{ isIndexed: true }]);
  for (const pass of passes) {
    for (const statement of [pass.update, pass.merge]) {
      expect(statement).toContain('t."id" OPERATOR(pg_catalog.=) s."id"');
      expect(statement).toContain('t.* OPERATOR(pg_catalog.*<>) s.*');
    }
    expect(Object.values(pass).join()).not.toContain('IS NOT DISTINCT FROM');
  }
});

test('NULLs in the key get a pass of their own, which still joins on the columns that have none', () => {
  const passes = mergePasses(merge({ mergeKey: ['id', 'part'], nullableKey: ['part'] }));
  expect(passes).toMatchObject([{ isIndexed: true }, { isIndexed: true }]);
  for (const statement of ['update', 'merge'] as const) {
    expect(passes[0]?.[statement]).toContain(
      't."part" IS DISTINCT FROM NULL AND t."id" OPERATOR(pg_catalog.=) s."id" AND t."part" OPERATOR(pg_catalog.=) s."part"',
    );
    expect(passes[1]?.[statement]).toContain(
      't."id" OPERATOR(pg_catalog.=) s."id" AND ARRAY[t."part"] OPERATOR(pg_catalog.=) ARRAY[s."part"]' +
        ' AND ((t."id" OPERATOR(pg_catalog.=) s."id" AND t."part" IS NOT DISTINCT FROM NULL AND s."part" IS NOT DISTINCT FROM NULL))',
    );
  }
});

test('sides that differ in columns are compared by name, under an alias that no column has', () => {
  const [pass] = mergePasses(merge({ columns: ['id', 'image'], hasSameColumns: false }));
  expect(pass?.update).toContain(
    '(SELECT image_ FROM (SELECT t."id", t."image") image_) OPERATOR(pg_catalog.*<>)',
  );
});

test('names are quoted wherever they stand', () => {
  const evil = 'a"; DROP TABLE x; --';
  const passes = mergePasses(merge({ columns: [evil], mergeKey: [evil], nullableKey: [evil] }));
  const text = [
    ...passes.flatMap(({ remove, merge: both, update, insert }) => [remove, both, update, insert]),
    keepNewest(merge({ mergeKey: [evil] })),
  ].join();
  expect(text).toContain('"a""; DROP TABLE x; --"');
  expect(text.replaceAll('"a""; DROP TABLE x; --"', '')).not.toContain('DROP');
});

const OWN = metadataColumnDefinitions(
  { deletes: 'soft', metadataColumns: ['_synced_at', '_source'] },
  "it's",
);

test('columns of ours are part of the identity, written with the rest, or a mark', () => {
  const [pass] = mergePasses(merge({ metadataColumns: OWN, hasSameColumns: false }));
  expect(pass?.merge).toContain(
    `ON true AND t."_source" OPERATOR(pg_catalog.=) 'it''s' AND t."id" OPERATOR(pg_catalog.=) s."id"`,
  );
  expect(pass?.merge).toContain('INSERT ("id", "note", "_synced_at", "_source")');
  expect(pass?.merge).toContain(`VALUES (s."id", s."note", pg_catalog.now(), 'it''s')`);
  expect(pass?.update).toContain('"note" = s."note", "_deleted_at" = NULL, "_synced_at" = pg_catalog.now()');
  expect(pass?.update).not.toContain('"_source" = s.');
  expect(pass?.remove).toContain(
    'SET "_deleted_at" = pg_catalog.now(), "_synced_at" = pg_catalog.now() WHERE true AND t."_source"',
  );
  expect(pass?.insert).toContain(
    `WHERE t."_source" OPERATOR(pg_catalog.=) 'it''s' AND t."id" OPERATOR(pg_catalog.=) s."id")`,
  );
});

test('a newer row of the destination is left alone by each statement that changes rows', () => {
  const [pass] = mergePasses(merge({ yieldsToNewer: true }));
  const isNewer =
    'coalesce(t."updated_at" OPERATOR(pg_catalog.>) s."updated_at", t."updated_at" IS NOT NULL)';
  expect(pass?.merge).toContain(`t.* OPERATOR(pg_catalog.*<>) s.* AND NOT ${isNewer} THEN UPDATE`);
  expect(pass?.update).toContain(`AND NOT ${isNewer}`);
  expect(pass?.countNewer).toContain(`AND ${isNewer}`);
});
