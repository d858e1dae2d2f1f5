/** Two-phase commits: prepared by a writer, resolved later from another session, some of them much later. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, Pool } from 'pg';
import { evenIfLost } from './lost-connection.ts';
import type { Random } from './random.ts';

/** SQLSTATE. */
const UNDEFINED_OBJECT = '42704';

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
  readonly #hurry = new AbortController();
  #begun = 0;
  #open = 0;
  committed = 0;
  rolledBack = 0;
  lost = 0;

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
    await sleep(delay, undefined, { signal: this.#hurry.signal }).catch(() => undefined);
    const isThere = await evenIfLost(() => this.#end(`${isKept ? 'COMMIT' : 'ROLLBACK'} PREPARED '${name}'`));
    this.#open -= 1;
    if (!isThere) this.lost += 1;
    else if (isKept) this.committed += 1;
    else this.rolledBack += 1;
  }

  /** False where a failover has lost it, or the reply to a first attempt. */
  async #end(statement: string): Promise<boolean> {
    try {
      await this.#source.query(statement);
      return true;
    } catch (error) {
      if ((error as { code?: unknown }).code !== UNDEFINED_OBJECT) throw error;
      return false;
    }
  }

  /** Resolves at once whatever is left, each as it was going to be. */
  async resolveAll(): Promise<void> {
    this.#hurry.abort();
    await Promise.all(this.#resolutions);
    await this.#rollBackRest();
  }

  /** A failover undoes the end of some: their commit was not replicated any more. */
  async #rollBackRest(): Promise<void> {
    const { rows } = await this.#source.query<{ name: string }>(
      'SELECT gid AS name FROM pg_prepared_xacts WHERE starts_with(gid, $1)',
      [this.#limits.prefix],
    );
    for (const { name } of rows) await this.#source.query(`ROLLBACK PREPARED '${name}'`);
    this.rolledBack += rows.length;
  }
}
