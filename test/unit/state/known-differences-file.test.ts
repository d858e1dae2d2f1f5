import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  KNOWN_DIFFERENCES_FILE,
  noteComparisons,
  noteLoaded,
  noteRequested,
  readComparisons,
} from '../../../src/state/known-differences-file.ts';

test('processes that write at the same time lose no difference, and no lock stays', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'increp-differences-'));
  const tables = Array.from({ length: 20 }, (_, index) => `t${index}`);
  const found = {
    kind: 'different',
    foundBy: 'verify',
    message: 'm',
    only: null,
    duplicates: null,
    cursor: null,
  } as const;
  await Promise.all(tables.map((table) => noteComparisons(directory, [{ ...found, table }])));
  const known = async () => [...(await readComparisons(directory)).differences.keys()].toSorted();
  expect(await known()).toEqual(tables.toSorted());
  expect(await readdir(directory)).toEqual([KNOWN_DIFFERENCES_FILE]);

  const equal = { kind: 'equal', hasMore: false, cursor: null } as const;
  await Promise.all(tables.slice(1).map((table) => noteComparisons(directory, [{ ...equal, table }])));
  expect(await known()).toEqual(['t0']);
  await rm(directory, { recursive: true });
});

test('a requested load is known until the table was loaded or compared as equal', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'increp-requested-'));
  const requested = async () => [...(await readComparisons(directory)).requested.keys()];
  await noteRequested(directory, ['a', 'b', 'c', 'd'], { since: '2026-03-01T12:00:00Z', run: 'r' });
  await noteLoaded(directory, ['a']);
  const synced = {
    kind: 'synced',
    cursor: null,
    isVerified: false,
    areDeletesDone: false,
    hasUniqueKeys: false,
  } as const;
  await noteComparisons(directory, [
    { ...synced, table: 'b', isLoad: true },
    { ...synced, table: 'c', isLoad: false },
    { kind: 'equal', hasMore: true, cursor: null, table: 'd' },
  ]);
  expect(await requested()).toEqual(['c']);
  await rm(directory, { recursive: true });
});
