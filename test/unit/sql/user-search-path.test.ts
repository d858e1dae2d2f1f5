/** Statements that run under the path of the role name every operator and every function with its schema. */
import { expect, test } from 'vitest';
import type { Column } from '../../../src/schema/columns.ts';

import { isWrittenSince, declareRows, digestGroups, fetchRows } from '../../../src/sql/compare.ts';
import { countAndWritten, countWhere, digestWhole } from '../../../src/sql/unchanged-check.ts';
import { addMissing, removeSurplus } from '../../../src/sql/merge-keyless.ts';
import {
  addMetadataColumn,
  createMergeKey,
  createTable,
  fillMetadataColumn,
} from '../../../src/sql/destination.ts';
import { dropDuplicates } from '../../../src/sql/duplicates.ts';
import { countSmallWindow, countWindow, explainWindow, readNothing } from '../../../src/sql/estimate.ts';
import { highWaterMark } from '../../../src/sql/fence.ts';
import { hasDuplicates, selectBackfill } from '../../../src/sql/backfill.ts';
import { countRows, countWithout } from '../../../src/sql/gone-rows.ts';
import { inspectKeys } from '../../../src/sql/inspect.ts';
import { createLoadTables } from '../../../src/sql/loads.ts';
import { counted, keepNewest, mergePasses, replaceStatements, type Merge } from '../../../src/sql/merge.ts';
import { metadataColumnDefinitions } from '../../../src/sql/metadata-columns.ts';
import {
  deleteDuplicates,
  deleteKeys,
  markDeleted,
  selectKeys,
  unmarkDeleted,
} from '../../../src/sql/removal.ts';
import { carryExtraColumns, CHECK_DEFERRED, demandValues } from '../../../src/sql/reshape.ts';
import { queriedRows } from '../../../src/sql/row-source.ts';
import {
  PINNED_PATH,
  shadowsOf,
  textOf,
  TO_USUAL_PATH,
  type Statement,
} from '../../../src/sql/search-path.ts';
import { createRunsTable, createStateTable } from '../../../src/sql/state.ts';
import {
  countNullKeys,
  countUpTo,
  hasRows,
  hasRowsIn,
  isAfter,
  isAmong,
  selectWindow,
  whichHaveRows,
  windowCondition,
  type Window,
} from '../../../src/sql/window.ts';
import { bareIn } from '../../support/bare-sql.ts';
import { column } from '../schema/columns.ts';

const table = { schema: 'public', table: 'orders' };
const staging = { schema: 'public', table: 'orders_stg' };
const columns: readonly Column[] = [
  column({ name: 'id', type: 'bigint' }),
  column({ name: 'part', type: 'text' }),
];
const KEY_TYPES = ['timestamptz', 'timestamp', 'date', 'integer'] as const;
const metadataColumns = metadataColumnDefinitions(
  { deletes: 'soft', metadataColumns: ['_synced_at', '_source'] },
  'ours',
);

const window = (more: Partial<Window> = {}): Window => ({
  replicationKey: 'at',
  keyType: 'timestamptz',
  from: '2026-01-01',
  lookbackSeconds: 60,
  nullKeys: 'include',
  orWrittenSince: '7',
  ...more,
});

const WINDOWS: readonly Window[] = [
  ...KEY_TYPES.map((keyType) => window({ keyType })),
  window({ chunk: { blocks: { start: 1, end: 9 }, upTo: '2026-01-01' } }),
  window({
    sharing: [
      { name: 'id', isNullable: false, isBuiltIn: true },
      { name: 'part', isNullable: true, isBuiltIn: false },
    ],
  }),
];

const merge = (more: Partial<Merge> = {}): Merge => ({
  destination: table,
  staging,
  columns: ['id', 'part', 'note'],
  mergeKey: ['id', 'part'],
  replicationKey: 'at',
  nullableKey: [],
  hasSameColumns: false,
  metadataColumns: metadataColumns,
  yieldsToNewer: true,
  fixed: ['number'],
  kept: ['extra'],
  canMerge: true,
  ...more,
});

const MERGES = [
  merge(),
  merge({ nullableKey: ['part'] }),
  merge({ metadataColumns: [], hasSameColumns: true }),
  ...[true, false].map((recordsWritten) =>
    merge({
      versions: {
        merged: [{ name: 'note', expression: 'destination.note', base: 'text', type: 'text' }],
        columns: ['id', 'part', 'note', 'at'].map((name) => ({ name, column: name })),
        destinationColumns: ['id', 'part', 'note', 'at', 'extra'],
        key: { name: 'at', type: 'timestamptz' },
        shape: 'abc',
        recordsWritten,
      },
    }),
  ),
];

const comparable = {
  columns: ['id', 'note'],
  where: 'true',
  isPending: isWrittenSince('7'),
  groups: 64,
};
const COMPARABLES = [
  { ...comparable, from: table, mergeKey: ['id'], version: { name: 'at', isTime: true } },
  { ...comparable, from: table, mergeKey: [], version: null },
];

const key = [
  { name: 'id', type: 'bigint', isComparedAsText: false, isNullable: false },
  { name: 'part', type: 'text', isComparedAsText: true, isNullable: true },
];
const keyed = { table, key, metadataColumns: metadataColumns };

