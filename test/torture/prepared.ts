/** Two-phase commits: prepared by a writer, resolved later from another session, some of them much later. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, Pool } from 'pg';
import type { Random } from './random.ts';

interface Limits {
  /** Milliseconds. */
  readonly longest: number;
  /** The server has few places for them. */
  readonly atOnce: number;
  /** For their names, which are the server's and not the database's. */
  readonly prefix: string;
}

export class PreparedTransactions {
  readonly #source: Pool;
  readonly #limits: Limits;
  readonly #resolutions: Promise<void>[] = [];
  readonly #end = new AbortController();
  #begun = 0;
  #open = 0;
  committed = 0;
  rolledBack = 0;

  constructor(source: Pool, limits: Limits) {
    this.#source = source;
    this.#limits = limits;
  }

  get hasRoom(): boolean {
    return this.#open < this.#limits.atOnce;
  }

  async prepare(client: Client, random: Random): Promise<void> {
    const { longest, prefix } = this.#limits;
    const name = `${prefix}_${(this.#begun += 1)}`;
    const isKept = random.chance(0.75);
    const delay = random.chance(0.15) ? random.between(longest / 2, longest) : random.between(0, 2000);
    this.#open += 1;
    try {
      await client.query(`PREPARE TRANSACTION '${name}'`);
    } catch (error) {
      this.#open -= 1;
      throw error;
    }
    this.#resolutions.push(this.#resolve(name, isKept, delay));
  }

  async #resolve(name: string, isKept: boolean, delay: number): Promise<void> {
    await sleep(delay, undefined, { signal: this.#end.signal }).catch(() => undefined);
    await this.#source.query(`${isKept ? 'COMMIT' : 'ROLLBACK'} PREPARED '${name}'`);
    this.#open -= 1;
    if (isKept) this.committed += 1;
    else this.rolledBack += 1;
  }

  /** Resolves at once whatever is left, each as it was going to be. */
  async resolveAll(): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#resolutions);
  }
}
