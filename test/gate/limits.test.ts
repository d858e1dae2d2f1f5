/** What roles, servers and disks do not allow: told clearly, with nothing half done, or simply lived with. */
import { readdir } from 'node:fs/promises';
import { execa } from 'execa';
import pg from 'pg';
import { expect, test } from 'vitest';
import { startServer, type EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { findServerUser } from '../../src/demo/server-user.ts';
import { startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair, type Side } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { faultProxy } from '../support/proxy.ts';
import { increp } from '../support/increp.ts';
import { smallDisk } from '../support/small-disk.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const SIDES = ['source', 'destination'] as const;

/** Of the role that increp uses there. */
const alterRole = async (pair: Pair, side: Side, change: string): Promise<void> => {
  await pair[side].query(`ALTER ROLE ${pair.login(side, 'increp').user} ${change}`);
};

const copied = (rows: number, more: object = {}) => ({
  tables: [{ ...ORDERS_CONFIG, initial_load: 'copy', ...more }],
  sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, note)
    SELECT i, repeat('note ', 20) || i FROM generate_series(1, ${rows}) i`,
});

test('one connection a side is enough, for the history too', async () => {
  await using pair = await freshPair(copied(100));
  for (const side of SIDES) await alterRole(pair, side, 'CONNECTION LIMIT 1');
  const { stderr } = await sync(pair);
  expect(stderr).not.toContain('too many connections');
  const { rows } = await pair.destination.query('SELECT FROM _increp_runs');
  expect(rows).toHaveLength(1);
  await insertOrders(pair, 3);
  await sync(pair);
  await expectSameRows(pair, 'orders');
});

testWithPgDump(
  'pg_dump needs a second connection at the source, and says so where it is not to be had',
  async () => {
    await using pair = await freshPair(copied(100, { initial_load: 'pg_dump' }));
    await alterRole(pair, 'source', 'CONNECTION LIMIT 1');
    const result = await trySync(pair);
    expect(result.exitCode).toBe(69);
    const { error } = result.table();
    expect(error).toMatchObject({ code: 'TOO_MANY_CONNECTIONS', hint: expect.stringContaining('"copy"') });
    await alterRole(pair, 'source', 'CONNECTION LIMIT 2');
    expect((await sync(pair)).table().loader).toBe('pg_dump');
    await expectSameRows(pair, 'orders');
  },
);

test.each(oneIn(2, SIDES))(
  'a %s that takes no more connections is tried again, and the run ends with 69',
  async (side) => {
    await using pair = await freshPair(copied(100));
    await alterRole(pair, side, 'CONNECTION LIMIT 0');
    const refused = await trySync(pair);
    expect(refused.exitCode).toBe(69);
    expect(refused.summary.error).toMatchObject({ code: 'TOO_MANY_CONNECTIONS', sqlstate: '53300' });
    await using running = startIncrep('sync', pair);
    await running.waitForStderr('trying again');
    await alterRole(pair, side, 'CONNECTION LIMIT 5');
    expect((await running.wait()).exitCode).toBe(0);
    await expectSameRows(pair, 'orders');
  },
);

test.each(oneIn(2, ['ROLE', 'DATABASE']))(
  'a destination whose %s is read-only is refused before a row is read',
  async (what) => {
    await using pair = await freshPair(copied(100));
    const { user, database } = pair.login('destination', 'increp');
    const name = what === 'ROLE' ? user : database;
    await pair.destination.query(`ALTER ${what} ${name} SET default_transaction_read_only = on`);
    const { exitCode, summary, stderr } = await trySync(pair, '-v');
    expect(exitCode).toBe(1);
    expect(summary.error).toMatchObject({
      code: 'READ_ONLY',
      message: expect.stringContaining('default_transaction_read_only is on'),
    });
    expect(stderr).not.toMatch(/DEBUG|"phase"/);
    await pair.destination.query(`ALTER ${what} ${name} RESET default_transaction_read_only`);
    await sync(pair);
    await expectSameRows(pair, 'orders');
  },
);

const TIMEOUTS = [
  ['statement_timeout', '400ms'],
  ['lock_timeout', '1ms'],
  ['idle_in_transaction_session_timeout', '300ms'],
  ['idle_session_timeout', '300ms'],
  ['tcp_user_timeout', '300ms'],
  ['transaction_timeout', '400ms'],
] as const;

slowTest.each(oneIn(2, ['pg_dump', 'copy']))(
  'time limits set on the roles end no load by %s and lose no history',
  async (loader) => {
    const tables = ['orders', 'others'].map((name) => ({ ...ORDERS_CONFIG, name, initial_load: loader }));
    const { sourceSql } = copied(20_000);
    await using pair = await freshPair({
      tables,
      sourceSql: `${sourceSql}; CREATE TABLE others (LIKE orders INCLUDING ALL); INSERT INTO others SELECT * FROM orders`,
    });
    for (const side of SIDES) {
      const { rows } = await pair[side].query<{ name: string }>('SELECT name FROM pg_settings');
      const known = TIMEOUTS.filter(([name]) => rows.some((row) => row.name === name));
      for (const [name, value] of known) await alterRole(pair, side, `SET ${name} = '${value}'`);
    }
    await using proxy = await faultProxy(pair.login('source'));
    await pair.setEnv({ SOURCE_PORT: String(proxy.port) });
    proxy.throttle(2_500_000);
    const { stderr } = await sync(pair);
    expect(stderr).not.toContain('not written');
    for (const { name } of tables) await expectSameRows(pair, name);
    const { rowCount } = await pair.destination.query('SELECT FROM _increp_runs');
    expect(rowCount).toBe(2);
  },
);

/** The pair, with that side on a server of its own. */
async function onServer(
  pair: Pair,
  side: Side,
  server: EmbeddedServer,
): Promise<{ pair: Pair; pool: pg.Pool }> {
  const prefix = side === 'source' ? 'SOURCE' : 'DEST';
  await pair.setEnv({
    [`${prefix}_PORT`]: String(server.port),
    [`${prefix}_USERNAME`]: server.user,
    [`${prefix}_PASSWORD`]: server.password,
    [`${prefix}_DB`]: 'postgres',
  });
  const pool = new pg.Pool({ connectionString: server.url('postgres') });
  pool.on('error', () => undefined);
  return { pair: { ...pair, [side]: pool }, pool };
}

slowTest(
  'a file at the destination that may not grow any more fails the run, and a rerun ends equal',
  async () => {
    await using server = await startServer({
      name: 'full',
      settings: { wal_level: 'minimal', max_wal_senders: 0, min_wal_size: '160MB' },
    });
    await using fresh = await freshPair(copied(10));
    const { pair, pool } = await onServer(fresh, 'destination', server);
    await sync(pair);
    const before = await pool.query('SELECT * FROM orders ORDER BY id');
    await pair.source.query(`INSERT INTO orders (id, note, updated_at)
    SELECT i, repeat(md5(i::text), 20), now() FROM generate_series(100, 25000) i`);
    const user = await findServerUser();
    // Backends inherit the limit of the postmaster.
    const limit = (bytes: string) =>
      execa('prlimit', [`--fsize=${bytes}:unlimited`, `--pid=${server.pid}`], { ...user });
    // No multiple of a page, so that a page is written in part, as on a full disk.
    await limit('8390000');
    const failed = await trySync(pair);
    await limit('unlimited');
    expect(failed.exitCode, failed.stderr).toBe(1);
    expect(failed.table()).toMatchObject(DISK_FULL);
    expect((await pool.query('SELECT * FROM orders ORDER BY id')).rows).toEqual(before.rows);
    await sync(pair);
    await expectSameRows(pair, 'orders');
    await pool.end();
  },
);

const DISK_FULL = { status: 'failed', error: { code: 'DISK_FULL', sqlstate: '53100' } };

test('a disk that is full: at the destination, at the source, and under the state files', async (context) => {
  await using pair = await freshPair(copied(10, { deletes: 'hard', deletes_every: '0s' }));
  await using disk = await smallDisk(pair.source);
  if (!disk) return context.skip('no small file system can be mounted here');
  await sync(pair);

  const { user } = pair.login('destination', 'increp');
  await pair.destination.query(`CREATE TABLESPACE ${disk.name} LOCATION '${disk.path('destination')}'`);
  await pair.destination.query(`GRANT CREATE ON TABLESPACE ${disk.name} TO ${user}`);
  await alterRole(pair, 'destination', `SET default_tablespace = ${disk.name}`);
  await pair.destination.query('DROP TABLE IF EXISTS orders_stg');
  await pair.source.query(
    `INSERT INTO orders (id, note) SELECT i, repeat(md5(i::text), 20) FROM generate_series(100, 25000) i`,
  );
  expect((await trySync(pair)).table()).toMatchObject(DISK_FULL);
  await alterRole(pair, 'destination', 'RESET default_tablespace');
  await sync(pair);
  await expectSameRows(pair, 'orders');
  await pair.destination.query(`DROP TABLESPACE ${disk.name}`);

  await pair.source.query(`CREATE TABLESPACE ${disk.name} LOCATION '${disk.path('source')}'`);
  await pair.source.query(`GRANT CREATE ON TABLESPACE ${disk.name} TO PUBLIC`);
  await alterRole(pair, 'source', `SET temp_tablespaces = ${disk.name}`);
  await alterRole(pair, 'source', `SET work_mem = '64kB'`);
  await pair.source.query(`DELETE FROM orders WHERE id = 5; ANALYZE orders`);
  await disk.fill();
  const { summary } = await trySync(pair);
  expect(summary.error ?? summary.tables[0]?.error).toMatchObject(DISK_FULL.error);
  await disk.clear();
  await sync(pair);
  await expectSameRows(pair, 'orders');
  await pair.source.query(`DROP TABLESPACE ${disk.name}`);

  await pair.setEnv({ STATE_DIR: disk.path('state') });
  await disk.fill();
  await insertOrders(pair, 1);
  expect((await sync(pair)).table().warnings).toEqual([
    expect.stringMatching(/cannot be written: .*; the state in the destination is used instead/),
  ]);
  // With --quiet, a run also notes the warnings that it has reported.
  await increp('sync --quiet', pair);
  expect((await readdir(disk.path('state'))).filter((name) => /tmp|lock/.test(name))).toEqual([]);
  await disk.clear();
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_inserted: 0 });
  await expectSameRows(pair, 'orders');
});
