/** Applications that write to the source of one pipeline. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Random } from '../random.ts';

interface WriterRequest {
  readonly pool: Pool;
  readonly write: (random: Random) => string;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Milliseconds of the longest transactions. */
  readonly longest: number;
}

const DEADLOCK = '40P01';

/** Returns the number of transactions. */
export async function runWriter({ pool, write, random, signal, longest }: WriterRequest): Promise<number> {
  let committed = 0;
  while (!signal.aborted) {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      for (let count = random.between(1, 4); count > 0; count -= 1) {
        await client.query(write(random));
        await sleep(random.chance(0.03) ? random.between(longest / 4, longest) : random.between(0, 60));
      }
      await client.query(random.chance(0.9) ? 'COMMIT' : 'ROLLBACK');
      committed += 1;
    } catch (error) {
      await client.query('ROLLBACK');
      if ((error as { readonly code?: unknown }).code !== DEADLOCK) throw error;
    } finally {
      client.release();
    }
    await sleep(random.between(0, 400));
  }
  return committed;
}
