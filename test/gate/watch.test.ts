/** `sync --watch`: the loop in one process, in a pipe and on a terminal, with real signals. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { waitForCopy, waitUntil } from '../support/activity.ts';
import { goThrough } from '../support/chunked.ts';
import { increp, startIncrep, type RunningIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { isWhole, slowTest } from '../support/tier.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { PROJECT } from '../support/project.ts';
import { faultProxy } from '../support/proxy.ts';
import { inTerminal } from '../support/pseudo-terminal.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import type { Holdings } from '../support/watch-loop.ts';

const large: PairOptions = {
  tables: [{ ...ORDERS_CONFIG, initial_load: 'copy' }],
  sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, note)
    SELECT i, repeat('note ', 20) || i FROM generate_series(1, 40000) i`,
};

const summariesIn = ({ stdout }: Pick<RunningIncrep, 'stdout'>): Record<string, unknown>[] =>
  stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ type }) => type === 'summary');

const waitForSummaries = (running: RunningIncrep, count: number) =>
  waitUntil(`${count} summaries`, () => summariesIn(running).length >= count);

async function slowSource(pair: Pair, bytesPerSecond: number) {
  const proxy = await faultProxy(pair.login('source'));
  await goThrough(pair, 'source', proxy);
  proxy.throttle(bytesPerSecond);
  return proxy;
}

test('it brings over what comes, one summary a turn, and a SIGTERM between two runs ends it at once with 0', async () => {
  await using pair = await freshPair('orders');
  await using running = startIncrep('sync --watch 1s --json', pair);
  await waitForSummaries(running, 1);
  await insertOrders(pair, 5);
  await waitUntil('the new orders', async () => {
    const { rowCount } = await pair.destination.query('SELECT FROM orders');
    return rowCount === 15;
  });
  await waitForSummaries(running, 3);
  running.kill('SIGTERM');
  // Between two runs or in the middle of one, which then tells so.
  const { exitCode, stderr } = await running.wait();
  const summaries = summariesIn(running);
  expect([0, 143]).toContain(exitCode);
  expect(summaries.slice(0, 3).map(({ status }) => status)).toEqual(['ok', 'ok', 'ok']);
  expect(new Set(summaries.map(({ run_id }) => run_id)).size).toBe(summaries.length);
  const starts = summaries.map(({ started_at }) => Date.parse(String(started_at)));
  for (const [index, start] of starts.slice(1).entries())
    expect(start - (starts[index] ?? 0)).toBeGreaterThan(500);
  expect(stderr).not.toContain('next run');
  await expectSameRows(pair, 'orders');

  await using idle = startIncrep('sync --watch 24h --json', pair);
  await waitForSummaries(idle, 1);
  await waitUntil('the end of its connections', async () => {
    const { rowCount } = await pair.destination.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'increp %'`,
    );
    return rowCount === 0;
  });
  const started = performance.now();
  idle.kill('SIGTERM');
  expect(await idle.wait()).toMatchObject({
    exitCode: 0,
    stderr: expect.not.stringContaining('INTERRUPTED'),
  });
  expect(performance.now() - started).toBeLessThan(5000);
});

slowTest('a SIGTERM in a run rolls that back, and the exit code says so', async () => {
  await using pair = await freshPair(large);
  await using _ = await slowSource(pair, 20_000);
  await using running = startIncrep('sync --watch 24h --json', pair);
  await waitForCopy(pair.destination, 'orders_stg');
  expect((await increp('status', pair)).stdout).toMatch(/^running +orders/m);
  const started = performance.now();
  running.kill('SIGTERM');
  const { exitCode } = await running.wait();
  expect(exitCode).toBe(143);
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(summariesIn(running)).toMatchObject([
    { status: 'failed', tables: [{ error: { code: 'INTERRUPTED' } }] },
  ]);
  await goThrough(pair, 'source', pair.login('source'));
  expect((await sync(pair)).table()).toMatchObject({ action: 'initial', rows_inserted: 40_000 });
});

slowTest('turns that a long run covers are passed over, and the log says how many', async () => {
  await using pair = await freshPair(large);
  await using proxy = await slowSource(pair, 200_000);
  await using running = startIncrep('sync --watch 1s', pair);
  await waitForCopy(pair.destination, 'orders_stg');
  const started = performance.now();
  await waitUntil('a few turns', () => performance.now() - started > 3000);
  await proxy.resume();
  await waitUntil('the warning about skipped runs', () =>
    /warning: skipped ([3-9]|\d\d) runs \(every 1s\): the previous run ended [\d.]+ s after the next one was due/.test(
      running.stdout,
    ),
  );
  const runs = running.stdout.match(/^run at 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d$/gm) ?? [];
  // That of the load, and the one that says it.
  expect(runs.length).toBeLessThanOrEqual(2);
  running.kill();
  await running.wait();
});

slowTest('on a terminal each run has its time, and in between stands when the next one is', async () => {
  await using pair = await freshPair('orders');
  await using terminal = inTerminal('sync --watch 2m', pair);
  const line = await terminal.waitForLine(/^next run at (\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d \(in 11\d s\)$/);
  await terminal.resize(24, 10);
  await terminal.waitForLine(/^next run at .*…$/);
  await terminal.resize(80, 24);
  await terminal.waitForLine(/^next run at .* \(in 11\d s\)$/);
  expect(terminal.screen.lines().filter((shown) => shown.includes('next run')).length).toBe(1);
  terminal.type('\u0003');
  expect(await terminal.wait()).toBe(0);
  const told = terminal.screen.lines();
  expect(told.join('\n')).not.toContain('next run');
  expect(told[0]).toMatch(/^run at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
  expect(told[1]).toMatch(/^✓ ok +orders +initial/);
  expect(told.join('\n')).toMatch(/^1 table ok in /m);
  expect(line.length).toBeLessThan(80);
  expect(terminal.screen.cursor()).toMatchObject({ x: 0, isVisible: true });
});

slowTest('Ctrl-C in a run says what happens', async () => {
  await using pair = await freshPair(large);
  await using _ = await slowSource(pair, 20_000);
  await using terminal = inTerminal('sync --watch 1m', pair);
  await terminal.waitForLine(/^\[1\/1\] orders: copying/);
  terminal.type('\u0003');
  expect(await terminal.wait()).toBe(130);
  const told = terminal.screen.lines().join('\n');
  expect(told).toMatch(/^stopping: uncommitted work is rolled back/m);
  expect(told).not.toContain('next run');
});

test('an edit of the configuration takes effect; one that is wrong is told, and the next one mends it', async () => {
  await using pair = await freshPair('orders');
  await pair.source.query('CREATE TABLE more (LIKE orders INCLUDING ALL); INSERT INTO more TABLE orders');
  await using running = startIncrep('sync --watch 1s --json', pair);
  await waitForSummaries(running, 1);
  const path = join(pair.directory, 'tables-config.json');
  const good = await readFile(path, 'utf8');
  await writeFile(path, good.replace('"replication_key"', '"replication_kye"'));
  await running.waitForStderr(/the same as in the previous run \(CONFIG_INVALID\), 2 times in a row/);
  expect(running.stderr.match(/^error: .*\(CONFIG_INVALID\)/gm)?.length).toBeGreaterThanOrEqual(1);
  expect(running.stderr).toContain('replication_kye');
  await pair.writeTables([ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'more' }]);
  await waitUntil('the other table', () =>
    summariesIn(running).some(({ tables }) => (tables as unknown[]).length === 2),
  );
  running.kill();
  await running.wait();
  await expectSameRows(pair, 'more');
});

slowTest('an error that stays is told in full once', async () => {
  await using pair = await freshPair('orders');
  await using running = startIncrep('sync --watch 1s', pair);
  await waitUntil('a run', () => running.stdout.includes('1 table ok'));
  await writeFile(join(pair.directory, 'tables-config.json'), '{');
  await running.waitForStderr(/the same as in the previous run \(CONFIG_INVALID\), 3 times in a row/);
  running.kill();
  expect((await running.wait()).exitCode).toBe(0);
  expect(running.stderr.match(/next: /g)).toHaveLength(1);
  expect(running.stderr).toMatch(/^run at 20.*\nerror: .* \(CONFIG_INVALID\):\n.*tables-config\.json/m);
});

slowTest('a server that is away is told like in any run, and does not end it', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await using proxy = await faultProxy(pair.login('destination'));
  await goThrough(pair, 'destination', proxy);
  await proxy.refuse();
  await using running = startIncrep('sync --watch 1s --json', pair);
  await waitForSummaries(running, 1);
  expect(summariesIn(running)[0]).toMatchObject({ status: 'failed', error: { code: 'CONNECTION_FAILED' } });
  await insertOrders(pair, 2);
  await proxy.resume();
  await waitUntil('a run that is ok', () => summariesIn(running).at(-1)?.['status'] === 'ok');
  running.kill();
  await running.wait();
  await expectSameRows(pair, 'orders');
});

slowTest(
  'with --max-duration each turn has a box of its own, and --quiet says nothing while all is well',
  async () => {
    await using pair = await freshPair('orders');
    await using running = startIncrep('sync --watch 1s --max-duration 1ms --json', pair);
    await waitForSummaries(running, 2);
    running.kill();
    await running.wait();
    expect(summariesIn(running).slice(0, 2)).toMatchObject([
      { deferred: ['orders'] },
      { deferred: ['orders'] },
    ]);
    await using quiet = startIncrep('sync --watch 1s -q', pair);
    await waitUntil('a copy', async () => (await increp('status --exit-code', pair)).exitCode === 0);
    await pair.source.query('ALTER TABLE orders RENAME updated_at TO changed_at');
    await waitUntil('the trouble', () => quiet.stdout.includes('FAILED'));
    quiet.kill();
    await quiet.wait();
    expect(quiet.stdout).toMatch(/^run at 20\d\d-[\d-]+ [\d:]+\npipeline \S+: FAILED\n/);
  },
);

test('what cannot become anything ends it before it has begun', async () => {
  await using pair = await freshPair('orders');
  for (const [args, why] of [
    ['--watch 500ms', '--watch: "500ms" is too short; allowed: 1s or longer'],
    ['--watch often', '--watch: "often" is not a duration; allowed: values such as "250ms"'],
    [
      '--watch 30s --full-refresh',
      '--watch cannot be combined with --full-refresh: it would load every table',
    ],
    ['--watch 30s --deletes', 'deletes_every'],
    ['--watch 30s --force', 'any share of a table'],
    ['--watch 30s --dry-run', 'a plan is made only once'],
    ['ordres --watch 30s', 'did you mean "orders"?'],
  ] as const) {
    const { exitCode, stderr } = await increp(`sync ${args}`, pair);
    expect({ args, exitCode }).toEqual({ args, exitCode: 64 });
    expect(stderr).toContain(why);
  }
  await pair.writeTables([{ ...ORDERS_CONFIG, name: 'ordres' }]);
  expect((await increp('sync --watch 30s', pair)).exitCode).toBe(78);
  await writeFile(join(pair.directory, 'tables-config.json'), '{');
  expect((await increp('sync --watch 30s', pair)).exitCode).toBe(78);
});

/** What is forgotten once a turn shows by its number in any case; memory needs more of them. */
const TURNS = isWhole ? '250' : '15';

slowTest(
  'many turns leave nothing behind: no memory, connections, timers or listeners',
  async () => {
    await using pair = await freshPair('orders');
    const { stdout } = await execa(
      process.execPath,
      ['--expose-gc', join(PROJECT, 'test', 'support', 'watch-loop.ts'), pair.directory, TURNS],
      // Not that turns were passed over, each time.
      { env: { HOME: pair.directory, LOG_LEVEL: 'error' } },
    );
    const { first, last, warnings } = JSON.parse(stdout) as Holdings;
    expect(warnings).toEqual([]);
    expect(last.listeners).toBe(first.listeners);
    // Each run may be at another moment of closing what it had.
    expect(last.resources.length - first.resources.length).toBeLessThan(5);
    // A megabyte: what one forgotten connection a turn takes is many times that.
    expect(last.heapBytes - first.heapBytes).toBeLessThan(1_000_000);
  },
  240_000,
);
