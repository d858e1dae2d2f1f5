/** `increp history`: the runs of both histories, of one table with a chart, and how both commands look on a terminal. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { displayWidth } from '../../src/report/text.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { PROGRAM, withProgram } from '../support/named-program.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

interface RunJson {
  readonly run_id: string;
  readonly status: string;
  readonly tables: readonly Readonly<Record<string, unknown>>[];
  readonly [field: string]: unknown;
}

interface HistoryJson {
  readonly destination_error: { readonly code: string } | null;
  readonly runs: readonly RunJson[];
}

async function history(pair: Pair, args = '') {
  const { exitCode, stderr, json } = await increp(`history --json ${args}`, pair);
  expect(exitCode, stderr).toBe(0);
  return { stderr, ...json<HistoryJson>() };
}

const stateFile = (pair: Pair, name: string) => join(pair.directory, 'sync-state', name);

const WIDE = '注文テーブル注文テーブル';

/** Five runs: a load, one that fails, one without a destination, and two more; of three tables. */
async function fiveRuns(): Promise<Pair> {
  const pair = await freshPair({
    tables: [
      ORDERS_CONFIG,
      { ...ORDERS_CONFIG, name: 'others', dest_name: 'theirs' },
      { ...ORDERS_CONFIG, name: WIDE },
    ],
    sourceSql: `${String(ordersPreset.sourceSql)}; CREATE TABLE others (LIKE orders INCLUDING ALL);
      CREATE TABLE "${WIDE}" (LIKE orders INCLUDING ALL)`,
  });
  const { user } = pair.login('source', 'increp');
  await sync(pair);
  await pair.source.query(`REVOKE SELECT ON others FROM ${user}`);
  expect((await trySync(pair)).exitCode).toBe(3);
  await pair.source.query(`GRANT SELECT ON others TO ${user}`);
  await pair.setEnv({ DEST_PORT: '1' });
  expect((await trySync(pair)).exitCode).toBe(69);
  await pair.setEnv({ DEST_PORT: String(pair.login('destination').port) });
  await insertOrders(pair, 5);
  await sync(pair);
  await sync(pair, 'orders');
  return pair;
}

/** What a person sees in a terminal of 80 by 24. */
async function inTerminal(pair: Pair, command: string, lang = 'C.UTF-8'): Promise<string[]> {
  const program = `stty cols 80 rows 24; exec '${process.execPath}' '${PROGRAM}' ${command}`;
  const { stdout } = await execa('script', ['-qec', program, '/dev/null'], {
    cwd: pair.directory,
    env: {
      PATH: withProgram(process.env['PATH']),
      HOME: pair.directory,
      LANG: lang,
      TERM: 'xterm',
      NO_COLOR: '1',
    },
    extendEnv: false,
    input: '',
  });
  return stdout.split('\r\n');
}

slowTest('runs of both histories, the newest last, each once', async () => {
  await using pair = await fiveRuns();
  const { runs, destination_error: error } = await history(pair);
  expect(error).toBeNull();
  expect(runs.map(({ status }) => status)).toEqual(['ok', 'partial', 'failed', 'ok', 'ok']);
  expect(runs).toMatchObject([
    { tables_ok: 3, tables_failed: 0, rows_changed: 10, error: null },
    { tables_ok: 2, tables_failed: 1, error: { table: 'others', code: 'PRIVILEGE_MISSING' } },
    { tables_ok: 0, tables_failed: 0, tables: [], error: { table: null, code: 'CONNECTION_FAILED' } },
    { tables_ok: 3, rows_changed: 5 },
    { tables: [{ name: 'orders', action: 'incremental', status: 'ok', error: null }] },
  ]);
  expect(runs[3]?.tables.find(({ name }) => name === 'orders')).toMatchObject({
    name: 'orders',
    rows_inserted: 5,
    cursor: expect.any(String),
  });
  expect(runs[3]?.['started_at']).toMatch(/^20\d\d-\d\d-\d\dT[\d:.]+Z$/);
  const times = runs.map((run) => String(run['started_at']));
  expect(times).toEqual(times.toSorted());
  expect((await history(pair, '--limit 2')).runs).toEqual(runs.slice(-2));
  expect((await history(pair, '--failed')).runs).toEqual(runs.slice(1, 3));
  expect((await history(pair, '--failed --limit 1')).runs).toEqual(runs.slice(2, 3));
  expect((await history(pair, '--since 1h')).runs).toEqual(runs);
  expect((await history(pair, '--since 1ms')).runs).toEqual([]);
  // Where one of them is lost, the other serves.
  const ids = runs.map(({ run_id: id }) => id);
  const text = await readFile(stateFile(pair, 'history.jsonl'), 'utf8');
  await rm(stateFile(pair, 'history.jsonl'));
  expect((await history(pair)).runs.map(({ run_id: id }) => id)).toEqual(ids.filter((_, run) => run !== 2));
  expect(text).not.toContain('"rows_read":0');
});

