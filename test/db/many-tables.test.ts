/** More tables and indexes than the lock table of a server has room for. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { increp } from '../support/increp.ts';
import { openPool, type ClosablePool } from '../support/open-pair.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';

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

test('one table that the lock table has no room for fails alone, and the error names the setting', async () => {
  await using pair = await crampedPair();
  const parts = Array.from(
    { length: 600 },
    (_, index) => `CREATE TABLE part${index} PARTITION OF parts FOR VALUES IN (${index})`,
  );
  await source.pool.query('CREATE TABLE parts (id int, updated_at timestamptz) PARTITION BY LIST (id)');
  for (const sql of parts) await source.pool.query(sql);
  await pair.writeTables([
    { name: 't0', replication_key: 'updated_at', unique_cols: ['id'] },
    { name: 'parts', mode: 'full-refresh' },
  ]);
  const { exitCode, table } = await trySync(pair);
  expect(exitCode).toBe(3);
  expect(table('t0').status).toBe('ok');
  expect(table('parts').error).toMatchObject({
    sqlstate: '53200',
    hint: expect.stringContaining('max_locks_per_transaction'),
  });
});
