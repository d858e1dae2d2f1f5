/** Several tables at the same time, and what goes wrong: signals, lost connections, and loads in chunks beside them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { expect, test } from 'vitest';
import { waitUntil } from '../support/activity.ts';
import { chunked, goThrough } from '../support/chunked.ts';
import { startIncrep } from '../support/increp.ts';
import { hold, KEYED, letGo, NAMES, shop, summaryOf, tableSql, told, touch } from '../support/jobs.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type PairOptions } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { faultProxy } from '../support/proxy.ts';
import { sync } from '../support/sync.ts';
import { slowTest, slowKind } from '../support/tier.ts';

/** Sessions of increp. */
async function sessions(pool: pg.Pool, query = '%'): Promise<number> {
  const { rowCount } = await pool.query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'increp %' AND query LIKE $1`,
    [query],
  );
  return rowCount ?? 0;
}

const endSession = (pool: pg.Pool, query: string) =>
  pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE $1`,
    [query],
  );

/** A run over a slow network. */
async function slowRun(options: PairOptions, args: string, bytesPerSecond: number) {
  const pair = await freshPair(options);
  const proxy = await faultProxy(pair.login('source'));
  await goThrough(pair, 'source', proxy);
  proxy.throttle(bytesPerSecond);
  const running = startIncrep(args, pair);
  const all = new AsyncDisposableStack();
  all.use(pair);
  all.use(proxy);
  all.use(running);
  return { pair, proxy, running, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

async function fourLoads(names: readonly string[]) {
  const run = await slowRun(shop(names, 5000), 'sync --json --jobs 4', 100_000);
  for (const side of [run.pair.source, run.pair.destination])
    await waitUntil('four loads', async () => (await sessions(side, 'COPY %')) === 4);
  return run;
}

test('SIGTERM with four tables at work rolls back all of them', async () => {
  await using run = await fourLoads(NAMES);
  const { pair, running } = run;
  running.kill('SIGTERM');
  const { exitCode, summary } = await summaryOf(running);
  expect(exitCode).toBe(143);
  expect(summary.tables.map(({ name, error }) => [name, error?.code])).toEqual(
    ['a', 'b', 'c', 'd'].map((name) => [name, 'INTERRUPTED']),
  );
  const { rows } = await pair.destination.query(
    `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname !~ '^_increp'`,
  );
  expect(rows).toEqual([]);
});

test('a job whose connection is lost tries again, and the others do not notice', async () => {
  const names = ['a', 'b', 'c', 'd'];
  await using run = await fourLoads(names);
  const { pair, proxy, running } = run;
  // The source has sent all rows, and its connection is not needed any more.
  await endSession(pair.destination, 'COPY %"c_stg"%');
  await proxy.resume();
  const { exitCode, stderr } = await summaryOf(running);
  expect(exitCode).toBe(0);
  const retries = stderr.split('\n').filter((line) => line.includes('trying again'));
  expect(retries).toEqual([expect.stringContaining('"table":"c"')]);
  for (const name of names) await expectSameRows(pair, name);
});

const bigAnd = (names: readonly string[]): PairOptions => ({
  tables: [chunked('big', { load_jobs: 4, chunk: '64kB' }), ...names.map((name) => ({ name, ...KEYED }))],
  sourceSql: [tableSql('big', 20_000), ...names.map((name) => tableSql(name))].join('; '),
});

slowTest('a load in chunks beside other tables reads over the connections of the jobs only', async () => {
  const names = ['a', 'b', 'c'];
  await using run = await slowRun(bigAnd(names), 'sync --json --jobs 3', 300_000);
  const { pair, proxy, running } = run;
  const most = { source: 0, destination: 0, chunks: 0 };
  let isOver = false;
  const watch = (async () => {
    while (!isOver) {
      most.source = Math.max(most.source, await sessions(pair.source));
      most.destination = Math.max(most.destination, await sessions(pair.destination));
      most.chunks = Math.max(most.chunks, await sessions(pair.source, 'COPY %"big"%'));
      if (most.chunks === 3) await proxy.resume();
    }
  })();
  const { exitCode } = await running.wait();
  isOver = true;
  await watch;
  expect(exitCode).toBe(0);
  expect(most).toMatchObject({ source: 3, chunks: 3 });
  // Three jobs, the lock of the load, and the history.
  expect(most.destination).toBeLessThanOrEqual(5);
  for (const name of ['big', ...names]) await expectSameRows(pair, name);
});

slowTest('an error in a chunk stops the chunks of the other jobs, and the load continues', async () => {
  await using run = await slowRun(bigAnd(['a']), 'sync --json --jobs 3', 300_000);
  const { pair, proxy, running } = run;
  await waitUntil('chunks', async () => (await sessions(pair.source, 'COPY %"big"%')) > 1);
  await endSession(pair.source, 'COPY %"big"%');
  await proxy.resume();
  await running.waitForStderr('trying again');
  expect((await running.wait()).exitCode).toBe(0);
  await expectSameRows(pair, 'big');
});

test('after the time limit no job starts a table', async () => {
  await using pair = await freshPair(shop(['a', 'b', 'c', 'd']));
  await sync(pair);
  await touch(pair, ['a', 'b', 'c', 'd']);
  await using slow = await hold(pair, 'a', 'b');
  await using running = startIncrep('sync --json --jobs 2 --max-duration 4s', pair);
  await waitUntil('the start', () => told(running, 'table_planned').length === 2);
  await sleep(4000);
  await letGo(slow);
  const { exitCode, summary } = await summaryOf(running);
  expect(exitCode).toBe(0);
  expect(summary.tables.map(({ name, action }) => [name, action])).toEqual([
    ...['a', 'b'].map((name) => [name, 'incremental']),
    ...['c', 'd'].map((name) => [name, 'skipped']),
  ]);
});

slowKind(testWithPgDump)(
  'several loads by pg_dump do not count as open transactions of each other',
  async () => {
    const names = ['a', 'b', 'c', 'd'];
    await using pair = await freshPair({
      ...shop(names, 5000),
      tables: names.map((name) => ({ name, ...KEYED, initial_load: 'pg_dump' })),
    });
    const { summary } = await sync(pair, '--jobs 4');
    expect(summary.tables.map(({ loader, warnings }) => [loader, warnings])).toEqual(
      names.map(() => ['pg_dump', []]),
    );
    for (const name of names) await expectSameRows(pair, name);
  },
);

slowTest.each([1, 2, 3])('tables that share a view take new shapes at the same time, round %i', async () => {
  const names = ['a', 'b', 'c', 'd'];
  await using pair = await freshPair(shop(names));
  await sync(pair);
  await pair.destination.query(
    `CREATE VIEW together AS SELECT a.id, b.note FROM a JOIN b USING (id) JOIN c USING (id) JOIN d USING (id)`,
  );
  await pair.source.query(names.map((name) => `ALTER TABLE ${name} ADD more int DEFAULT 7`).join('; '));
  const { summary } = await sync(pair, '--jobs 4');
  expect(summary.tables.map(({ action }) => action)).toEqual(names.map(() => 'reset'));
  for (const name of names) await expectSameRows(pair, name);
  expect((await pair.destination.query('SELECT FROM together')).rowCount).toBe(10);
});

slowTest('a load in chunks does without the jobs whose connections are refused', async () => {
  await using pair = await freshPair({ ...bigAnd([]), isOwn: true });
  const { user } = pair.login('source', 'increp');
  await pair.source.query(`ALTER ROLE "${user}" CONNECTION LIMIT 2`);
  const { summary } = await sync(pair, '--jobs 4');
  expect(summary.tables).toMatchObject([{ name: 'big', rows_inserted: 20_000 }]);
  await expectSameRows(pair, 'big');
});
