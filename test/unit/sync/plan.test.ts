import { NO_PARAMETERS } from '../../../src/config/connection/url-parameters.ts';
import { expect, test } from 'vitest';
import { chooseLoader } from '../../../src/sync/plan/loader-choice.ts';
import { column } from '../schema/columns.ts';
import { facts, ORDERS_COLUMNS, record, relation } from './table-facts.ts';
import { plan, settings, none, versionKey, historyCopy, asHistory } from './planned.ts';

test('a copy whose cursor is known goes on from there', () => {
  expect(plan()).toMatchObject({ kind: 'incremental', since: record(), hasMergeIndex: true });
  const unindexed = relation({ oid: '2', uniqueKeys: [] });
  expect(plan({ destination: unindexed })).toMatchObject({ kind: 'incremental', hasMergeIndex: false });
});

test('what is missing is loaded: the table, its cursor, or its rows', () => {
  const loads = { kind: 'load', action: 'initial' };
  expect(plan({ destination: undefined })).toMatchObject({ ...loads, way: 'create' });
  expect(plan({ saved: none })).toMatchObject({ ...loads, way: 'merge-whole', reason: 'no cursor is known' });
  expect(plan({ destinationHasRows: false })).toMatchObject({
    ...loads,
    reason: 'the destination table was emptied',
  });
  expect(plan({ destinationHasRows: false, ...settings({ deletes: 'soft' }) })).toMatchObject({
    reason: expect.stringContaining(
      'cannot give again the rows that only the destination table kept',
    ) as string,
  });
});

test('a table that never had a row is not loaded again for being empty', () => {
  const saved = { kind: 'record', record: record({ cursor: null }), warnings: [] } as const;
  expect(plan({ destinationHasRows: false, saved })).toMatchObject({ kind: 'incremental' });
});

test('a full refresh keeps the table and what is built on it, where its shape allows', () => {
  expect(plan({}, true)).toMatchObject({ kind: 'load', action: 'full-refresh', way: 'merge-whole' });
  const other = relation({ oid: '2', columns: ORDERS_COLUMNS.slice(0, 2) });
  expect(plan({ destination: other }, true)).toMatchObject({ action: 'full-refresh', way: 'swap' });
  expect(plan({ destination: relation({ isUnlogged: true }) }, true)).toMatchObject({ way: 'swap' });
});

test('an older state file is taken over for times, and means nothing for other keys', () => {
  const saved = { kind: 'legacy', cursor: '2026-01-01T00:00:00.000Z', path: 'x', warnings: [] } as const;
  expect(plan({ saved })).toMatchObject({
    kind: 'incremental',
    since: { legacyCursor: '2026-01-01T00:00:00.000Z' },
  });
  expect(plan({ saved, ...settings({ replicationKey: 'id' }) })).toMatchObject({ action: 'initial' });
});

test('a disabled table is skipped, and nothing about it can be wrong', () => {
  expect(plan({ ...settings({ isEnabled: false }), source: undefined })).toMatchObject({ kind: 'skip' });
});

test('money goes by COPY, also in an array or as a field of a type', () => {
  const loaderOf = (change: Parameters<typeof column>[0]) => {
    const columns = [...ORDERS_COLUMNS, column({ name: 'price', position: 4, ...change })];
    const { selection } = facts().settings;
    const server = { version: 150004, isPooled: false };
    const source = relation({ columns });
    return chooseLoader({
      wanted: 'pg_dump',
      source,
      selection,
      hasRowVersions: false,
      server,
      tools: undefined,
      password: 'x',
      parameters: NO_PARAMETERS,
    }).loader;
  };
  expect(loaderOf({ type: 'numeric' })).toBe('pg_dump');
  expect(loaderOf({ type: 'money' })).toBe('copy');
  expect(loaderOf({ type: 'money[]', element: { type: 'money' } })).toBe('copy');
  const own = { type: 'app.offer', isBuiltIn: false };
  expect(loaderOf({ ...own, typeDetail: ['.a integer', '.b money'] })).toBe('copy');
  expect(loaderOf({ ...own, typeDetail: ['>.b money[] of app.inner'] })).toBe('copy');
  expect(loaderOf({ ...own, typeDetail: ['.money integer', '= money'] })).toBe('pg_dump');
});

test('a history goes on, is merged into as a whole, and never exchanged', () => {
  expect(plan(asHistory())).toMatchObject({ kind: 'incremental', action: 'append', hasMergeIndex: true });
  expect(plan(asHistory(), true)).toMatchObject({ action: 'full-refresh', way: 'merge-whole' });
  const source = relation({ columns: [...ORDERS_COLUMNS, column({ name: 'extra', position: 4 })] });
  expect(plan(asHistory({ source }))).toMatchObject({ action: 'reset', way: 'extend' });
  const shorter = relation({ columns: ORDERS_COLUMNS.filter(({ name }) => name !== 'note') });
  expect(plan(asHistory({ source: shorter }))).toMatchObject({ action: 'reset', way: 'merge-whole' });
});

test('what would lose versions is refused, whatever was asked for', () => {
  const refused = { kind: 'refuse', error: { code: 'SCHEMA_CHANGE_REFUSED' } };
  const retyped = ORDERS_COLUMNS.map((each) => (each.name === 'note' ? { ...each, type: 'integer' } : each));
  expect(plan(asHistory({ destination: historyCopy({ columns: retyped }) }), true)).toMatchObject(refused);
  const latest = asHistory(settings({ mode: 'incremental-deduped' }));
  for (const isFullRefresh of [true, false]) expect(plan(latest, isFullRefresh)).toMatchObject(refused);
  // Of a table that nothing is known of, its index tells.
  expect(plan({ saved: none, destination: historyCopy() })).toMatchObject(refused);
  expect(plan({ saved: none, destination: undefined })).toMatchObject({ way: 'create' });
});

test('a narrower index makes way where it is ours, and is refused where it is not', () => {
  const source = settings({ mode: 'incremental-append' });
  expect(plan(source)).toMatchObject({ action: 'reset', way: 'extend' });
  const theirs = { index: 'by_note', columns: ['note'] };
  const destination = historyCopy({ uniqueKeys: [versionKey, theirs] });
  expect(plan(asHistory({ destination }))).toMatchObject({
    kind: 'refuse',
    error: { code: 'DEPENDENT_OBJECTS' },
  });
});

test('columns of ours come and go without a load, and say so', () => {
  const withSource = settings({ metadataColumns: ['_source'] });
  expect(plan(withSource)).toMatchObject({
    kind: 'incremental',
    hasMergeIndex: false,
    reason: expect.stringContaining('column "_source" is added to the destination table'),
  });
  expect(
    plan({
      ...withSource,
      source: relation({ columns: [...ORDERS_COLUMNS, column({ name: '_source', position: 4 })] }),
    }),
  ).toMatchObject({ kind: 'refuse', error: { code: 'CONFIG_INVALID' } });
  expect(plan({ hasOthersRows: true })).toMatchObject({
    kind: 'refuse',
    error: { code: 'SCHEMA_CHANGE_REFUSED' },
  });
});
