/** Somebody who uses the copy all the while, and must never notice that it is being replaced. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { TABLES } from './tables.ts';

const COUNTS = `SELECT ${TABLES.map(({ name }) => `(SELECT count(*)::int FROM public.${name}) AS ${name}`).join(', ')}`;

const ARE_THERE = `SELECT count(*)::int AS tables FROM pg_tables
  WHERE schemaname = 'public' AND tablename IN (${TABLES.map(({ name }) => `'${name}'`).join(', ')})`;

export interface Watched {
  looks: number;
  /** Seconds. */
  slowest: number;
  readonly failures: string[];
}

/** From the moment when all tables are there. A source that has lost rows takes them from the copy as well. */
export async function watchCopy(
  destination: Pool,
  signal: AbortSignal,
  source: { readonly hasLost: boolean },
): Promise<Watched> {
  const watched: Watched = { looks: 0, slowest: 0, failures: [] };
  let ledger = 0;
  let areThere = false;
  while (!signal.aborted) {
    areThere ||= (await destination.query<{ tables: number }>(ARE_THERE)).rows[0]?.tables === TABLES.length;
    if (areThere) ledger = await look(destination, watched, source.hasLost ? 0 : ledger);
    await sleep(50, undefined, { signal }).catch(() => undefined);
  }
  return watched;
}

async function look(destination: Pool, watched: Watched, ledger: number): Promise<number> {
  const startedAt = performance.now();
  try {
    const { rows } = await destination.query<{ ledger: number }>(COUNTS);
    const now = rows[0]?.ledger ?? 0;
    if (now < ledger) watched.failures.push(`the ledger shrank from ${ledger} to ${now} rows`);
    return now;
  } catch (error) {
    watched.failures.push(`the copy could not be read: ${String(error)}`);
    return ledger;
  } finally {
    watched.looks += 1;
    watched.slowest = Math.max(watched.slowest, (performance.now() - startedAt) / 1000);
  }
}
