/** What people do to a destination at any moment: they empty a table, or ask for it again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { startIncrep } from '../support/increp-process.ts';
import type { Place } from './runner.ts';
import type { Random } from './random.ts';
import { TABLES } from './tables.ts';

export interface Meddled {
  truncated: number;
  reset: number;
  /** Somebody held the table. */
  refused: number;
}

/** Not the ledger: it may only grow, which the reader watches. Whoever empties a parent empties its children. */
const EMPTIED = ['tickets', 'accounts, payments', 'payments', 'readings'] as const;

const LOCKED = 75;
/** A lock that was not free in time, or a deadlock with a sync: a person tries again later. */
const REFUSED: readonly unknown[] = ['55P03', '40P01'];

interface Request {
  readonly place: Place;
  readonly random: Random;
  /** Seconds between two acts, about. */
  readonly interval: number;
  readonly signal: AbortSignal;
  /** What went wrong. */
  readonly failures: string[];
}

export async function meddle({ place, random, interval, signal, failures }: Request): Promise<Meddled> {
  const meddled: Meddled = { truncated: 0, reset: 0, refused: 0 };
  const act = async () => {
    if (random.chance(0.5)) {
      const isDone = await truncate(place.destination, random.pick(EMPTIED));
      meddled[isDone ? 'truncated' : 'refused'] += 1;
    } else {
      const { exitCode, stderr } = await reset(
        place,
        TABLES[random.between(0, TABLES.length - 1)]?.name ?? '',
      );
      meddled[exitCode === 0 ? 'reset' : 'refused'] += 1;
      if (exitCode !== 0 && exitCode !== LOCKED) failures.push(`reset ended with ${exitCode}\n${stderr}`);
    }
  };
  for (;;) {
    await sleep(interval * 1000 * (0.5 + random.next()), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return meddled;
    await act();
  }
}

async function truncate(destination: Pool, tables: string): Promise<boolean> {
  try {
    await destination.query(`SET lock_timeout = '2s'; TRUNCATE ${tables}; RESET lock_timeout`);
    return true;
  } catch (error) {
    if (!REFUSED.includes((error as { code?: unknown }).code)) throw error;
    return false;
  }
}

async function reset(place: Place, table: string) {
  await using running = startIncrep(`reset ${table}`, place);
  return await running.wait();
}
