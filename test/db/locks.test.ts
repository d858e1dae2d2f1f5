/** Who may work on a table at a time, and who must give way. */
import { expect, test } from 'vitest';
import { waitUntil } from '../support/activity.ts';
import { heldRun } from '../support/held-run.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { IMPATIENT } from '../support/timing.ts';
import { slowTest } from '../support/tier.ts';

/** Several tables like "orders". */
const several = (...names: string[]) => ({
  tables: names.map((name) => ({ ...ORDERS_CONFIG, name })),
  sourceSql: `${ordersPreset.sourceSql}; ${names
    .filter((name) => name !== 'orders')
    .map(
      (name) => `CREATE TABLE ${name} (LIKE orders INCLUDING ALL); INSERT INTO ${name} SELECT * FROM orders`,
    )
    .join('; ')}`,
});

const untilOneSession = (
  pair: Pair,
  what: string,
  condition: string,
  side: 'source' | 'destination' = 'destination',
) =>
  waitUntil(what, async () => {
    const { rowCount } = await pair[side].query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND ${condition}`,
    );
    return rowCount === 1;
  });

/** A session of the destination that waits for a lock: the run, for a session of the test. */
const untilOneWaits = (pair: Pair) =>
  untilOneSession(pair, 'a session waits for a lock', `wait_event_type = 'Lock'`);

/** Inserts a row at the source, whose merge takes four seconds. */
async function insertSlowRow(pair: Pair): Promise<void> {
  await pair.destination.query(`
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(4); RETURN NEW; END$$;
    CREATE TRIGGER slow BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION slow()`);
  await insertOrders(pair, 1);
}

const untilMerging = (pair: Pair) => untilOneSession(pair, 'the merge sleeps', `wait_event = 'PgSleep'`);

test('of two runs at once the second gives way with exit code 75 and names the first', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 1);
  const { running, letGo } = await heldRun(pair);
  await using first = running;
  const loser = await trySync(pair, '', { timing: IMPATIENT });
  expect(loser.exitCode).toBe(75);
  const { error } = loser.table();
  expect(error).toMatchObject({ code: 'RUN_LOCKED', hint: expect.stringContaining('--wait-lock') });
  expect(error?.message).toMatch(
    new RegExp(
      `public\\.orders is being synced by another run: process ${first.pid} on host \\S+ \\(pipeline \\w+\\), started \\d`,
    ),
  );
  await letGo();
  expect((await first.wait()).exitCode).toBe(0);
  await expectSameRows(pair, 'orders');
});

test('a run that waits for another one locks no table that the other one needs', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 1);
  // From now on, there is a staging table.
  await sync(pair);
  await insertOrders(pair, 1);
  const { running, letGo } = await heldRun(pair);
  await using first = running;
  await using second = startIncrep('sync -v --wait-lock 20s', pair);
  await second.waitForStderr('another run: process');
  const { rows } = await pair.destination.query(
    `SELECT l.relation::regclass::text AS name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE l.locktype = 'relation' AND l.relation >= 16384 AND a.application_name LIKE $1`,
    [`increp % ${second.pid}@%`],
  );
  expect(rows).toEqual([]);
  await letGo();
  expect((await first.wait()).exitCode).toBe(0);
  expect((await second.wait()).exitCode).toBe(0);
  await expectSameRows(pair, 'orders');
});

test('of two runs the second names the session that the first one waits for', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 1);
  const report = await pair.destination.connect();
  await report.query(
    `SET application_name = 'nightly_report'; BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE`,
  );
  const { rows } = await report.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  await using first = startIncrep('sync', pair);
  await untilOneWaits(pair);
  const says = new RegExp(
    `another run: .*; that run waits for a lock of pid ${rows[0]?.pid} \\(nightly_report\\)`,
  );
  // Between two attempts it waits for nothing.
  let hint: string | null | undefined;
  await waitUntil('a sync names the session', async () => {
    const { error } = (await trySync(pair, '', { timing: IMPATIENT })).table();
    hint = error?.hint;
    return says.test(error?.message ?? '');
  });
  for (const command of ['status', 'plan'])
    await waitUntil(`${command} names the session`, async () =>
      (await increp(command, pair)).stdout.includes(`waits for a lock of pid ${rows[0]?.pid} (`),
    );
  expect(hint).toContain(`SELECT pg_terminate_backend(${rows[0]?.pid})`);
  await report.query('COMMIT');
  report.release();
  expect((await first.wait()).exitCode).toBe(0);
  await expectSameRows(pair, 'orders');
});

test('while a run merges, a second run is busy, although the first one has emptied the staging table', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 1);
  // From now on, the staging table has rows of the last sync.
  await sync(pair);
  await insertSlowRow(pair);
  await using first = startIncrep('sync', pair);
  await untilMerging(pair);
  const busy = await trySync(pair, '', { timing: IMPATIENT });
  expect(busy.exitCode).toBe(75);
  expect(busy.table().error?.code).toBe('RUN_LOCKED');
  expect((await first.wait()).exitCode).toBe(0);
  await expectSameRows(pair, 'orders');
});

slowTest('a first run that is still loading is respected as well', async () => {
  await using pair = await freshPair('orders');
  const { running, letGo } = await heldRun(pair);
  await using first = running;
  expect((await trySync(pair, '', { timing: IMPATIENT })).exitCode).toBe(75);
  await letGo();
  expect((await first.wait()).exitCode).toBe(0);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
});

slowTest('--wait-lock waits for the other, and then works on what that one has left', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 2);
  const { running, letGo } = await heldRun(pair);
  await using first = running;
  await using second = startIncrep('sync --json -v --wait-lock 20s', pair);
  await second.waitForPhase('lock');
  await letGo();
  expect((await first.wait()).exitCode).toBe(0);
  const result = await second.wait();
  expect(result.exitCode, result.stderr).toBe(0);
  expect(result.lines().at(-1)).toMatchObject({ status: 'ok', tables: [{ rows_inserted: 0 }] });
  await expectSameRows(pair, 'orders');
});

test('if the source goes away while a run waits for another one, that is the error, and not the other run', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 2);
  await using proxy = await faultProxy(pair.login('source'));
  const { running, letGo } = await heldRun(pair);
  await using first = running;
  const env = { SOURCE_HOST: proxy.host, SOURCE_PORT: String(proxy.port), RETRY_ATTEMPTS: '2' };
  await using second = startIncrep('sync --json -v --wait-lock 20s', pair, { env });
  await second.waitForPhase('lock');
  await proxy.refuse();
  proxy.cut();
  await letGo();
  expect((await first.wait()).exitCode).toBe(0);
  const result = await second.wait();
  expect(result.lines().at(-1)).toMatchObject({ tables: [{ error: { code: 'CONNECTION_FAILED' } }] });
  expect(result.exitCode).toBe(69);
});

slowTest('a holder that is killed leaves nothing behind', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 2);
  const { running, letGo } = await heldRun(pair);
  running.kill('SIGKILL');
  await running.wait();
  await letGo();
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_inserted: 2 });
  await expectSameRows(pair, 'orders');
});

slowTest('nor does one that is killed while its backend is busy', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertSlowRow(pair);
  await using running = startIncrep('sync', pair);
  await untilMerging(pair);
  running.kill('SIGKILL');
  await running.wait();
  // The server looks once a second whether its client is there, which the usual grace covers.
  expect((await sync(pair, '', { timing: 'default' })).table()).toMatchObject({ rows_inserted: 1 });
  await expectSameRows(pair, 'orders');
});

slowTest('two runs on two different tables do not meet', async () => {
  await using pair = await freshPair(several('orders', 'others'));
  await sync(pair);
  await insertOrders(pair, 1);
  const { running, letGo } = await heldRun(pair);
  await using first = running;
  expect((await sync(pair, 'others --wait-transactions 0s')).table('others').status).toBe('ok');
  await letGo();
  await first.wait();
});

const BUSY = { status: 'failed', error: { code: 'LOCK_TIMEOUT', sqlstate: '55P03' } };

for (const [mode, code, outcome] of [
  ['ROW EXCLUSIVE', 0, { status: 'ok', error: null }],
  ['SHARE', 3, BUSY],
  ['ACCESS EXCLUSIVE', 3, BUSY],
] as const) {
  (mode === 'SHARE' ? test : slowTest)(
    `a session that holds a destination table in ${mode} mode stops no other table`,
    async () => {
      await using pair = await freshPair(several('orders', 'others', 'third'));
      await sync(pair);
      for (const table of ['orders', 'others', 'third']) {
        await pair.source.query(`INSERT INTO ${table} (id) VALUES (50)`);
      }
      const holder = await pair.destination.connect();
      await holder.query(`BEGIN; LOCK TABLE others IN ${mode} MODE`);
      const result = await trySync(pair, '', { timing: IMPATIENT });
      expect(result.exitCode, result.stderr).toBe(code);
      const ok = { status: 'ok' };
      expect(result.summary.tables).toMatchObject([ok, outcome, ok]);
      await holder.query('COMMIT');
      holder.release();
      await sync(pair);
      for (const table of ['orders', 'others', 'third']) await expectSameRows(pair, table);
    },
  );
}

slowTest('readers of the destination are not held up for long behind a run that waits for them', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.source.query('ALTER TABLE orders ADD extra int');
  const reader = await pair.destination.connect();
  await reader.query('BEGIN; SELECT FROM orders');
  // The swap needs the table for itself, so it queues; another reader queues behind it.
  await using running = startIncrep('sync', pair);
  await untilOneWaits(pair);
  const started = performance.now();
  await pair.destination.query('SELECT FROM orders');
  expect(performance.now() - started).toBeLessThan(8000);
  await reader.query('COMMIT');
  reader.release();
  expect((await running.wait()).exitCode).toBe(0);
  await expectSameRows(pair, 'orders');
});

slowTest('reset gives way to a run as well', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 1);
  const { running, letGo } = await heldRun(pair);
  await using first = running;
  expect((await increp('reset orders', pair, { timing: IMPATIENT })).exitCode).toBe(75);
  await letGo();
  expect((await first.wait()).exitCode).toBe(0);
});

test('plan and check wait once for a source table that is locked, and name the holder', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const holder = await pair.source.connect();
  await holder.query('BEGIN; LOCK TABLE orders');
  const lockTimeout = 2;
  for (const command of ['plan', 'check']) {
    const before = performance.now();
    const { stdout } = await increp(command, pair, { timing: { lockTimeout } });
    expect(stdout).toMatch(/held\s+by\s+pid\s+\d+/);
    expect((performance.now() - before) / 1000).toBeLessThan(3 * lockTimeout);
  }
  await holder.query('COMMIT');
  holder.release();
});

test('who holds the table is named, at either side', async () => {
  await using pair = await freshPair(several('orders', 'others'));
  await sync(pair);
  await pair.source.query(
    'UPDATE orders SET total = 7, updated_at = now() WHERE id = 1; INSERT INTO others (id) VALUES (50)',
  );
  const [updating, altering] = await Promise.all([pair.destination.connect(), pair.source.connect()]);
  await updating.query(`SET application_name = 'nightly'; BEGIN; SELECT FROM orders WHERE id = 1 FOR UPDATE`);
  await altering.query('BEGIN; LOCK TABLE others');
  const options = { timing: IMPATIENT };
  const [orders, others] = await Promise.all([
    trySync(pair, 'orders', options),
    trySync(pair, 'others', options),
  ]);
  expect(orders.table()).toMatchObject(BUSY);
  expect(orders.table().error?.message).toMatch(
    // The other run may be named first.
    /held by .*pid \d+ \(nightly\) of \w+ .*with RowShareLock on orders at the destination/,
  );
  expect(others.table('others')).toMatchObject(BUSY);
  expect(others.table('others').error?.message).toMatch(
    /held by pid \d+ .*with AccessExclusiveLock on others at the source/,
  );
  await updating.query('COMMIT');
  await altering.query('COMMIT');
  updating.release();
  altering.release();
  // The sessions have ended, and other sessions may have their numbers.
  for (const command of ['status', 'plan', 'check', 'status --json', 'plan --json']) {
    const { stdout } = await increp(command, pair);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain('the error names the session');
    if (!command.startsWith('status --json')) expect(stdout).not.toContain('pg_terminate_backend');
  }
  await sync(pair);
  for (const table of ['orders', 'others']) await expectSameRows(pair, table);
});

slowTest('a backup that reads every table of the destination for hours stops no sync', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 2);
  await sync(pair);
  const backup = await pair.destination.connect();
  await backup.query(
    'BEGIN; LOCK TABLE orders, orders_stg, _increp_state, _increp_runs IN ACCESS SHARE MODE',
  );
  for (const round of [1, 2]) {
    await insertOrders(pair, round);
    const { table, stderr } = await sync(pair);
    expect(table()).toMatchObject({ rows_inserted: round });
    expect(stderr).not.toMatch(/again|not written/);
  }
  await backup.query('COMMIT');
  backup.release();
  await expectSameRows(pair, 'orders');
});

test('a plan names the session that waits for a lock, and the one before it, because readers queue behind them', async () => {
  await using pair = await freshPair('orders');
  await pair.writeTables([{ ...ORDERS_CONFIG, chunk: '4 rows', initial_load: 'copy' }]);
  const [reader, owner] = [await pair.source.connect(), await pair.source.connect()];
  await reader.query(`SET application_name = 'reporter'; BEGIN; SELECT FROM orders LIMIT 1`);
  await owner.query(`SET application_name = 'migration'`);
  const altered = owner.query('ALTER TABLE orders ADD COLUMN more int');
  await untilOneSession(
    pair,
    'the migration waits',
    `application_name = 'migration' AND wait_event_type = 'Lock'`,
    'source',
  );
  const { stdout } = await increp('plan', pair, { timing: { lockTimeout: 0.2 } });
  expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(
    /lock timeout; blocked by pid \d+ \(migration\) of \w+ .*that waits for AccessExclusiveLock on orders at the source behind pid \d+ \(reporter\) of \w+ next:/,
  );
  await reader.query('ROLLBACK');
  await altered;
  reader.release();
  owner.release();
});
