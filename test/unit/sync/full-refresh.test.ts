/** Mode full-refresh: what is planned, and when there is a way to find out that nothing has changed. */
import { describe, expect, test } from 'vitest';
import type { TableSettings } from '../../../src/config/settings.ts';
import type { Relation } from '../../../src/schema/relations.ts';
import { buildFindings } from '../../../src/check/build-findings.ts';
import { contentSettings } from '../../../src/sync/plan/unchanged-check.ts';
import type { TableFacts } from '../../../src/sync/facts/facts.ts';
import { ordinaryRequest } from '../../../src/sync/plan/plan.ts';
import { reasonText } from '../../../src/report/reasons.ts';
import { planTable } from '../../../src/sync/plan/plan-table.ts';
import { column } from '../schema/columns.ts';
import { inspection, LOCAL } from '../check/inspection.ts';
import { facts, ORDERS_COLUMNS, record, relation } from './table-facts.ts';

const WHOLE: TableSettings = {
  ...facts().settings,
  mode: 'full-refresh',
  replicationKey: undefined,
  mergeKey: [],
  skipUnchanged: true,
};

const contents = {
  rows: '10',
  digest: null,
  settings: contentSettings(WHOLE),
  readAt: '2026-01-01T12:00:00.000Z',
};
const read = (change: Parameters<typeof record>[0] = {}) => ({
  kind: 'record' as const,
  record: record({
    ...{ replicationKey: null, keyType: null, mergeKey: [], cursor: null, settledXid: '700', contents },
    ...change,
  }),
  warnings: [],
});

const bare = (change: Partial<Relation> = {}) => relation({ oid: '2', uniqueKeys: [], ...change });

const refreshed = (change: Partial<TableFacts> = {}): TableFacts =>
  facts({ settings: WHOLE, destination: bare(), saved: read(), ...change });

const planFor = (now: TableFacts) => {
  const planned = planTable(now, ordinaryRequest());
  return { ...planned, reason: reasonText(planned.reasons) };
};
const plan = (change: Partial<TableFacts> = {}) => planFor(refreshed(change));

test('a table is loaded again each time, merged in place where its shape fits', () => {
  expect(plan({ settings: { ...WHOLE, skipUnchanged: false } })).toMatchObject({
    kind: 'load',
    action: 'full-refresh',
    way: 'merge-whole',
    reason: 'mode is full-refresh, so each sync loads the table again',
    unchangedCheck: undefined,
  });
  expect(plan()).not.toHaveProperty('keyType');
});

test('the index of a former key goes with its table', () => {
  const saved = read({ mergeKey: ['id'] });
  expect(plan({ destination: relation({ oid: '2' }), saved })).toMatchObject({ way: 'swap' });
  expect(plan({ destination: bare(), saved })).toMatchObject({ way: 'merge-whole' });
});

test('a new shape resets, or is refused', () => {
  const source = relation({ columns: [...ORDERS_COLUMNS, column({ name: 'extra', position: 4 })] });
  expect(plan({ source })).toMatchObject({ action: 'reset', way: 'swap', unchangedCheck: undefined });
  expect(plan({ source, settings: { ...WHOLE, onSchemaChange: 'fail' } })).toMatchObject({
    kind: 'refuse',
    error: { code: 'SCHEMA_CHANGE_REFUSED' },
  });
});

test('a copy that was emptied is loaded, one of an empty table is not', () => {
  expect(plan({ destinationHasRows: false })).toMatchObject({ action: 'initial', unchangedCheck: undefined });
  const saved = read({ contents: { ...contents, rows: '0' } });
  expect(plan({ destinationHasRows: false, saved })).toMatchObject({ action: 'full-refresh' });
});

describe('skip_unchanged', () => {
  test('asks for the numbers of transactions, or hashes, and says so', () => {
    expect(plan()).toMatchObject({
      unchangedCheck: { kind: 'transaction-ids', since: '700', known: contents },
      reason: expect.stringContaining(
        'unless a scan of the source table shows that nothing was written',
      ) as unknown,
    });
    const hashed = read({ contents: { ...contents, digest: '1:2' } });
    expect(plan({ source: relation({ kind: 'view' }), saved: hashed })).toMatchObject({
      unchangedCheck: { kind: 'digest', digest: '1:2' },
      reason: expect.stringContaining('unless a hash of each source row') as unknown,
    });
  });

  const life = { systemIdentifier: '7', timeline: 1, startedAt: '999' };
  test.each([
    ['nothing was noted', { saved: read({ contents: null }) }],
    ['the number is not known', { saved: read({ settledXid: null }) }],
    ['the server was restarted since', { saved: read({ sourceLife: life }) }],
    ['other settings were read by', { saved: read({ contents: { ...contents, settings: 'other' } }) }],
    ['the state is not what it was', { saved: { ...read(), warnings: ['odd'] } }],
    ['numbers do not tell and nothing was hashed', { source: relation({ hasChildren: true }) }],
    ['only columns are granted', { source: relation({ canSelectTable: false }) }],
    ['some rows are of another server', { source: relation({ hasForeignRows: true }) }],
  ] satisfies [string, Partial<TableFacts>][])('asks nothing where %s', (_, change) => {
    expect(plan(change)).toMatchObject({ action: 'full-refresh', unchangedCheck: undefined });
  });

  test('is not fooled by a setting that decides what the copy holds, and not troubled by others', () => {
    const { settings } = contents;
    expect(contentSettings({ ...WHOLE, mergeKey: ['id'] })).not.toBe(settings);
    expect(contentSettings({ ...WHOLE, types: 'native' })).not.toBe(settings);
    expect(contentSettings({ ...WHOLE, deletes: 'soft' })).not.toBe(settings);
    expect(contentSettings({ ...WHOLE, maxStalenessSeconds: 1, initialLoad: 'copy' })).toBe(settings);
  });
});

test('a cursor is not made up where the mode was another', () => {
  expect(planFor(facts({ saved: read() }))).toMatchObject({
    action: 'initial',
    reason: 'no cursor is known, because the mode was full-refresh',
    keyType: 'timestamptz',
  });
});

/** What check says of one table. */
const codes = (table: TableFacts): string[] =>
  buildFindings(inspection({ keys: new Map() }, { table }), LOCAL).flatMap((each) =>
    each.table === undefined ? [] : [each.code],
  );

test('check tells of a large table that has a key after all, and of a key that sees inserts only', () => {
  expect(codes(refreshed({ source: relation({ bytes: 1e9 }) }))).toEqual(['KEY_AVAILABLE']);
  expect(codes(refreshed())).toEqual([]);
  expect(codes(refreshed({ source: relation({ bytes: 1e9, uniqueKeys: [] }) }))).toEqual([]);
  expect(codes(refreshed({ settings: { ...WHOLE, mergeKey: ['note'] } }))).toContain(
    'MERGE_KEY_NOT_ENFORCED',
  );
  const byId = { ...facts().settings, replicationKey: 'id' };
  const saved = {
    kind: 'record',
    record: record({ replicationKey: 'id', keyType: 'integer', cursor: '9' }),
    warnings: [],
  } as const;
  expect(codes(facts({ settings: byId, saved }))).toEqual(['KEY_INSERT_ONLY']);
});
