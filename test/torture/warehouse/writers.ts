/** Applications that write to both sides. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Random } from '../random.ts';

/** Ids that are inserted, deleted and inserted again. */
const IDS = 600;

type Write = (random: Random) => string;

/** A transaction can wait for a row, so its version is later than every version that it replaces. */
const LATER = `updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')`;

const id = (random: Random): number => random.between(1, IDS);

/** An updated member keeps its address, because its column has two names during the run. */
const SOURCE_WRITES: readonly [Write, ...Write[]] = [
  (random) => `INSERT INTO members (id, points) VALUES (${id(random)}, 0) ON CONFLICT (id) DO NOTHING`,
  (random) => `UPDATE members SET points = points + 1, ${LATER} WHERE id % 97 = ${random.between(0, 96)}`,
  (random) => `DELETE FROM members WHERE id = ${id(random)}`,
  (random) => {
    const place = id(random);
    return `UPDATE members SET id = ${place} + ${IDS}, ${LATER} WHERE id = ${place}
      AND NOT EXISTS (SELECT FROM members o WHERE o.id = ${place} + ${IDS})`;
  },
  (random) =>
    `INSERT INTO events (kind, n) SELECT 'new', i FROM generate_series(1, ${random.between(1, 20)}) i`,
  (random) => `UPDATE events SET n = n + 1, ${LATER} WHERE id % 211 = ${random.between(0, 210)}`,
  (random) =>
    `DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT ${random.between(1, 15)})`,
  (random) => `INSERT INTO stock (id, sold, label) VALUES (${id(random)}, ${random.between(0, 9)}, 'new')
    ON CONFLICT (id) DO UPDATE SET sold = excluded.sold, label = 'again', seen = clock_timestamp(),
      updated_at = greatest(clock_timestamp(), stock.updated_at + interval '1 microsecond')`,
  (random) =>
    `UPDATE stock SET sold = ${random.between(-5, 20)}, seen = clock_timestamp(), ${LATER} WHERE id % 53 = ${random.between(0, 52)}`,
  (random) =>
    `UPDATE prices SET price = ${random.between(1, 999)}, note = 'source', ${LATER} WHERE id % 31 = ${random.between(0, 30)}`,
];

const DESTINATION_WRITES: readonly [Write, ...Write[]] = [
  (random) =>
    `UPDATE stock SET sold = sold + ${random.between(1, 5)}, seen = clock_timestamp() WHERE id % 41 = ${random.between(0, 40)}`,
  (random) => `UPDATE prices SET price = ${random.between(1, 999)} + 0.5, note = 'destination', ${LATER}
    WHERE id % 29 = ${random.between(0, 28)}`,
];

export interface WriterRequest {
  readonly pool: Pool;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Milliseconds of the longest transactions. */
  readonly longest: number;
}

/** Deadlocks and keys that another transaction has just inserted. */
const isExpected = (error: unknown): boolean =>
  ['40P01', '23505', '55P03'].includes(String((error as { readonly code?: unknown }).code));

async function write(
  writes: readonly [Write, ...Write[]],
  { pool, random, signal, longest }: WriterRequest,
): Promise<number> {
  let committed = 0;
  while (!signal.aborted) {
    const client = await pool.connect();
    try {
      await client.query(`BEGIN; SET LOCAL lock_timeout = '1s'; SET LOCAL deadlock_timeout = '100ms'`);
      for (let count = random.between(1, 4); count > 0; count -= 1) {
        await client.query(random.pick(writes)(random));
        await sleep(random.chance(0.03) ? random.between(longest / 4, longest) : random.between(0, 60));
      }
      await client.query(random.chance(0.9) ? 'COMMIT' : 'ROLLBACK');
      committed += 1;
    } catch (error) {
      await client.query('ROLLBACK');
      if (!isExpected(error)) throw error;
    } finally {
      client.release();
    }
    await sleep(random.between(0, 100));
  }
  return committed;
}

/** Both return the number of transactions. */
export const writeToSource = (request: WriterRequest): Promise<number> => write(SOURCE_WRITES, request);
export const writeToDestination = (request: WriterRequest): Promise<number> =>
  write(DESTINATION_WRITES, request);
