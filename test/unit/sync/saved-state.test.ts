import { expect, test } from 'vitest';
import type { StateRecord } from '../../../src/schema/state-record.ts';
import type { StateFile } from '../../../src/state/state-files.ts';
import { reconcile } from '../../../src/sync/facts/saved-state.ts';
import { record } from './table-facts.ts';

const EXPECTED = {
  label: 'orders',
  pipeline: 'shop',
  source: { database: 'live', schema: 'public', table: 'orders' },
  sourceOid: '16400',
  destination: { schema: 'public', table: 'orders' },
  hasTable: true,
  hasRows: true,
  systemIdentifier: '7',
  destinationServer: { systemIdentifier: '8', database: 'warehouse' },
};
const HERE = 'new1:/srv/sync-state';
const NO_FILE: StateFile = { kind: 'none' };
const TORN: StateFile = { kind: 'unreadable', path: 'orders.json', why: 'it is not JSON' };
const file = (change: Partial<StateRecord> = {}): StateFile => ({
  kind: 'record',
  record: record(change),
  path: 'orders.json',
});
const saved = (from: StateFile, row?: unknown) =>
  reconcile(from, { record: row, rival: undefined, isHome: false }, { ...EXPECTED, writer: HERE });

test('two equal records are used without a word', () => {
  expect(saved(file(), record())).toEqual({ kind: 'record', record: record(), warnings: [] });
});

test('workers of the service take turns without a warning, and a sync of a command still warns', () => {
  const savedOf = (byService: boolean, inFile: boolean, inRow: boolean) => {
    const rows = { record: record({ generation: 5, byService: inRow }), rival: undefined, isHome: false };
    const from = file({ generation: 4, byService: inFile });
    return reconcile(from, rows, { ...EXPECTED, writer: HERE, byService });
  };
  const silent = { kind: 'record', warnings: [] };
  expect(savedOf(true, true, true)).toMatchObject(silent);
  // The directory was copied from a machine with cron.
  expect(savedOf(true, false, true)).toMatchObject(silent);
  // `increp status` in the directory of a worker.
  expect(savedOf(false, true, true)).toMatchObject(silent);
  for (const [byService, inFile, inRow] of [
    [true, true, false],
    [false, false, true],
    [false, false, false],
  ] as const)
    expect(savedOf(byService, inFile, inRow)).toMatchObject({ warnings: [expect.stringContaining('older')] });
});

test('a destination that was restored says what happens to rows, and what to do', () => {
  const warningOf = (findsDeleted: boolean) => {
    const rows = { record: record({ generation: 5 }), rival: undefined, isHome: false };
    const found = reconcile(file({ generation: 6 }), rows, { ...EXPECTED, findsDeleted });
    return 'warnings' in found ? found.warnings.join('') : '';
  };
  expect(warningOf(false)).toMatch(/copies again .* No action is needed\. .* "increp verify"$/);
  expect(warningOf(true)).toMatch(/deleted at the source .* may be there again .* "increp sync --deletes"$/);
});

test('the row counts whenever the two differ, and a warning says which way', () => {
  const row = record({ generation: 5, cursor: '2026-01-05 00:00:00+00' });
  for (const [other, words] of [
    [file({ generation: 4 }), /older than the state at the destination/],
    [file({ generation: 6 }), /newer than the state at the destination/],
    [file({ ...row, cursor: '2026-01-06 00:00:00+00' }), /was edited/],
    [file({ pipeline: 'other' }), /^increp ignores the state file in \., which belongs to pipeline "other"/],
    [
      TORN,
      /^increp ignores the state file in \., because it is not JSON; increp uses the state at the destination$/,
    ],
  ] as const) {
    expect(saved(other, row)).toEqual({
      kind: 'record',
      record: row,
      warnings: [expect.stringMatching(words)],
    });
  }
  expect(saved(NO_FILE, row)).toEqual({ kind: 'record', record: row, warnings: [] });
});

