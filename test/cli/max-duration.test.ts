/** `sync --max-duration`: what is begun in it, what is left, and that nothing is left forever. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { waitForCopy } from '../support/activity.ts';
import { chunked, chunksDone, fill, goThrough, STAMP } from '../support/chunked.ts';
import { parseExposition, valueOf } from '../support/exposition.ts';
import { heldRun } from '../support/held-run.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { webhookServer } from '../support/webhook-server.ts';
import { slowTest } from '../support/tier.ts';

const loaded = (name: string) => ({ ...ORDERS_CONFIG, name, initial_load: 'copy' });

/** `events` comes first and has about 5 MB; the others are small. */
const shop: PairOptions = {
  tables: ['events', 'customers', 'orders'].map(loaded),
  sourceSql: `${ordersPreset.sourceSql}; CREATE TABLE customers (LIKE orders INCLUDING ALL); INSERT INTO customers TABLE orders;
    ${ORDERS_SQL.replaceAll('orders', 'events')};
    INSERT INTO events (id, note) SELECT i, repeat('note ', 20) || i FROM generate_series(1, 40000) i`,
};

const BOX_SECONDS = 2;

/** A load of the first table that begins within the time limit and outlasts it. */
async function overlong(pair: Pair, args: string) {
  await using proxy = await faultProxy(pair.login('source'));
  await goThrough(pair, 'source', proxy);
  proxy.throttle(200_000);
  await using running = startIncrep(`sync --max-duration ${BOX_SECONDS}s ${args}`, pair);
  await waitForCopy(pair.destination, 'events_stg');
  await sleep(BOX_SECONDS * 1000);
  await proxy.resume();
  const result = await running.wait();
  await goThrough(pair, 'source', pair.login('source'));
  return result;
}

const touch = (pair: Pair, name: string) =>
  pair.source.query(`UPDATE ${name} SET updated_at = now() WHERE id = 1`);

const namesIn = (summary: { readonly tables: readonly { readonly name: string }[] }) =>
  summary.tables.map(({ name }) => name);

slowTest(
  'a table at work is finished, no other is begun, and the next run begins with those that were left',
  async () => {
    await using pair = await freshPair(shop);
    const { exitCode, stdout } = await overlong(pair, '');
    expect(exitCode).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^✓ ok +events +initial/);
    expect(lines.filter((line) => line.startsWith('- deferred'))).toEqual([
      '- deferred  customers',
      '- deferred  orders',
    ]);
    expect(lines.slice(-2)).toEqual([
      expect.stringMatching(/^1 table ok, 2 deferred in /),
      '2 tables deferred to the next run: customers, orders',
    ]);
    await expectSameRows(pair, 'events');
    for (const table of ['_increp_state', '_increp_runs']) {
      const { rows } = await pair.destination.query(`SELECT table_name FROM ${table}`);
      expect(rows, table).toEqual([{ table_name: 'events' }]);
    }
    const status = await increp('status', pair);
    expect(status.stdout).toMatch(/^ok +events/m);
    expect(status.stdout).toMatch(/^never synced +customers/m);
    expect(status.stdout).not.toContain('error:');

    const next = await sync(pair, '--max-duration 40s');
    expect(namesIn(next.summary)).toEqual(['customers', 'orders', 'events']);
    expect(next.summary.deferred).toEqual([]);
    for (const table of ['customers', 'orders']) await expectSameRows(pair, table);
  },
);

slowTest(
  'JSON, metrics, webhook and log name what was left, as neither a success nor a failure',
  async () => {
    await using pair = await freshPair(shop);
    await using hook = await webhookServer();
    await mkdir(join(pair.directory, 'metrics'));
    await pair.setEnv({
      METRICS_TEXTFILE: 'metrics/increp.prom',
      WEBHOOK_URL: hook.url,
      WEBHOOK_EVENTS: 'run.succeeded,run.partial,run.failed,table.synced,table.failed',
    });
    const result = await overlong(pair, '--json');
    expect(result.exitCode, result.stderr).toBe(0);
    const summary = result.lines().at(-1);
    const left = { status: 'skipped', action: 'skipped', error: null };
    expect(summary).toMatchObject({
      status: 'ok',
      deferred: ['customers', 'orders'],
      warnings: [],
      tables: [
        { name: 'events', status: 'ok' },
        {
          name: 'customers',
          reason: `the time limit of ${BOX_SECONDS}s was reached before it started`,
          ...left,
        },
        { name: 'orders', ...left },
      ],
    });
    expect(hook.requests.map((request) => request.json()['type'])).toEqual(['table.synced', 'run.succeeded']);
    expect(hook.requests.at(-1)?.json()['message']).toContain(
      '2 tables deferred to the next run: customers, orders.',
    );
    expect(result.stderr).toContain(
      `deferred to the next run: the time limit of ${BOX_SECONDS}s was reached before it started`,
    );
    const series = parseExposition(await readFile(join(pair.directory, 'metrics', 'increp.prom'), 'utf8'));
    const value = (name: string, table?: string) =>
      valueOf(series, `increp_${name}`, table === undefined ? {} : { table });
    expect(value('last_run_tables_deferred')).toBe(2);
    expect(value('last_run_success')).toBe(1);
    expect(value('table_consecutive_failures', 'orders')).toBe(0);
    expect(value('table_last_success_timestamp_seconds', 'orders')).toBeUndefined();
    expect(value('table_last_success_timestamp_seconds', 'events')).toBeGreaterThan(0);
  },
);