const STATEMENTS: Record<string, readonly (Statement | undefined)[]> = {
  mark: KEY_TYPES.map((keyType) =>
    highWaterMark({ rows: table, table, keyColumn: 'at', replicationKey: 'at', keyType }, 'Europe/Berlin'),
  ),
  inspect: KEY_TYPES.map((keyType) =>
    inspectKeys(
      { rows: table, table, keyColumn: 'at', replicationKey: 'at', keyType },
      { timeZone: 'UTC', limit: 10 },
    ),
  ),
  window: WINDOWS.flatMap((each) => [
    selectWindow(table, columns, each),
    windowCondition(each),
    explainWindow(table, columns, each),
    countWindow(table, each, 100),
    countSmallWindow(table, each, { oid: '7', bytes: 100, limit: 100 }),
    hasRowsIn(table, each, { condition: isWrittenSince('7'), isInIndex: true }),
    hasRowsIn(table, each, { condition: isWrittenSince('7'), isInIndex: false }),
  ]),
  read: [
    readNothing(table, columns),
    hasRows(table),
    countNullKeys(table, 'at', 10),
    countUpTo(table, 10),
    whichHaveRows([{ table, where: ['true'] }]),
    isAmong(staging, ['id', 'part']),
    ...KEY_TYPES.map((keyType) => isAfter('at', keyType, '7')),
  ],
  contents: [
    countAndWritten(table, '1', '7'),
    countWhere(table, `NOT ${isWrittenSince('7')}`),
    digestWhole(table, ['id', 'part']),
  ],
  compare: COMPARABLES.flatMap((side) => [
    digestGroups(side),
    declareRows('rows', side, [1, 2]),
    fetchRows('rows', side, 10),
  ]),
  fill: [selectBackfill(table, columns, ['part']), hasDuplicates(table, ['id'])],
  keys: [
    deleteKeys(keyed, ['["1"]']),
    deleteDuplicates(keyed, ['["1"]']),
    markDeleted(keyed, ['["1"]']),
    unmarkDeleted(keyed, ['["1"]']),
    selectKeys(table, columns, key, ['[1]']),
  ],
  merge: MERGES.flatMap((each) => [
    ...mergePasses(each).flatMap((pass) => [
      pass.remove,
      pass.merge,
      pass.update,
      pass.insert,
      pass.countNewer,
      counted(pass.merge),
    ]),
    ...replaceStatements(each, ['extra'], 'differing'),
    ...replaceStatements(each, ['extra'], 'fixed'),
    keepNewest(each),
    dropDuplicates(each, true),
    dropDuplicates(each, false),
    removeSurplus(each),
    addMissing(each),
  ]),
  gone: [
    countRows(table, ['true']),
    ...Object.values(
      countWithout({
        table,
        staging,
        key: [
          { name: 'id', isNullable: false, hasSameType: true },
          { name: 'part', isNullable: true, hasSameType: false },
        ],
        where: ['true'],
      }),
    ),
  ],
  make: [
    createTable(table, columns, { carried: new Map() }, true),
    createMergeKey(table, 'orders_key', ['id'], true),
    ...metadataColumns.flatMap((each) => [
      addMetadataColumn(table, each, each.inserted),
      fillMetadataColumn(table, each, `'x'`),
    ]),
    createStateTable('public'),
    createRunsTable('public'),
    createLoadTables('public'),
  ],
  reshape: [
    carryExtraColumns(table, staging, ['extra'], [{ name: 'id', isNotNull: false, hasSameType: false }]),
    demandValues(table, ['extra']),
    CHECK_DEFERRED,
  ],
  path: [TO_USUAL_PATH, shadowsOf('id < 7')],
};

test.each(Object.entries(STATEMENTS))('%s: nothing is looked up on the path', (_, statements) => {
  for (const statement of statements) {
    if (statement === undefined) continue;
    const text = textOf(statement);
    expect(bareIn(text), text).toEqual([]);
  }
});

test.each([
  ['SELECT count(*) FROM "t"', 'count'],
  ['SELECT * FROM "t" WHERE "id" = 7', '='],
  ['SELECT * FROM "t" WHERE t."id" >= s."id"', '>='],
  [`SELECT 'a' || "b" FROM "t"`, '||'],
  ['UPDATE "t" SET "a" = now()', 'now'],
  ['SELECT FROM "t" WHERE "id" IN (SELECT 1)', 'IN ('],
  ['SELECT FROM "t" WHERE "id" BETWEEN 1 AND 2', 'BETWEEN'],
  ['SELECT FROM "t" WHERE "a" IS NOT DISTINCT FROM "b"', 'IS NOT DISTINCT FROM Q'],
  ['SELECT FROM "a" JOIN "b" USING ("id")', 'JOIN Q USING ('],
  ['SELECT CASE kind WHEN 1 THEN 2 END', 'CASE kind'],
])('what is bare is noticed: %s', (sql, found) => {
  expect(bareIn(sql)).toContain(found);
});

test('SQL of the operator is read under the pinned path, unless the server needs the other to plan it', () => {
  const rows = queriedRows('SELECT 1 AS id', 'ones');
  expect(typeof hasRows(rows)).toBe('string');
  expect(hasRows({ ...rows, isUsual: true })).toEqual({ usual: hasRows(rows) });
  expect(typeof hasRows(table)).toBe('object');
  expect(PINNED_PATH).toBe('SET LOCAL search_path = pg_catalog, pg_temp');
});
