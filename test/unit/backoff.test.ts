import { expect, test } from 'vitest';
import { backoffSeconds, sleep } from '../../src/backoff.ts';
import { DEFAULT_TIMING } from '../../src/timing.ts';

const { retryDelay } = DEFAULT_TIMING;

test('the wait doubles up to its maximum and never falls below its floor', () => {
  const longest = [1, 2, 3, 4, 5, 6, 50, 5000].map((attempt) => backoffSeconds(attempt, retryDelay, () => 1));
  expect(longest).toEqual([0.5, 1, 2, 4, 8, 8, 8, 8]);
  expect(backoffSeconds(6, retryDelay, () => 0)).toBe(0.25);
  expect(backoffSeconds(1, { base: 4, max: 2 }, () => 1)).toBe(2);
});

test('an abort ends the sleep with its own reason', async () => {
  const stop = new AbortController();
  const reason = new Error('stop it');
  const sleeping = sleep(60, stop.signal);
  stop.abort(reason);
  await expect(sleeping).rejects.toBe(reason);
  await expect(sleep(60, stop.signal)).rejects.toBe(reason);
});

test('a sleep ends by itself, and one of a year does not end at once', async () => {
  await sleep(0.001, new AbortController().signal);
  const stop = new AbortController();
  const ended = sleep(365 * 86_400, stop.signal).catch(() => 'aborted');
  expect(await Promise.race([ended, sleep(0.02)])).toBeUndefined();
  stop.abort();
  expect(await ended).toBe('aborted');
});