slowTest(
  'who was tried longest ago goes first, also where the try failed; without a time limit it is as configured',
  async () => {
    await using pair = await freshPair(shop);
    for (const name of ['orders', 'events', 'customers']) await sync(pair, name);
    expect(namesIn((await sync(pair)).summary)).toEqual(['events', 'customers', 'orders']);
    for (const name of ['orders', 'events', 'customers']) await sync(pair, name);
    await pair.source.query('ALTER TABLE orders RENAME updated_at TO changed_at');
    expect((await trySync(pair, 'orders')).exitCode).toBe(78);
    const last = await trySync(pair, '--max-duration 40s');
    expect(namesIn(last.summary)).toEqual(['events', 'customers', 'orders']);
    // A sync of a table without changes is no attempt.
    await touch(pair, 'customers');
    expect((await trySync(pair, 'customers')).exitCode).toBe(0);
    expect(namesIn((await trySync(pair, '--max-duration 40s')).summary)).toEqual([
      ...['events', 'orders', 'customers'],
    ]);
  },
);

const CHUNKS: PairOptions = {
  tables: [chunked('big'), loaded('customers'), loaded('orders')],
  sourceSql: `${ordersPreset.sourceSql}; CREATE TABLE customers (LIKE orders INCLUDING ALL); INSERT INTO customers TABLE orders;
    CREATE TABLE big (id bigint PRIMARY KEY, note text, ${STAMP}); ${fill('big')}`,
};

slowTest(
  'a load in chunks stops after the chunk at work, keeps what is there, and goes on when it is its turn',
  async () => {
    await using pair = await freshPair(CHUNKS);
    await using proxy = await faultProxy(pair.login('source'));
    await goThrough(pair, 'source', proxy);
    // All of it takes eight seconds, a chunk less than one.
    proxy.throttle(400_000);
    const first = await sync(pair, '--max-duration 2s');
    const done = await chunksDone(pair);
    expect(first.summary).toMatchObject({ status: 'ok', deferred: ['big', 'customers', 'orders'] });
    const { reason, error, action, status } = first.table('big');
    expect({ error, action, status }).toEqual({ error: null, action: 'initial', status: 'skipped' });
    const [, there, of] =
      /^the time limit of 2s was reached: (\d+) of (\d+) chunks are done; the next run continues with the remaining chunks$/.exec(
        reason,
      ) ?? [];
    expect(Number(there), reason).toBe(done);
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(Number(of));
    expect((await increp('status', pair)).stdout).toContain(`load in chunks: ${done} of ${of} chunks`);
    expect((await increp('history --json', pair)).json()['runs']).toEqual([]);

    // Those that were left have their turn, and then it goes on, however often that takes.
    const second = await sync(pair, '--max-duration 2s');
    expect(namesIn(second.summary)).toEqual(['customers', 'orders', 'big']);
    expect(second.table('orders')).toMatchObject({ status: 'ok', rows_inserted: 10 });
    expect(await chunksDone(pair)).toBeGreaterThan(done);
    await proxy.resume();
    const last = await sync(pair, '--max-duration 40s');
    expect(last.summary.deferred).toEqual([]);
    expect(last.table('big').reason).toMatch(/continues an interrupted load/);
    for (const table of ['big', 'customers', 'orders']) await expectSameRows(pair, table);
    const { rows } = await pair.destination.query(`SELECT to_regclass('big_stg') AS staging`);
    expect(rows).toEqual([{ staging: null }]);
  },
);

slowTest(
  'a run that begins a load comes further by a chunk at least, with every job, and says it to a person',
  async () => {
    await using pair = await freshPair({
      ...CHUNKS,
      tables: [chunked('big', { load_jobs: 2 })],
    });
    // The one wait before the first chunk outlasts the time limit.
    const open = await pair.source.connect();
    await open.query('BEGIN; SELECT FROM big');
    const { stdout, exitCode } = await increp('sync --max-duration 1s --wait-transactions 40s', pair);
    expect(exitCode, stdout).toBe(0);
    const done = await chunksDone(pair);
    expect([1, 2]).toContain(done);
    expect(stdout).toMatch(
      new RegExp(
        `^- deferred {2}big {2}initial +[\\d.]+ kB\\n {4}because the time limit of 1s was reached: ${done} of \\d+ chunks are done; `,
      ),
    );
    expect(stdout).toMatch(/\n1 table deferred to the next run: big\n$/);
    await open.query('COMMIT');
    open.release();
    expect((await sync(pair)).table().reason).toMatch(/continues an interrupted load/);
    await expectSameRows(pair, 'big');
  },
);

