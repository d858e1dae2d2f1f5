import { expect, test } from 'vitest';
import type { Heap } from '../../../src/schema/heap.ts';
import { newHeader, type PendingLoad } from '../../../src/schema/pending-load.ts';
import { fingerprintOf, shapeOf } from '../../../src/schema/shape.ts';
import { reasonText } from '../../../src/report/reasons.ts';
import { chooseChunks, unfitForChunks } from '../../../src/sync/plan/chunk-choice.ts';
import type { TableFacts } from '../../../src/sync/facts/facts.ts';
import { facts, record, relation } from './table-facts.ts';

const heap: Heap = {
  leaves: [{ oid: '1', filenode: '100', blocks: 100, bytes: 819_200, rowsPerBlock: 10 }],
  blockSize: 8192,
  hasOtherStorage: false,
};

const size = { rows: 250 };
const settings = { ...facts().settings, initialLoad: 'copy', chunk: size } as const;

const pending = (change: Partial<PendingLoad> = {}): PendingLoad => ({
  id: 'one',
  header: newHeader({
    record: record({ fingerprint: fingerprintOf(shapeOf(relation())), mergeKey: ['id'] }),
    starts: [0, 25, 50],
    source: { databaseOid: '5', leaves: [{ oid: '1', filenode: '100' }] },
    staging: { oid: '3', filenode: '300' },
  }),
  stagingFilenode: '300',
  done: [0, 2],
  lastAt: new Date(0),
  ...change,
});

const choose = (
  change: Partial<TableFacts> = {},
  asked: Partial<Parameters<typeof chooseChunks>[2]> = {},
) => {
  const now = facts({ settings, staging: relation({ oid: '3' }), ...change });
  const { chunking, reasons } = chooseChunks(now, now.source ?? relation(), {
    ...{ heap, size, isNew: true, ...asked },
  });
  return { chunking, reason: reasonText(reasons) };
};

test('a large table is loaded in chunks, a small one as a whole', () => {
  expect(choose()).toEqual({
    chunking: { kind: 'chunks', starts: [0, 25, 50, 75], leaves: heap.leaves, resumed: undefined },
    reason: 'in 4 chunks',
  });
  expect(choose({}, { size: { rows: 1000 } })).toEqual({
    chunking: { kind: 'whole', cause: undefined },
    reason: '',
  });
});

test.each([
  [{ kind: 'view' }, 'kind-without-pages'],
  [{ kind: 'foreign table', hasForeignRows: true }, 'foreign-rows'],
  [{ kind: 'partitioned table', hasForeignRows: true }, 'foreign-rows'],
  [{ hasChildren: true, keptBy: 'TimescaleDB' }, 'extension-table'],
  [{ keptBy: 'Citus' }, 'extension-table'],
  [{ canSelectTable: false }, 'column-privileges-only'],
  [{}, undefined],
] as const)('a relation without pages that could be read is loaded as a whole: %j', (change, code) => {
  expect(unfitForChunks(relation(change))?.code).toBe(code);
});

test('a table that is not stored in a heap is loaded as a whole', () => {
  expect(choose({}, { heap: { ...heap, hasOtherStorage: true } }).chunking).toEqual({
    kind: 'whole',
    cause: { code: 'storage-without-pages' },
  });
});

test('an interrupted load continues with its own chunks, whatever size is asked for now', () => {
  const choice = choose({ pendingLoad: pending() }, { size: { rows: 10_000 } });
  expect(choice.chunking).toMatchObject({ starts: [0, 25, 50], resumed: { id: 'one', done: [0, 2] } });
  expect(choice.reason).toBe('continues an interrupted load: 2 of 3 chunks are done');
});

