/** `increp sync` as it is called: what it takes, what it prints where, and what it exits with. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { PROJECT } from '../support/project.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { slowTest } from '../support/tier.ts';

const TABLES = ['orders', 'customers', 'events'] as const;
const three = {
  tables: TABLES.map((name) => ({ ...ORDERS_CONFIG, name })),
  sourceSql: `${ordersPreset.sourceSql}; CREATE TABLE customers (LIKE orders INCLUDING ALL);
    CREATE TABLE events (LIKE orders INCLUDING ALL); INSERT INTO customers TABLE orders; INSERT INTO events TABLE orders`,
};

/** A view stands where the copy of this table should be. */
const spoil = (pair: Pair, ...tables: string[]) =>
  pair.destination.query(tables.map((name) => `CREATE VIEW ${name} AS SELECT 1 AS one`).join(';'));

test('a run that succeeds exits with 0 and ends with a summary that a person can read', async () => {
  await using pair = await freshPair(three);
  const { exitCode, stdout } = await increp('sync', pair);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^✓ ok +orders +initial +[\d.]+ s +\d+ B +10 read, 10 inserted/m);
  expect(stdout).toMatch(/^3 tables ok in \d/m);
  for (const name of TABLES) await expectSameRows(pair, name);
});

test('some tables failed is 3, every table failed is the code of what they failed of', async () => {
  await using pair = await freshPair(three);
  await spoil(pair, 'customers');
  const some = await trySync(pair);
  expect(some.exitCode).toBe(3);
  expect(some.summary.status).toBe('partial');
  expect(some.summary.tables.map(({ status }) => status)).toEqual(['ok', 'failed', 'ok']);
  expect(some.table('customers').error).toMatchObject({
    code: 'DEPENDENT_OBJECTS',
    hint: expect.stringMatching(/dest_name/),
  });
  expect((await trySync(pair, 'customers')).exitCode).toBe(1);
  await pair.source.query('DROP TABLE events, orders');
  const none = await trySync(pair, '--exclude customers');
  expect(none.exitCode).toBe(78);
  expect(none.summary.status).toBe('failed');
  expect((await trySync(pair)).exitCode).toBe(1);
});

slowTest(
  'a failure is told with what to do next on stdout, and nothing repeats it on stderr but a log in JSON',
  async () => {
    await using pair = await freshPair(three);
    await spoil(pair, 'customers');
    const { stdout, stderr } = await increp('sync', pair);
    expect(stdout).toMatch(/^✗ FAILED +customers/m);
    expect(stdout).toMatch(/^ +error: public\.customers at the destination is a view/m);
    expect(stdout).toMatch(/^ +next: +Rename it/m);
    expect(stdout).toMatch(/^2 tables ok, 1 failed/m);
    expect(stderr).toBe('');
    await pair.setEnv({ LOG_FORMAT: 'json' });
    const logged = await increp('sync', pair);
    expect(logged.stderr).toMatch(/"level":"error".*"table":"customers".*"code":"DEPENDENT_OBJECTS"/);
  },
);

test('--fail-fast stops at the first table that fails', async () => {
  await using pair = await freshPair(three);
  await spoil(pair, 'orders');
  const result = await trySync(pair, '--fail-fast');
  expect(result.summary.tables.map(({ name }) => name)).toEqual(['orders']);
  expect(result.exitCode).toBe(1);
  const { rows } = await pair.destination.query(`SELECT to_regclass('customers') AS there`);
  expect(rows).toEqual([{ there: null }]);
});

slowTest(
  'tables may be named or excluded, and a name that is none is answered with the nearest',
  async () => {
    await using pair = await freshPair(three);
    const names = async (args: string) => (await sync(pair, args)).summary.tables.map(({ name }) => name);
    expect(await names('events orders')).toEqual(['orders', 'events']);
    expect(await names('--exclude events,orders')).toEqual(['customers']);
    expect(await names('--exclude events --exclude orders')).toEqual(['customers']);
    const wrong = await increp('sync ordres', pair);
    expect(wrong.exitCode).toBe(64);
    expect(wrong.stderr).toMatch(/no table "ordres" .* did you mean "orders"\? \(USAGE\)\n +next: /);
    expect(wrong.stdout).toBe('');
    expect((await increp('sync orders,events', pair)).stderr).toContain('separate names by spaces');
    const swallowed = await increp('-C sync -q', pair);
    expect(swallowed.stderr).toContain('-C took "sync" as the directory, so no command is left');
  },
);

test('a long dash, as editors make it of two, and a single one before a long option are recognised', async () => {
  await using pair = await freshPair('orders');
  for (const [typed, meant] of [
    ['—full-refresh', 'begins with a dash that is not "-". Type --full-refresh.'],
    ['–q', 'begins with a dash that is not "-". Type -q.'],
    ['-full-refresh', 'did you mean --full-refresh?'],
  ]) {
    const { exitCode, stderr } = await increp(`sync ${typed}`, pair);
    expect({ exitCode, stderr }).toEqual({ exitCode: 64, stderr: expect.stringContaining(meant ?? '') });
  }
});

