import type pg from 'pg';
import { startIncrep } from './increp.ts';
import type { RunningIncrep } from './increp.ts';
import type { Pair } from './pair.ts';

/**
 * A run that holds its lock, because a transaction at the source keeps it waiting. A sync waits only if the table has
 * something to load, so a test that has synced before inserts a row first.
 */
export async function heldRun(pair: Pair): Promise<{ running: RunningIncrep; letGo: () => Promise<void> }> {
  const open: pg.PoolClient = await pair.source.connect();
  await open.query('BEGIN; SELECT FROM orders');
  const running = startIncrep('sync -v --wait-transactions 40s', pair);
  await running.waitForPhase('fence');
  const letGo = async () => {
    await open.query('COMMIT');
    open.release();
  };
  return { running, letGo };
}
