/** More tables and indexes than the lock table of a server has room for. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { increp } from '../support/increp.ts';
import { openPool, type ClosablePool } from '../support/open-pair.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

/** Room for about 235 locks. */
const CRAMPED = {
  max_locks_per_transaction: 10,
  max_connections: 20,
  max_prepared_transactions: 0,
  max_wal_senders: 0,
  wal_level: 'minimal',
  max_worker_processes: 0,
  autovacuum: false,
};

const NAMES = Array.from({ length: 30 }, (_, index) => `t${index}`);

/** A reader of the table locks it and each of its indexes. */
const indexed = (name: string): string =>
  Array.from({ length: 9 }, (_, index) => `CREATE INDEX ON ${name} (id, (id + ${index}))`).join(';');

const TABLES = NAMES.map(
  (name) => `CREATE TABLE ${name} (id int PRIMARY KEY, updated_at timestamptz DEFAULT now());
    INSERT INTO ${name} VALUES (1); ${indexed(name)}`,
);

let server: EmbeddedServer;
let source: ClosablePool;
let destination: ClosablePool;

beforeAll(async () => {
  server = await startServer({ name: 'cramped', settings: CRAMPED });
  destination = openPool({ ...server, database: 'postgres' });
  await destination.pool.query('CREATE DATABASE source');
  source = openPool({ ...server, database: 'source' });
  for (const sql of TABLES) await source.pool.query(sql);
});

afterAll(async () => {
  await source.close();
  await destination.close();
  await server.stop();
});

/** Reads from and writes to the cramped server. */
async function crampedPair(): Promise<Pair> {
  const pair = await freshPair({
    tables: NAMES.map((name) => ({ name, replication_key: 'updated_at', unique_cols: ['id'] })),
  });
  await pair.setEnv({ PIPELINE_NAME: 'cramped' });
  const login = {
    HOST: server.host,
    PORT: String(server.port),
    USERNAME: server.user,
    PASSWORD: server.password,
  };
  const sides = { SOURCE: 'source', DEST: 'postgres' };
  for (const [prefix, database] of Object.entries(sides))
    await pair.setEnv({
      ...Object.fromEntries(Object.entries(login).map(([name, value]) => [`${prefix}_${name}`, value])),
      [`${prefix}_DB`]: database,
    });
  return pair;
}

test('no command fails because of the number of tables and of their indexes', async () => {
  await using pair = await crampedPair();
  expect((await sync(pair)).summary.tables).toHaveLength(NAMES.length);
  for (const name of NAMES) await destination.pool.query(indexed(name));
  expect((await increp('check', pair)).exitCode).toBe(0);
  expect((await increp('plan --exit-code', pair)).exitCode).toBe(0);
  await sync(pair);
  expect((await increp('status --exit-code', pair)).exitCode).toBe(0);
  expect((await increp('verify', pair)).exitCode).toBe(0);
});

const PARTS = 120;
const ALL_PARTS = Array.from({ length: PARTS }, (_, index) => `part${index}`);

/** More partitions and indexes than the server has room for, with ten rows each. */
async function makePartitions(): Promise<void> {
  for (const name of ALL_PARTS) await source.pool.query(`DROP TABLE IF EXISTS ${name}`);
  await source.pool.query(`DROP TABLE IF EXISTS parts;
    CREATE TABLE parts (id int PRIMARY KEY, note text, changed timestamptz DEFAULT now()) PARTITION BY RANGE (id);
    CREATE INDEX ON parts (changed); CREATE INDEX ON parts (note); CREATE INDEX ON parts (id, note);
    CREATE INDEX ON parts (note, id)`);
  for (const [index, name] of ALL_PARTS.entries())
    await source.pool
      .query(`CREATE TABLE ${name} PARTITION OF parts FOR VALUES FROM (${index * 10}) TO (${index * 10 + 10});
      INSERT INTO ${name} SELECT id, 'old', now() - interval '1 h' FROM generate_series(${index * 10}, ${index * 10 + 9}) id`);
}

const byId = (rows: readonly { readonly id: number }[]) => rows.toSorted((one, other) => one.id - other.id);

/** Partition by partition, because the server cannot read all of them in one statement. */
async function expectSameParts(): Promise<void> {
  const expected: { id: number }[] = [];
  for (const name of ALL_PARTS)
    expected.push(
      ...(await source.pool.query<{ id: number }>(`SELECT id, note, changed::text FROM ${name}`)).rows,
    );
  const found = await destination.pool.query<{ id: number }>('SELECT id, note, changed::text FROM parts');
  expect(byId(found.rows)).toEqual(byId(expected));
}

async function partitionedPair(more: object): Promise<Pair> {
  await destination.pool.query(`DROP TABLE IF EXISTS parts, parts_stg`);
  await makePartitions();
  const pair = await crampedPair();
  await pair.writeTables([{ name: 'parts', unique_cols: ['id'], ...more }]);
  return pair;
}

