import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  KNOWN_DIFFERENCES_FILE,
  noteComparisons,
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
