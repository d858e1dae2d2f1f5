/**
 * A random sequence of writes, prunes, resets, loads, changes of shape and kills. After each successful sync, plain SQL
 * compares the destination with an oracle: a table that remembers each row as the source had it at its last sync.
 */
import process from 'node:process';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { trySync } from '../support/sync.ts';
import { killedAtRandom } from '../support/open-writer.ts';
import { oneIn, slowTest } from '../support/tier.ts';
import { randomFor, type Random } from '../torture/random.ts';

/** INCREP_TEST_SEED brings a failed run back. */
const seed = Number(process.env['INCREP_TEST_SEED'] ?? Math.trunc(Math.random() * 2 ** 31));

const TABLE =
  'CREATE TABLE "Odd ""Name" ("Id" int PRIMARY KEY, changed timestamptz NOT NULL DEFAULT clock_timestamp(), a text, b int)';
const SOURCE = '"Odd ""Name"';

const config = (options: object) => ({
  name: 'Odd "Name',
  dest_name: 'Archive',
  replication_key: 'changed',
  unique_cols: ['Id'],
  deletes: 'keep',
  initial_load: 'copy',
  lookback: '0s',
  ...options,
});

/** A column of the source, or one that it had. */
interface Field {
  readonly name: string;
  type: string;
  isDropped: boolean;
}

/** Types to which the server converts each value without a loss. */
const NEXT: Readonly<Record<string, string>> = { int: 'bigint', bigint: 'text', text: 'varchar' };
const VALUES: Readonly<Record<string, string>> = {
  int: '(random() * 1e6)::int',
  bigint: '(random() * 1e12)::bigint',
  text: 'md5(random()::text)',
  varchar: 'md5(random()::text)',
};

class Run {
  readonly #pair: Pair;
  readonly #random: Random;
  readonly #fields: Field[] = [
    { name: 'a', type: 'text', isDropped: false },
    { name: 'b', type: 'int', isDropped: false },
  ];
  #nextId = 1;
  #wasTold = '';

  constructor(pair: Pair, random: Random) {
    this.#pair = pair;
    this.#random = random;
  }

  get #live(): readonly Field[] {
    return this.#fields.filter(({ isDropped }) => !isDropped);
  }

  async step(): Promise<void> {
    const choice = this.#random.between(0, 19);
    if (choice < 5) return this.#write();
    if (choice < 9) return this.#prune();
    if (choice === 9) return this.#add();
    if (choice === 10) return this.#drop();
    if (choice === 11 || choice === 12) return this.#retype();
    if (choice === 13) return this.#reset();
    if (choice === 14) return this.#kill();
    return this.sync(choice === 15 ? '--full-refresh' : '');
  }

  async #write(): Promise<void> {
    const set = this.#live.map(({ name, type }) => `${name} = ${VALUES[type] ?? 'NULL'}`);
    const rows = this.#random.between(1, 20);
    await this.#pair.source.query(
      `INSERT INTO ${SOURCE} ("Id") SELECT generate_series(${this.#nextId}, ${this.#nextId + rows - 1});
       UPDATE ${SOURCE} SET changed = clock_timestamp()${set.length === 0 ? '' : `, ${set.join(', ')}`}
       WHERE "Id" >= ${this.#nextId} OR random() < 0.2`,
    );
    this.#nextId += rows;
  }

  async #prune(): Promise<void> {
    await this.#pair.source.query(
      `DELETE FROM ${SOURCE} WHERE random() < ${this.#random.chance(0.2) ? 1 : 0.4}`,
    );
  }

  async #add(): Promise<void> {
    const name = `c${this.#fields.length}`;
    this.#fields.push({ name, type: 'int', isDropped: false });
    await this.#pair.source.query(`ALTER TABLE ${SOURCE} ADD ${name} int NOT NULL DEFAULT 7`);
  }

  async #drop(): Promise<void> {
    const field = this.#live[Math.floor(this.#random.next() * this.#live.length)];
    if (!field) return;
    field.isDropped = true;
    await this.#pair.source.query(`ALTER TABLE ${SOURCE} DROP ${field.name}`);
  }

  async #retype(): Promise<void> {
    const field = this.#live[Math.floor(this.#random.next() * this.#live.length)];
    const type = field && NEXT[field.type];
    if (!field || type === undefined) return;
    field.type = type;
    await this.#pair.source.query(`ALTER TABLE ${SOURCE} ALTER ${field.name} TYPE ${type}`);
  }

  async #reset(): Promise<void> {
    expect((await increp(['reset', 'Odd "Name'], this.#pair)).exitCode).toBe(0);
  }

  async #kill(): Promise<void> {
    await killedAtRandom(this.#pair, this.#random, 'sync');
    // The run may have committed a snapshot of its own, which is that of now: nobody has written since.
    await this.sync('');
  }

  /** Each value as text: NULL and a column that a row never had are the same. */
  async sync(args: string): Promise<void> {
    const { source, destination } = this.#pair;
    const result = await trySync(this.#pair, args);
    expect(result.exitCode, `${result.stdout}${result.stderr}`).toBe(0);
    expect(result.table().rows_deleted).toBe(0);
    await source.query(`INSERT INTO oracle SELECT "Id", to_jsonb(t) FROM ${SOURCE} t
      ON CONFLICT (id) DO UPDATE SET doc = oracle.doc || excluded.doc`);
    const texts = (doc: string) =>
      `(SELECT jsonb_object_agg(key, value ORDER BY key) FROM jsonb_each_text(${doc}) WHERE value IS NOT NULL)`;
    const expected = await source.query(
      `SELECT id, ${texts(`doc - 'changed'`)} AS doc FROM oracle ORDER BY id`,
    );
    const found = await destination.query(
      `SELECT "Id" AS id, ${texts(`to_jsonb(t) - 'changed'`)} AS doc FROM "Archive" t ORDER BY 1`,
    );
    expect(found.rows, `INCREP_TEST_SEED=${seed}, ${this.#wasTold}`).toEqual(expected.rows);
    this.#wasTold = result.table().reason;
  }

  async end(): Promise<void> {
    await this.sync('');
    const verified = await increp('verify', this.#pair);
    expect(verified.exitCode, verified.stdout).toBe(0);
  }
}

const POLICIES: readonly (readonly [name: string, options: object])[] = [
  ['reset', {}],
  ['evolve', { on_schema_change: 'evolve' }],
  ['chunks', { chunk: '8kB' }],
];

/** Returns how many rows the oracle knows. */
async function walk(options: object, steps: number): Promise<number> {
  await using pair = await freshPair({
    tables: [config(options)],
    sourceSql: `${TABLE}; CREATE TABLE oracle (id int PRIMARY KEY, doc jsonb)`,
  });
  const run = new Run(pair, randomFor(seed, 'archive'));
  await run.sync('');
  for (let step = 0; step < steps; step += 1) await run.step();
  await run.end();
  return (await pair.source.query('SELECT FROM oracle')).rowCount ?? 0;
}

for (const [name, options] of oneIn(3, POLICIES))
  test(`a short walk with ${name}: every row that a sync has seen is there (INCREP_TEST_SEED=${seed})`, async () => {
    expect(await walk(options, 5)).toBeGreaterThanOrEqual(0);
  });

for (const [name, options] of POLICIES)
  slowTest(`a long walk with ${name} (INCREP_TEST_SEED=${seed})`, async () => {
    expect(await walk(options, 60)).toBeGreaterThan(0);
  });
