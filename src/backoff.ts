/** The wait before a retry, and a sleep that a signal can end. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Backoff } from './timing.ts';

/** The longest time that a timer of Node accepts. A longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Seconds to wait after attempt number `attempt` (the first is 1). The whole span is random, so that clients that
 * failed together do not come back together. The minimum keeps a retry from following at once.
 */
export function backoffSeconds(
  attempt: number,
  { base, max }: Backoff,
  random: () => number = Math.random,
): number {
  const floor = Math.min(base, max) / 2;
  const ceiling = Math.min(max, base * 2 ** Math.max(0, attempt - 1));
  return floor + random() * (ceiling - floor);
}

/** Resolves after that time. If the signal aborts, it rejects with the reason of the signal. */
export async function sleep(seconds: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const milliseconds = Math.min(Math.max(0, seconds * 1000), LONGEST_TIMER_MS);
  try {
    await delay(milliseconds, undefined, signal ? { signal } : {});
  } catch (error) {
    // The timer rejects with a bare AbortError. The reason of the signal says more.
    signal?.throwIfAborted();
    throw error;
  }
}