slowTest('a full refresh in chunks that was stopped says how it goes on', async () => {
  await using pair = await freshPair({ ...CHUNKS, tables: [chunked('big')] });
  await sync(pair);
  await using proxy = await faultProxy(pair.login('source'));
  await goThrough(pair, 'source', proxy);
  proxy.throttle(400_000);
  const { reason } = (await sync(pair, '--full-refresh --max-duration 2s')).table();
  expect(reason).toContain(
    '; to continue with the remaining chunks, run "increp sync --full-refresh --max-duration 2s"',
  );
  await proxy.resume();
  expect((await sync(pair, 'big --full-refresh')).table().reason).toMatch(/continues an interrupted load/);
  await expectSameRows(pair, 'big');
});

slowTest(
  'no wait outlasts the time limit: for open transactions, for another run, for the next try',
  async () => {
    await using pair = await freshPair('orders');
    await sync(pair);
    await insertOrders(pair, 1);
    const { running, letGo } = await heldRun(pair);
    const started = performance.now();
    const locked = await trySync(pair, '--max-duration 1s --wait-lock 40s');
    expect(locked.exitCode).toBe(75);
    running.kill('SIGTERM');
    await running.wait();
    const fenced = await sync(pair, '--max-duration 1s --wait-transactions 40s');
    expect(fenced.table()).toMatchObject({ status: 'ok', rows_inserted: 1 });
    expect(fenced.table().warnings).toEqual([expect.stringMatching(/open/)]);
    await letGo();
    await using proxy = await faultProxy(pair.login('source'));
    await goThrough(pair, 'source', proxy);
    await proxy.refuse();
    const refused = await trySync(pair, '--max-duration 200ms', { timing: 'default' });
    expect(refused.exitCode).toBe(69);
    expect(refused.summary.error?.message).toMatch(
      /; the time limit of 200ms was reached before increp could retry$/,
    );
    // Each would have waited for 40 s.
    expect(performance.now() - started).toBeLessThan(30_000);
  },
);

test('a box in which not one table can be begun is a warning, also for a mail', async () => {
  await using pair = await freshPair('orders');
  const { stdout, exitCode } = await increp('sync --max-duration 1ms -q', pair);
  expect(exitCode).toBe(0);
  expect(stdout).toContain(
    'warning: the time limit of 1ms was reached before any table started; set a longer --max-duration',
  );
  expect(stdout).toMatch(/\n1 table deferred to the next run: orders\n$/);
});

slowTest(
  'a table that is disabled is not left, and --quiet has nothing to say of those that are',
  async () => {
    await using pair = await freshPair(shop);
    await pair.writeTables([loaded('events'), loaded('customers'), { ...loaded('orders'), enabled: false }]);
    const result = await overlong(pair, '-q');
    expect(result).toMatchObject({ exitCode: 0, stdout: '' });
    // A table without changes needs no time, so it is not deferred.
    await touch(pair, 'events');
    const json = await trySync(pair, '--max-duration 1ms');
    expect(json.summary.deferred).toEqual(['customers', 'events']);
  },
);

test('with --fail-fast the first failure ends it, and what comes behind is not called left', async () => {
  await using pair = await freshPair(shop);
  await pair.destination.query('CREATE VIEW events AS SELECT 1 AS one');
  const { summary, exitCode } = await trySync(pair, '--max-duration 40s --fail-fast');
  expect(exitCode).not.toBe(0);
  expect(namesIn(summary)).toEqual(['events']);
  expect(summary.deferred).toEqual([]);
});

test('a plan has no time limit to keep, and a box must be longer than nothing', async () => {
  await using pair = await freshPair('orders');
  const plan = await increp('sync -n --max-duration 1ms', pair);
  expect(plan.exitCode, plan.stderr).toBe(0);
  expect(plan.stdout).toContain('orders');
  for (const [value, why] of [
    ['0s', '--max-duration: "0s" is too short; allowed: longer than 0s'],
    ['50', '--max-duration: "50" is not a duration; allowed: values such as "250ms"'],
    ['-1s', '--max-duration: "-1s" is not a duration'],
  ]) {
    const { exitCode, stderr } = await increp(`sync --max-duration=${value}`, pair);
    expect(exitCode).toBe(64);
    expect(stderr).toContain(why);
  }
});