test('an older file: the machine that wrote the row is named, if it is another one', () => {
  const writers = { [HERE]: /crash$/, 'old1:/srv/sync-state': /ran elsewhere: old1:\/srv\/sync-state\. If/ };
  for (const [writtenBy, words] of Object.entries(writers))
    expect(saved(file({ generation: 4 }), record({ generation: 5, writtenBy }))).toMatchObject({
      warnings: [expect.stringMatching(words)],
    });
  // The pipeline had a list of destinations.
  const row = record({ generation: 5, writtenBy: `${HERE}/first` });
  expect(saved(file({ generation: 4 }), row)).toMatchObject({ warnings: [] });
});

test('a file of another pipeline without a row has the same text for each table', () => {
  expect(saved(file({ pipeline: 'other' }))).toEqual({
    kind: 'foreign',
    what: `the state files in . belong to pipeline "other", and this is "${EXPECTED.pipeline}"`,
    next: expect.stringMatching(/move them away.* set PIPELINE_NAME=other\.$/) as string,
  });
});

test('another table has the name of the destination table, unless the state table is another one, too', () => {
  const row = record({ writtenTo: { table: '5', stateTable: '6' } });
  const at = (table: string | null, stateTable: string | null) =>
    reconcile(
      NO_FILE,
      { record: row, rival: undefined, isHome: true },
      { ...EXPECTED, writtenTo: { table, stateTable } },
    );
  expect(at('5', '6')).not.toHaveProperty('isOtherTable');
  expect(at('7', '6')).toMatchObject({ isOtherTable: true });
  expect(at('7', '8')).not.toHaveProperty('isOtherTable');
  expect(at(null, '6')).not.toHaveProperty('isOtherTable');
});

test('only a database of another name, where the pipeline has written nothing, may be an error', () => {
  const of = (database: string, isHome = false) =>
    reconcile(
      file({ destinationServer: { systemIdentifier: '9', database } }),
      { record: undefined, rival: undefined, isHome },
      EXPECTED,
    );
  const why = { code: 'state-file-of-another-database', database: 'old' };
  expect(of('old')).toMatchObject({ why, elsewhere: { kind: 'database', name: 'old' }, warnings: [] });
  expect(of('old', true)).toMatchObject({ why, warnings: [/"old", and .* names "warehouse"/] });
  expect(of('warehouse')).toMatchObject({ warnings: [/"warehouse" of another server/] });
  for (const found of [of('old', true), of('warehouse')]) expect(found).not.toHaveProperty('elsewhere');
});

test('the file serves where the destination has no row', () => {
  expect(saved(file())).toMatchObject({ kind: 'record', record: record(), warnings: [/no state row/] });
});

test('a table that is loaded because it is gone or emptied does not continue from the file', () => {
  const alone = (there: { hasTable: boolean; hasRows: boolean }) =>
    reconcile(file(), { record: undefined, rival: undefined, isHome: false }, { ...EXPECTED, ...there });
  expect(alone({ hasTable: false, hasRows: false })).toMatchObject({ isFromFile: true, warnings: [] });
  expect(alone({ hasTable: true, hasRows: false })).toMatchObject({ isFromFile: true, warnings: [] });
});

test('without anything to trust nothing is known, and why is told', () => {
  expect(saved(NO_FILE)).toEqual({ kind: 'none', why: { code: 'cursor-unknown' }, warnings: [] });
  expect(saved(TORN)).toMatchObject({
    kind: 'none',
    why: { code: 'state-file-unusable', message: 'it is not JSON' },
  });
});

test('a file of the older script is used only while there is no row', () => {
  const legacy: StateFile = { kind: 'legacy', cursor: '2026-01-01T00:00:00.000Z', path: 'orders.txt' };
  expect(saved(legacy)).toMatchObject({ kind: 'legacy', cursor: '2026-01-01T00:00:00.000Z' });
  expect(saved(legacy, record())).toMatchObject({ kind: 'record', record: record() });
});

