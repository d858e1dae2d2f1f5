/** docs/move-to-the-destination.md, as a whole: writers move from the source to the destination while they work. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { sync } from '../support/sync.ts';

const SHOP = `
  CREATE TABLE customers (id bigserial PRIMARY KEY, email text NOT NULL UNIQUE, updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, total int NOT NULL DEFAULT 1 CHECK (total > 0),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE INDEX ON orders (customer_id); CREATE INDEX ON customers (lower(email));
  GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO PUBLIC`;

/** An application. It remembers what was committed, and stops for nothing but the switch. */
class Writer {
  readonly #emails: string[] = [];
  readonly #removed = new Set<string>();
  readonly #name: string;
  #place: Pair['source'];
  #isStopped = false;

  constructor(name: string, place: Pair['source']) {
    this.#name = name;
    this.#place = place;
  }

  get emails(): readonly string[] {
    return this.#emails.filter((email) => !this.#removed.has(email));
  }

  moveTo(place: Pair['source']): void {
    this.#place = place;
  }

  stop(): void {
    this.#isStopped = true;
  }

  async work(): Promise<void> {
    for (let turn = 0; !this.#isStopped; turn += 1) {
      const email = `${this.#name}-${turn}@example.com`;
      // Between two databases, a statement is refused by the source and repeated at the destination.
      const isWritten = await this.#try(
        `WITH c AS (INSERT INTO customers (email) VALUES ('${email}') RETURNING id) INSERT INTO orders (customer_id, total) SELECT id, 3 FROM c`,
      );
      if (isWritten) this.#emails.push(email);
      const [first] = this.emails;
      if (turn % 5 === 4 && first !== undefined) {
        const isRemoved = await this.#try(
          `WITH o AS (DELETE FROM orders USING customers c WHERE customer_id = c.id AND c.email = '${first}') SELECT`,
        );
        if (isRemoved && (await this.#try(`DELETE FROM customers WHERE email = '${first}'`)))
          this.#removed.add(first);
      }
    }
  }

  async #try(sql: string): Promise<boolean> {
    try {
      await this.#place.query(`SET lock_timeout = '10s'; ${sql}`);
      return true;
    } catch (error) {
      // Only the stop of the writes may refuse a statement: no collision, no constraint.
      if (!/read-only transaction|terminating connection|Connection terminated/.test(String(error)))
        throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return false;
    }
  }
}

const one = async (pool: Pair['source'], sql: string) =>
  (await pool.query<{ value: unknown }>(sql)).rows[0]?.value;

test('writers move to the destination: nothing is lost, no key collides, and a forgotten schedule changes nothing', async () => {
  await using pair = await freshPair({
    tables: ['customers', 'orders'].map((name) => ({
      name,
      replication_key: 'updated_at',
      unique_cols: ['id'],
      initial_load: 'copy',
      ...{ deletes: 'hard', indexes: 'copy', constraints: 'copy' },
    })),
    sourceSql: SHOP,
    isOwn: true,
  });
  const writers = ['a', 'b', 'c'].map((name) => new Writer(name, pair.source));
  const { user } = pair.login('destination', 'increp');
  let database = '';
  const work = Promise.all(writers.map((writer) => writer.work()));
  try {
    for (let run = 0; run < 3; run += 1) await sync(pair);
    // Stop the writes, sync, verify, set the sequences.
    database = String(await one(pair.source, 'SELECT quote_ident(current_database()) AS value'));
    await pair.source.query(`ALTER DATABASE ${database} SET default_transaction_read_only = on`);
    const owner = await pair.source.connect();
    await owner.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    // Its session is older than the setting, and an application must not get it.
    owner.release(true);
    await sync(pair, '--deletes');
    const verified = await increp('verify', pair);
    expect(verified.exitCode, verified.stdout).toBe(0);
    expect((await increp('sequences', pair)).exitCode).toBe(0);
    // End the pipeline, and point the applications at the destination.
    await pair.destination.query(`ALTER ROLE "${user}" NOLOGIN`);
    const before = Number(await one(pair.destination, 'SELECT count(*) AS value FROM customers'));
    for (const writer of writers) writer.moveTo(pair.destination);
    await expect
      .poll(async () => Number(await one(pair.destination, 'SELECT count(*) AS value FROM customers')))
      .toBeGreaterThan(before + 10);
    // The schedule that was forgotten.
    expect((await increp('sync --deletes', pair)).exitCode).toBe(77);
    for (const writer of writers) writer.stop();
    await work;
    const { rows } = await pair.destination.query<{ email: string }>(
      'SELECT email FROM customers JOIN orders ON customer_id = customers.id ORDER BY 1',
    );
    const expected = writers.flatMap(({ emails }) => emails).toSorted();
    expect(rows.map(({ email }) => email).toSorted()).toEqual(expected);
    for (const [sql, why] of [
      ['INSERT INTO orders (customer_id) VALUES (-1)', /foreign key/],
      ['INSERT INTO orders (customer_id, total) SELECT min(id), 0 FROM customers', /check constraint/],
      ['INSERT INTO customers (email) SELECT min(email) FROM customers', /unique constraint/],
      ['INSERT INTO orders (id, customer_id) SELECT 1, min(id) FROM customers', /non-DEFAULT value/],
    ] as const)
      await expect(pair.destination.query(sql)).rejects.toThrow(why);
  } finally {
    for (const writer of writers) writer.stop();
    await pair.destination.query(`ALTER ROLE "${user}" LOGIN`);
    await work.catch(() => undefined);
    await pair.source.query(
      `BEGIN READ WRITE; ALTER DATABASE ${database} RESET default_transaction_read_only; COMMIT`,
    );
  }
});
