/** The connections of several jobs: tables first, and chunks over what no table needs. */
import { expect, test } from 'vitest';
import { ConnectionPairs } from '../../../src/sync/context/connection-pairs.ts';

const never = new AbortController().signal;

function started() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { end: resolve, work: () => promise };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('a pair serves one user at a time, and a table goes before a chunk', async () => {
  const pairs = new ConnectionPairs(['only']);
  const told: string[] = [];
  const first = started();
  const table = pairs.forTable(() => first.work());
  const chunk = pairs.forChunk(async () => void told.push('chunk'), never);
  const next = pairs.forTable(async (pair) => void told.push(`table over ${pair}`));
  await settle();
  expect(told).toEqual([]);
  first.end();
  await Promise.all([table, next]);
  expect(await chunk).toBe(true);
  expect(told).toEqual(['table over only', 'chunk']);
});

test('a chunk that is not needed any more stops waiting, and takes no pair', async () => {
  const pairs = new ConnectionPairs(['only']);
  const first = started();
  const table = pairs.forTable(() => first.work());
  const stop = new AbortController();
  const chunk = pairs.forChunk(() => Promise.reject(new Error('not needed')), stop.signal);
  stop.abort();
  expect(await chunk).toBe(false);
  first.end();
  await table;
  expect(await pairs.forTable((pair) => Promise.resolve(pair))).toBe('only');
  expect(await pairs.forChunk(() => Promise.reject(new Error('not needed')), stop.signal)).toBe(false);
});

test('a pair comes back after an error', async () => {
  const pairs = new ConnectionPairs(['only']);
  await expect(pairs.forTable(() => Promise.reject(new Error('lost')))).rejects.toThrow('lost');
  await expect(pairs.forChunk(() => Promise.reject(new Error('lost again')), never)).rejects.toThrow('again');
  expect(await pairs.forTable((pair) => Promise.resolve(pair))).toBe('only');
});
