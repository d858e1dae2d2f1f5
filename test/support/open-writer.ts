/** Writers whose transactions stay open, and runs that are killed, for tests with random steps. */
import type pg from 'pg';
import { waitUntil } from './activity.ts';
import { startIncrep } from './increp.ts';
import type { Pair } from './pair.ts';
import type { Random } from '../torture/random.ts';

/** Runs random statements in transactions that stay open for a few steps. */
export class OpenWriter {
  readonly #client: pg.PoolClient;
  readonly #random: Random;
  readonly #statement: (random: Random) => string;
  #isOpen = false;

  constructor(client: pg.PoolClient, random: Random, statement: (random: Random) => string) {
    this.#client = client;
    this.#random = random;
    this.#statement = statement;
  }

  async step(): Promise<void> {
    if (!this.#isOpen) await this.#client.query(`BEGIN; SET LOCAL lock_timeout = '50ms'`);
    this.#isOpen = true;
    try {
      await this.#client.query(this.#statement(this.#random));
    } catch {
      // Another writer holds the row.
      return this.end('ROLLBACK');
    }
    if (this.#random.chance(1 / 3)) await this.end(this.#random.pick(['COMMIT', 'COMMIT', 'ROLLBACK']));
  }

  async end(how: string): Promise<void> {
    if (this.#isOpen) await this.#client.query(how);
    this.#isOpen = false;
  }
}

/** Starts a run and kills it within its first second. Returns when the servers have noticed. */
export async function killedAtRandom(pair: Pair, random: Random, command: string): Promise<void> {
  await using running = startIncrep(command, pair);
  await new Promise((resolve) => setTimeout(resolve, random.next() * 900));
  running.kill('SIGKILL');
  await running.wait();
  await waitUntil('the end of its backends', async () => {
    const { rowCount } = await pair.destination.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'increp %'`,
    );
    return rowCount === 0;
  });
}