slowTest('--json is one object a line: the start, plans, tables, and the summary last', async () => {
  await using pair = await freshPair('orders');
  const result = await increp('sync --json', pair);
  const lines = result.lines();
  const summary = lines.at(-1) ?? {};
  expect(lines.map(({ type }) => type)).toEqual(['run_started', 'table_planned', 'table', 'summary']);
  expect(lines[2]).toEqual({ type: 'table', ...(summary['tables'] as object[])[0] });
  expect(summary).toMatchObject({
    format_version: 1,
    run_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    status: 'ok',
    started_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    duration_s: expect.any(Number),
    error: null,
    tables: [
      {
        ...{ name: 'orders', status: 'ok', action: 'initial', reason: 'there is no destination table yet' },
        ...{ loader: expect.stringMatching(/^(pg_dump|copy)$/), rows_read: 10, rows_inserted: 10 },
        ...{ rows_updated: 0, rows_unchanged: 0, rows_deleted: 0, bytes: expect.any(Number) },
        ...{ duration_s: expect.any(Number), cursor: expect.stringMatching(/^20.*\+00$/) },
        ...{ warnings: expect.any(Array), error: null },
      },
    ],
  });
  expect(result.stdout.endsWith('\n')).toBe(true);
});

testWithPgDump('-q says nothing while all is well, and what went wrong when it does', async () => {
  await using pair = await freshPair(three);
  expect(await increp('sync -q', pair)).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
  await pair.source.query('DROP TABLE events');
  const failed = await increp('sync -q', pair);
  expect(failed.exitCode).toBe(3);
  expect(failed.stdout).toMatch(/FAILED +events/);
});

test('every log line says which run and pipeline, and where it is about one, which table and phase', async () => {
  await using pair = await freshPair('orders');
  await pair.setEnv({ LOG_FORMAT: 'json' });
  const { stderr } = await increp('sync -v', pair);
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(new Set(lines.map((line) => line['run_id'])).size).toBe(1);
  expect(new Set(lines.map((line) => line['pipeline']))).toEqual(
    new Set([`pipeline_${pair.login('source').database}`]),
  );
  const phases = lines.flatMap((line) => (line['phase'] === undefined ? [] : [line['phase']]));
  expect(phases).toEqual(
    expect.arrayContaining(['lock', 'fence', 'copy', 'index', 'swap', 'commit', 'save-state']),
  );
  const about = lines.filter((line) => line['table'] === 'orders');
  expect(about.filter((line) => line['phase'] === undefined)).toEqual([]);
  expect(lines.filter((line) => line['phase'] !== undefined)).toEqual(about);
});

slowTest('a pipe gets no escape sequences, with --no-color, with NO_COLOR and without', async () => {
  await using pair = await freshPair(three);
  await spoil(pair, 'customers');
  for (const [args, env] of [
    ['sync', {}],
    ['sync --no-color -v', {}],
    ['sync', { NO_COLOR: '1', LOG_FORMAT: 'pretty' }],
  ] as const) {
    const { stdout, stderr } = await increp(args, pair, { env });
    expect(stdout + stderr).not.toContain('\u001b');
  }
});

slowTest('a reader that closes its end does not stop the work', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 5);
  const child = spawn(process.execPath, [join(PROJECT, 'bin', 'increp.js'), 'sync', '--json'], {
    cwd: pair.directory,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  child.stdout.destroy();
  const exitCode = await new Promise((resolve) => child.once('exit', resolve));
  expect(exitCode).toBe(0);
  await expectSameRows(pair, 'orders');
});

test('each run leaves a row for each table in _increp_runs, also when it fails', async () => {
  await using pair = await freshPair(three);
  await spoil(pair, 'customers');
  const failed = await trySync(pair, 'orders customers');
  await insertOrders(pair, 2);
  await sync(pair, 'orders');
  const { rows } = await pair.destination.query(
    `SELECT run_id, pipeline, table_name, status, action, rows_read::int, rows_inserted::int, rows_unchanged::int,
       cursor_before IS NOT NULL AS had_cursor, cursor_after IS NOT NULL AS has_cursor, error_code, error_hint IS NOT NULL AS has_hint,
       started_at > now() - interval '5 min' AND duration_s > 0 AND duration_s < 60 AS is_timed
     FROM _increp_runs ORDER BY started_at, table_name`,
  );
  const common = { pipeline: `pipeline_${pair.login('source').database}`, is_timed: true };
  const ok = {
    ...common,
    table_name: 'orders',
    status: 'ok',
    has_cursor: true,
    error_code: null,
    has_hint: false,
  };
  expect(rows).toMatchObject([
    {
      ...ok,
      run_id: failed.summary.run_id,
      action: 'initial',
      rows_read: 10,
      rows_inserted: 10,
      had_cursor: false,
    },
    { ...common, table_name: 'customers', status: 'failed', error_code: 'DEPENDENT_OBJECTS', has_hint: true },
    { ...ok, action: 'incremental', rows_read: 2, rows_inserted: 2, rows_unchanged: 0, had_cursor: true },
  ]);
});
