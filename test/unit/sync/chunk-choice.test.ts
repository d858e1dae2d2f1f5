import { expect, test } from 'vitest';
import type { Heap } from '../../../src/schema/heap.ts';
import { newHeader, type PendingLoad } from '../../../src/schema/pending-load.ts';
import { fingerprintOf, shapeOf } from '../../../src/schema/shape.ts';
import { chooseChunks } from '../../../src/sync/plan/chunk-choice.ts';
import type { TableFacts } from '../../../src/sync/facts/facts.ts';
import { facts, record, relation } from './table-facts.ts';

const heap: Heap = {
  leaves: [{ oid: '1', filenode: '100', blocks: 100, bytes: 819_200, rowsPerBlock: 10 }],
  blockSize: 8192,
  hasOtherStorage: false,
};

const settings = { ...facts().settings, initialLoad: 'copy', chunk: { rows: 250 } } as const;
const chunkedFacts = (change: Partial<TableFacts> = {}): TableFacts =>
  facts({ settings, heap, staging: relation({ oid: '3' }), ...change });

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

const choose = (change: Partial<TableFacts> = {}) => {
  const now = chunkedFacts(change);
  return chooseChunks(now, now.source ?? relation());
};

test('a large table is loaded in chunks, a small one in one go', () => {
  expect(choose()).toMatchObject({ chunks: { starts: [0, 25, 50, 75], resumed: undefined } });
  expect(choose().words).toEqual(['in 4 chunks']);
  expect(choose({ settings: { ...settings, chunk: { rows: 1000 } } })).toEqual({
    chunks: undefined,
    why: undefined,
    words: [],
  });
  expect(
    choose({ settings: { ...settings, chunk: undefined }, pendingLoad: pending() }).chunks,
  ).toBeUndefined();
});

test.each([
  [{ kind: 'view' }, 'a view has no pages'],
  [{ kind: 'foreign table', hasForeignRows: true }, 'those of another server'],
  [{ kind: 'partitioned table', hasForeignRows: true }, 'those of another server'],
  [{ canSelectTable: false }, 'SELECT on the whole table'],
] as const)('what has no pages that could be read is loaded in one go: %j', (change, why) => {
  const choice = choose({ source: relation(change) });
  expect(choice.chunks).toBeUndefined();
  expect(choice.why).toContain(why);
});

test('what is stored otherwise than in a heap is loaded in one go', () => {
  expect(choose({ heap: { ...heap, hasOtherStorage: true } }).why).toContain('pages of rows');
});

test('a load that was broken off goes on with its own chunks, whatever size is asked for now', () => {
  const choice = choose({ pendingLoad: pending(), settings: { ...settings, chunk: { rows: 10_000 } } });
  expect(choice.chunks).toMatchObject({ starts: [0, 25, 50], resumed: { id: 'one', done: [0, 2] } });
  expect(choice.words).toEqual(['goes on with a load that was broken off: 2 of 3 chunks are there']);
});

const other = facts().servers.source;
test.each<[string, Partial<TableFacts>]>([
  ['another version', { pendingLoad: pending({ header: undefined }) }],
  ['pipeline "shop" has begun it', { pipeline: 'other' }],
  [
    'the source is another one',
    { servers: { ...facts().servers, source: { ...other, systemIdentifier: '9' } } },
  ],
  ['the source is another one', { servers: { ...facts().servers, source: { ...other, databaseOid: '6' } } }],
  ['replication_key was changed', { settings: { ...settings, replicationKey: 'created_at' } }],
  ['unique_cols were changed', { settings: { ...settings, mergeKey: ['id', 'total'] } }],
  ['altered meanwhile', { source: relation({ oid: '77' }) }],
  ['staging table was dropped', { staging: undefined }],
  ['staging table was dropped', { staging: relation({ oid: '4' }) }],
  ['emptied', { pendingLoad: pending({ stagingFilenode: '301' }) }],
  ['other columns', { staging: relation({ oid: '3', columns: relation().columns.slice(1) }) }],
  [
    'rewritten meanwhile',
    { heap: { ...heap, leaves: heap.leaves.map((leaf) => ({ ...leaf, filenode: '101' })) } },
  ],
])('it starts over where it would be another load: %s', (why, change) => {
  const choice = choose({ pendingLoad: pending(), ...change });
  expect(choice.chunks?.resumed).toBeUndefined();
  expect(choice.words[0]).toMatch(/^starts over, because a load that was broken off cannot go on: /);
  expect(choice.words[0]).toContain(why);
});

test('partitions that came or went do not matter', () => {
  const leaves = [{ oid: '8', filenode: '800', blocks: 90, bytes: 1, rowsPerBlock: 1 }];
  expect(choose({ pendingLoad: pending(), heap: { ...heap, leaves } }).chunks?.resumed).toBeDefined();
});