const other = facts().servers.source;
test.each<[string, Partial<TableFacts>, Heap?]>([
  ['another version', { pendingLoad: pending({ header: undefined }) }],
  ['pipeline "shop" started it', { pipeline: 'other' }],
  [
    'the source is another database or table',
    { servers: { ...facts().servers, source: { ...other, systemIdentifier: '9' } } },
  ],
  [
    'the source is another database or table',
    { servers: { ...facts().servers, source: { ...other, databaseOid: '6' } } },
  ],
  ['replication_key changed', { settings: { ...settings, replicationKey: 'created_at' } }],
  ['unique_cols changed', { settings: { ...settings, mergeKey: ['id', 'total'] } }],
  ['altered meanwhile', { source: relation({ oid: '77' }) }],
  ['staging table was dropped', { staging: undefined }],
  ['staging table was dropped', { staging: relation({ oid: '4' }) }],
  ['emptied', { pendingLoad: pending({ stagingFilenode: '301' }) }],
  ['other columns', { staging: relation({ oid: '3', columns: relation().columns.slice(1) }) }],
  ['rewritten meanwhile', {}, { ...heap, leaves: heap.leaves.map((leaf) => ({ ...leaf, filenode: '101' })) }],
])('an interrupted load starts again where it would be another load: %s', (why, change, pages = heap) => {
  const { chunking, reason } = choose({ pendingLoad: pending(), ...change }, { heap: pages });
  expect(chunking).toMatchObject({ kind: 'chunks', resumed: undefined });
  expect(reason).toMatch(/^starts again, because an interrupted load cannot be continued: /);
  expect(reason).toContain(why);
});

const evolving = { ...settings, onSchemaChange: 'evolve' } as const;
const [first] = relation().columns;
const wider = relation({
  columns: [
    ...relation().columns,
    ...(first ? [{ ...first, name: 'extra', position: 9, isNotNull: false }] : []),
  ],
});
const began = () => {
  const known = shapeOf(relation());
  const load = pending();
  const header = load.header && {
    ...load.header,
    record: { ...load.header.record, shape: known, fingerprint: fingerprintOf(known) },
  };
  return pending({ header });
};

test('an interrupted load continues without a column that was added meanwhile', () => {
  const now = facts({
    settings: evolving,
    staging: relation({ oid: '3' }),
    pendingLoad: began(),
    source: wider,
  });
  const { chunking, reasons, earlier } = chooseChunks(now, wider, { heap, size, isNew: true });
  expect(chunking).toMatchObject({ resumed: { id: 'one', done: [0, 2] } });
  expect(reasonText(reasons)).toBe(
    'continues an interrupted load: 2 of 3 chunks are done; the next sync adds the column "extra"',
  );
  expect(earlier?.later).toEqual(['extra']);
  expect(shapeOf(earlier?.source ?? wider)).toEqual(shapeOf(relation()));
});

test.each<[string, Partial<TableFacts>, 'create' | 'swap']>([
  ['the policy loads the table again', { settings: { ...settings, onSchemaChange: 'reset' } }, 'create'],
  ['the policy refuses changes', { settings: { ...settings, onSchemaChange: 'fail' } }, 'create'],
  ['the destination table exists', {}, 'swap'],
  [
    'another column has another type',
    { source: { ...wider, columns: wider.columns.map((each) => ({ ...each, type: 'text' })) } },
    'create',
  ],
])('an interrupted load starts again for a new column if %s', (_why, change, way) => {
  const { chunking, reason } = choose(
    { settings: evolving, pendingLoad: began(), source: wider, ...change },
    { isNew: way === 'create' },
  );
  expect(chunking).toMatchObject({ resumed: undefined });
  expect(reason).toContain('altered meanwhile');
});

test('partitions that came or went do not matter', () => {
  const leaves = [{ oid: '8', filenode: '800', blocks: 90, bytes: 1, rowsPerBlock: 1 }];
  const { chunking } = choose({ pendingLoad: pending() }, { heap: { ...heap, leaves } });
  expect(chunking).toMatchObject({ resumed: { id: 'one' } });
});