test('what belongs to another pipeline, source or server is refused, on either side', () => {
  for (const change of [
    { pipeline: 'other' },
    { source: { database: 'live', schema: 'public', table: 'customers' } },
    { source: { database: 'test', schema: 'public', table: 'orders' } },
    { sourceLife: { systemIdentifier: '9', timeline: 1, startedAt: '1000' } },
  ]) {
    expect(saved(NO_FILE, record(change)).kind, JSON.stringify(change)).toBe('foreign');
    const isCopied = 'pipeline' in change;
    expect(saved(file(change), record()).kind, JSON.stringify(change)).toBe(isCopied ? 'record' : 'foreign');
    expect(saved(file(change)).kind, JSON.stringify(change)).toBe('foreign');
  }
});

test('if the saved source is the destination now, the sides are swapped, and nothing else is offered', () => {
  const was = record({
    source: { database: 'warehouse', schema: 'public', table: 'orders' },
    sourceLife: { systemIdentifier: '8', timeline: 1, startedAt: '1000' },
  });
  expect(reconcile(NO_FILE, { record: was, rival: undefined, isHome: false }, EXPECTED)).toEqual({
    kind: 'foreign',
    isSwapped: true,
    what: expect.stringMatching(/^source and destination are swapped/),
    next: 'Exchange the SOURCE_ and DEST_ settings. Nothing was changed.',
  });
});

test('a table with another name is the same table if the server and the oid are', () => {
  const renamed = (change: object) =>
    saved(file(), { ...record(), source: { database: 'live', schema: 'sales', table: 'bills' }, ...change })
      .kind;
  const { shape } = record();
  expect(renamed({ shape: { ...shape, oid: '16400' } })).toBe('record');
  expect(renamed({ shape: { ...shape, oid: '16401' } })).toBe('foreign');
  const unnamed = { systemIdentifier: null, timeline: null, startedAt: '1000' };
  expect(renamed({ shape: { ...shape, oid: '16400' }, sourceLife: unnamed })).toBe('foreign');
});

test('if only the table differs, the SOURCE settings are correct', () => {
  const nextOf = (source: object) => {
    const found = saved(NO_FILE, record({ source: { ...record().source, ...source } }));
    return found.kind === 'foreign' ? found.next : '';
  };
  expect(nextOf({ table: 'items' })).toMatch(
    / Otherwise correct "name" or "dest_name" in tables-config\.json\.$/,
  );
  for (const source of [{ database: 'old' }, { schema: 'old' }])
    expect(nextOf(source)).toMatch(/ Otherwise restore the former SOURCE settings\.$/);
});

test('a server that does not tell who it is, and a restarted one, are taken for the same', () => {
  const unnamed = { systemIdentifier: null, timeline: null, startedAt: '1000' };
  expect(saved(NO_FILE, record({ sourceLife: unnamed })).kind).toBe('record');
  const restarted = { systemIdentifier: '7', timeline: 2, startedAt: '2000' };
  expect(saved(file({ sourceLife: restarted }), record({ sourceLife: restarted })).kind).toBe('record');
});

test('a row that this version did not write is refused, not overwritten', () => {
  expect(saved(file(), { ...record(), format: 2 }).kind).toBe('foreign');
  expect(saved(NO_FILE, null).kind).toBe('foreign');
});

test('the file of a copy in another schema is not that of this copy', () => {
  const elsewhere = file({ destination: { schema: 'lake', table: 'orders' } });
  expect(saved(elsewhere)).toEqual({
    kind: 'none',
    why: { code: 'state-file-of-another-table', table: 'lake.orders' },
    warnings: ['the state file is about lake.orders, so the table starts as a new one here'],
  });
  expect(saved(elsewhere, record())).toMatchObject({ kind: 'record' });
});
