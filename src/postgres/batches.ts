/**
 * Work on many tables in batches. Each batch is a transaction of its own: a transaction holds a lock for each table that
 * it reads and for each index of the table, and the lock table of a server is small.
 */
import { sleep } from '../backoff.ts';
import { asIncrepError, done, failedWith, type Attempted } from '../errors.ts';
import { isAboutOneStatement } from './server-errors.ts';
import { SQLSTATE } from './sqlstate.ts';

/** Large enough that round trips cost little, and small enough for the lock table of a server with default settings. */
export const BATCH_SIZE = 100;

/** Tables whose facts are gathered together: several batches, whose statements share the round trips. */
export const GROUP_SIZE = 1000;

/** Another session fills the lock table for a moment only, for example the session of this run at the other database. */
const PAUSE = { seconds: 0.2, atMost: 5 };

export function* batchesOf<T>(items: readonly T[], size = BATCH_SIZE): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}

/**
 * One result for each item, in their order. A batch that a server refuses is repeated in smaller batches, and in the end
 * item by item. So a table that cannot be read has an error of its own, and so has each table if the lock table of the
 * server stays full. @throws IncrepError if another batch would fail as well
 */
export async function inBatches<T, R>(
  items: readonly T[],
  work: (batch: readonly T[]) => Promise<readonly R[]>,
  size = BATCH_SIZE,
  patience = { pauses: PAUSE.atMost },
): Promise<Attempted<R>[]> {
  const results: Attempted<R>[] = [];
  for (const batch of batchesOf(items, size)) results.push(...(await workOn(batch, work, patience)));
  return results;
}

async function workOn<T, R>(
  batch: readonly T[],
  work: (batch: readonly T[]) => Promise<readonly R[]>,
  patience: { pauses: number },
): Promise<Attempted<R>[]> {
  try {
    return (await work(batch)).map(done);
  } catch (thrown) {
    const error = asIncrepError(thrown);
    if (!isAboutOneStatement(error)) throw error;
    if (batch.length > 1) return inBatches(batch, work, Math.ceil(batch.length / 10), patience);
    if (error.sqlstate !== SQLSTATE.outOfMemory || patience.pauses === 0) return [failedWith(error)];
    patience.pauses -= 1;
    await sleep(PAUSE.seconds);
    return workOn(batch, work, patience);
  }
}