test.each(oneIn(2, ['changed', 'id']))(
  'a table whose partitions fill the lock table is read in groups of partitions, with the key %s',
  async (replication_key) => {
    await using pair = await partitionedPair({ replication_key, deletes: 'hard', delete_limit: 1 });
    const reader = await source.pool.connect();
    await expect(reader.query('SELECT max(id) FROM parts')).rejects.toThrow('out of shared memory');
    // The server sends the error before it releases the locks, and answers the next statement after that.
    await reader.query('SELECT 1');
    reader.release();
    expect((await increp('check', pair)).stdout).toMatch(/note .*increp reads the partitions in groups/);
    expect((await sync(pair)).table('parts')).toMatchObject({ rows_inserted: PARTS * 10 });
    await expectSameParts();
    expect((await increp('plan', pair)).exitCode).toBe(0);
    // One transaction is open during the sync, with an earlier key than what is committed meanwhile.
    const late = await source.pool.connect();
    await late.query(`DELETE FROM part3 WHERE id = 31; BEGIN; INSERT INTO part3 VALUES (31, 'late')`);
    await source.pool.query(`DELETE FROM part119 WHERE id = 1199; INSERT INTO part119 VALUES (1199, 'new')`);
    await sync(pair, '--wait-transactions 0s');
    await late.query('COMMIT');
    late.release();
    await sync(pair);
    if (replication_key === 'changed') await expectSameParts();
    await source.pool.query('DELETE FROM part7 WHERE id < 75');
    expect((await sync(pair, '--deletes')).table('parts')).toMatchObject({ rows_deleted: 5 });
    await destination.pool.query(
      `UPDATE parts SET note = 'damaged' WHERE id % 3 = 0; DELETE FROM parts WHERE id % 7 = 0`,
    );
    expect((await increp('verify', pair)).exitCode).toBe(2);
    await increp('verify --repair', pair);
    expect((await increp('verify', pair)).exitCode).toBe(0);
    await expectSameParts();
  },
);

slowTest('a partition that is truncated after the snapshot makes increp read the table again', async () => {
  await using pair = await partitionedPair({ mode: 'full-refresh' });
  const holder = await source.pool.connect();
  await holder.query('BEGIN; LOCK TABLE part100');
  const running = trySync(pair, '-v');
  const isWaiting = async () =>
    (await source.pool.query('SELECT FROM pg_locks WHERE NOT granted')).rowCount === 1;
  await expect.poll(isWaiting, { timeout: 20_000 }).toBe(true);
  await holder.query('TRUNCATE part100; COMMIT');
  holder.release();
  const { stderr, table } = await running;
  expect(stderr).toContain('a partition of public.parts was truncated, rewritten, renamed or dropped');
  expect(table('parts').status).toBe('ok');
  await expectSameParts();
});

slowTest('a changed shape, null keys and --verify need no more locks', async () => {
  await using pair = await partitionedPair({
    replication_key: 'changed',
    null_keys: 'include',
    on_schema_change: 'evolve',
    rename: { note: 'remark' },
  });
  await sync(pair, '--verify');
  await source.pool.query(`UPDATE part5 SET changed = NULL`);
  for (const name of ['part4', 'part90'])
    await source.pool.query(`UPDATE ${name} SET note = 'x', changed = now()`);
  await source.pool.query(`ALTER TABLE parts ADD more int DEFAULT 7`);
  expect((await sync(pair, '--verify')).table('parts').action).toBe('incremental');
  expect((await destination.pool.query('SELECT FROM parts WHERE more = 7')).rowCount).toBe(PARTS * 10);
  expect((await destination.pool.query(`SELECT FROM parts WHERE remark = 'x'`)).rowCount).toBe(20);
});

const SOME_PARTS = {
  replication_key: 'changed',
  where: `parts.id % 10 < 5 AND note <> 'hidden'`,
  transform: { note: 'upper(parts.note)' },
};

test('groups of partitions are read by SQL of the operator, unless it names a schema', async () => {
  await using pair = await partitionedPair({ ...SOME_PARTS, deletes: 'hard', delete_limit: 1 });
  expect((await sync(pair)).table('parts')).toMatchObject({ rows_inserted: PARTS * 5 });
  await source.pool.query(`UPDATE part3 SET note = 'new', changed = now() WHERE id IN (31, 39);
    DELETE FROM part7 WHERE id < 75; UPDATE part8 SET note = 'hidden', changed = now() WHERE id = 80`);
  expect((await sync(pair, '--deletes')).table('parts')).toMatchObject({
    rows_updated: 1,
    rows_deleted: 6,
  });
  expect((await increp('verify', pair)).exitCode).toBe(0);
  const { rows } = await destination.pool.query(
    `SELECT note, count(*)::int FROM parts GROUP BY note ORDER BY note`,
  );
  expect(rows).toEqual([
    { note: 'NEW', count: 1 },
    { note: 'OLD', count: PARTS * 5 - 7 },
  ]);
  // With its schema in front, a column is that of the table, and not of a partition. Then the table fails alone.
  await pair.writeTables([
    { name: 't0', replication_key: 'updated_at', unique_cols: ['id'] },
    { name: 'parts', replication_key: 'changed', unique_cols: ['id'], where: "public.parts.note <> ''" },
  ]);
  const { exitCode, table } = await trySync(pair);
  expect(exitCode).toBe(3);
  expect(table('t0').status).toBe('ok');
  expect(table('parts').error).toMatchObject({
    sqlstate: '53200',
    hint: expect.stringContaining('max_locks_per_transaction'),
  });
});