slowTest('without the destination, and with --local, from the files alone', async () => {
  await using pair = await fiveRuns();
  const before = await history(pair);
  await pair.setEnv({ DEST_PORT: '1' });
  const down = await history(pair);
  expect(down.destination_error).toMatchObject({ code: 'CONNECTION_FAILED' });
  expect(down.stderr).toMatch(
    /^warning: the destination cannot be reached, so only the state directory was read\. The reason: destination /,
  );
  await pair.setEnv({ DEST_PORT: String(pair.login('destination').port), DEST_DB: 'nowhere' });
  expect((await history(pair)).stderr).toMatch(/^warning: the destination cannot be read, so only/);
  const local = await history(pair, '--local');
  expect(local.stderr).toBe('note: only the state directory was read (--local)\n');
  for (const { runs } of [down, local]) {
    const told = ({ run_id, status, started_at, duration_s, rows_changed }: RunJson) =>
      [run_id, status, started_at, duration_s, rows_changed] as unknown[];
    expect(runs.map(told)).toEqual(before.runs.map(told));
  }
});

test('as text: a line a run, what failed below it, and a last line that counts', async () => {
  await using pair = await fiveRuns();
  const { stdout, stderr, exitCode } = await increp('history', pair, { env: { TZ: 'Asia/Tokyo' } });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const time = String.raw`20\d\d-\d\d-\d\d \d\d:\d\d:\d\d`;
  const lines = stdout.trimEnd().split('\n');
  expect(lines[0]).toMatch(/^STARTED +TOOK {2}RESULT +TABLES +ROWS +BYTES$/);
  expect(lines[1]).toMatch(new RegExp(`^${time} +\\d\\.\\d s {2}ok +3 ok +10 +\\d+ B$`));
  expect(lines[2]).toMatch(new RegExp(`^${time} +\\d\\.\\d s {2}partial +2 ok, 1 failed +0 `));
  expect(lines[3]).toMatch(/^ {4}PRIVILEGE_MISSING others: role "/);
  expect(lines[4]).toMatch(new RegExp(`^${time} +\\d+\\.\\d s {2}failed +none synced +0 +0 B$`));
  expect(lines[5]).toMatch(/^ {4}CONNECTION_FAILED destination /);
  expect(lines.at(-1)).toBe('5 runs: 3 ok, 1 partial, 1 failed (times in Asia/Tokyo)');
});

slowTest('of one table: its runs and a chart, under the name it has at the source', async () => {
  await using pair = await fiveRuns();
  const { stdout } = await increp('history others', pair);
  expect(stdout).toMatch(/^STARTED +TOOK {2}RESULT {2}ACTION +READ {2}CHANGED +BYTES\n/);
  expect(stdout).toMatch(/ok +initial +0 +0 +0 B\n/);
  expect(stdout).toContain('4 runs: 2 ok, 2 failed (times in');
  expect(stdout).toMatch(/\n {4}0 └───F──F─────\n/);
  expect(stdout).toMatch(/\n *(\d+\.\d s|\d+ ms) │/);
  expect(stdout).toContain('F: the run failed\n');
  const orders = (await increp('history orders', pair)).stdout;
  expect(orders).toMatch(/\n {3}10 │██\n rows │██\n {6}│██ {7}██\n/);
  // The chart has no failure that the list does not have.
  const last = (await increp('history orders --limit 2', pair)).stdout;
  expect(last).toMatch(/\n *0 └.{6}\n/);
  expect((await increp('history orders --limit 1', pair)).stdout).not.toContain('└');
  const ascii = (await increp('history orders', pair, { env: { LANG: undefined } })).stdout;
  expect(ascii).toMatch(/\n {3}10 \|##\n rows \|##\n {6}\|## {7}##\n/);
  // eslint-disable-next-line no-control-regex -- what is looked for
  expect(ascii).not.toMatch(/[^\x20-\x7e\n]/);
});

slowTest(
  'a table that is no longer configured has its history still; one that never was is a usage error',
  async () => {
    await using pair = await fiveRuns();
    await pair.writeTables([ORDERS_CONFIG]);
    expect((await history(pair, 'theirs')).runs).toHaveLength(4);
    expect((await history(pair, 'theirs --local')).runs).toHaveLength(4);
    const { exitCode, stderr } = await increp('history order', pair);
    expect(exitCode).toBe(64);
    expect(stderr).toContain('did you mean "orders"');
    expect((await increp('history --limit 0', pair)).exitCode).toBe(64);
  },
);

test('before the first run there is nothing, and no error', async () => {
  await using pair = await freshPair('orders');
  expect((await history(pair)).runs).toEqual([]);
  expect(await increp('history orders', pair)).toMatchObject({
    exitCode: 0,
    stdout: 'no runs are recorded for this pipeline (PIPELINE_NAME, or the name of the directory)\n',
  });
});

test('runs that were asked for and are not there are not said to be unknown altogether', async () => {
  await using pair = await freshPair('orders');
  await increp('sync', pair);
  expect(await increp('history --failed', pair)).toMatchObject({ stdout: 'no matching runs are recorded\n' });
  expect(await increp('history orders --since 0s', pair)).toMatchObject({
    stdout: 'no matching runs are recorded\n',
  });
});

slowTest('status and history write nothing, here or there', async () => {
  await using pair = await freshPair('orders');
  const everything = async () => {
    const { rows } = await pair.destination.query(
      `SELECT relname, pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid) AS written
       FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1`,
    );
    const names = (await readdir(pair.directory, { recursive: true })).toSorted();
    const texts = names
      .filter((name) => /\.jsonl?$/.test(name))
      .map((name) => readFile(join(pair.directory, name), 'utf8'));
    return { rows, names, texts: await Promise.all(texts) };
  };
  const commands = ['status', 'status --local', 'history', 'history orders', 'history --local'];
  const virgin = await everything();
  for (const command of commands) await increp(command, pair);
  expect(await everything()).toEqual(virgin);
  await sync(pair);
  const before = await everything();
  for (const command of commands) await increp(command, pair);
  expect(await everything()).toEqual(before);
});

slowTest(
  'in a terminal of 80 columns every line fits, with names of double width and microseconds',
  async () => {
    await using pair = await fiveRuns();
    const { user } = pair.login('source', 'increp');
    await pair.source.query(`REVOKE SELECT ON "${WIDE}" FROM ${user}`);
    expect((await trySync(pair)).exitCode).toBe(3);
    for (const command of ['status', 'history', `history ${WIDE}`, 'history orders'])
      for (const lang of ['C.UTF-8', 'C']) {
        const lines = await inTerminal(pair, command, lang);
        expect(lines.length, command).toBeGreaterThan(4);
        for (const line of lines) expect(displayWidth(line), line).toBeLessThanOrEqual(80);
      }
    const status = await inTerminal(pair, 'status');
    expect(status[1]).toMatch(/^ok +orders +\d+ s ago +\d+ s {8}15 {2}20\d\d-\d\d-.*…$/);
    expect(status.join('\n')).toMatch(new RegExp(`\nfailing\\(1\\) {2}${WIDE} .*\n {4}error: role "`));
  },
);

test('what is older than 90 days goes with the next run, also of tables that are no longer configured', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query(
    `INSERT INTO _increp_runs SELECT (r).* FROM _increp_runs o, (VALUES ('orders', 89), ('orders', 91), ('former', 89),
       ('former', 91), ('a former one', 200)) v(name, days),
       jsonb_populate_record(o, jsonb_build_object('run_id', 'old ' || days, 'table_name', name,
         'started_at', now() - make_interval(days => days))) r`,
  );
  await sync(pair);
  const { rows } = await pair.destination.query(
    `SELECT table_name || ' ' || run_id AS run FROM _increp_runs WHERE run_id LIKE 'old %' ORDER BY 1`,
  );
  expect(rows.map(({ run }: { run: string }) => run)).toEqual(['former old 89', 'orders old 89']);
});

test('a killed run is in the history with its table, and so are all tables that failed', async () => {
  await using pair = await freshPair({
    tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'b' }, { ...ORDERS_CONFIG, name: 'c' }],
    sourceSql: `${String(ordersPreset.sourceSql)}; CREATE TABLE b AS TABLE orders; CREATE TABLE c AS TABLE orders`,
  });
  await sync(pair);
  const { user } = pair.login('source', 'increp');
  await pair.source.query(`REVOKE SELECT ON b, c FROM ${user}`);
  await trySync(pair);
  expect((await increp('history', pair)).stdout).toMatch(/PRIVILEGE_MISSING b: .*\n {4}also failed: c\n/);
  const blocker = await pair.source.connect();
  await blocker.query('BEGIN; LOCK TABLE orders');
  const marks = async () => {
    const names = (await readdir(join(pair.directory, 'sync-state'))).filter((name) =>
      name.startsWith('running.'),
    );
    return Promise.all(names.map((name) => readFile(stateFile(pair, name), 'utf8')));
  };
  await using running = startIncrep('sync orders --deletes', pair);
  await expect.poll(async () => (await marks()).join(''), { timeout: 20_000 }).toContain('"table":"orders"');
  expect((await history(pair)).runs).toHaveLength(2);
  running.kill('SIGKILL');
  await running.wait();
  const killed = {
    status: 'failed',
    error: {
      table: 'orders',
      code: 'INTERRUPTED',
      message: expect.stringMatching(
        /^process \d+ on host \S+ ended without a report during the sync of orders/,
      ),
      hint: expect.stringContaining('Run again: "increp sync orders --deletes".'),
    },
  };
  expect((await history(pair)).runs.at(-1)).toMatchObject(killed);
  expect((await increp('status orders', pair)).stdout).toMatch(/^failing\(1\) .*\n {4}error: process /m);
  await blocker.query('ROLLBACK');
  await sync(pair, 'orders --wait-lock 20s');
  expect(await marks()).toEqual([]);
  expect((await history(pair)).runs).toMatchObject([{}, {}, killed, { status: 'ok' }]);
});
