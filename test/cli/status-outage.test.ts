/** `increp status` when the destination is down, was down, or is shared; and what only this machine remembers. */
import { appendFile, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { big, killAfter } from '../support/chunked.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

interface StatusJson {
  readonly destination_error: { readonly code: string; readonly hint: string } | null;
  readonly tables: readonly Readonly<Record<string, unknown>>[];
}

async function status(pair: Pair, args = '') {
  const result = await increp(`status --json ${args}`, pair);
  const json = result.json<StatusJson>();
  return { exitCode: result.exitCode, stderr: result.stderr, json, table: json.tables[0] };
}

const historyFile = (pair: Pair, name = 'history.jsonl') => join(pair.directory, 'sync-state', name);
const destinationPort = (pair: Pair) => String(pair.login('destination').port);

const twoTables = {
  tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'others' }],
  sourceSql: `${String(ordersPreset.sourceSql)}; CREATE TABLE others (LIKE orders INCLUDING ALL)`,
};

test('without the destination and its own files, status does not say that a table was never synced', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await rm(join(pair.directory, 'sync-state'), { recursive: true });
  await pair.setEnv({ DEST_PORT: '1' });
  expect((await status(pair)).table).toMatchObject({ state: 'unknown', last_success_at: null });
  for (const args of ['status', 'status --local'])
    expect((await increp(args, pair)).stdout).toMatch(/^unknown {2}orders {2}unknown /m);
});

slowTest('failures are counted across an outage of the destination, and known while it lasts', async () => {
  await using pair = await freshPair(twoTables);
  await sync(pair, 'orders');
  const before = (await status(pair)).table;
  await pair.setEnv({ DEST_PORT: '1' });
  for (let run = 1; run <= 2; run += 1) expect((await trySync(pair)).exitCode).toBe(69);

  const down = await status(pair, '--exit-code');
  expect(down.exitCode).toBe(2);
  expect(down.json.destination_error).toMatchObject({
    code: 'CONNECTION_FAILED',
    hint: expect.stringContaining('DEST_PORT'),
  });
  expect(down.stderr).toMatch(
    /^warning: the destination cannot be reached, so only the state directory was read\. The reason: destination .*\n {2}next: Check DEST_HOST/,
  );
  const failing = {
    state: 'failing',
    failures_since_success: 2,
    last_error: { code: 'CONNECTION_FAILED', hint: expect.stringContaining('DEST_PORT') },
  };
  expect(down.json.tables).toMatchObject([
    {
      ...failing,
      cursor: before?.['cursor'],
      rows_last_day: 10,
      last_success_at: before?.['last_success_at'],
    },
    { ...failing, cursor: null, last_success_at: null },
  ]);
  const { stdout, stderr } = await increp('status', pair);
  expect(stderr).toBe(
    'warning: the destination cannot be reached, so only the state directory was read. The reason is the error of orders.\n',
  );
  expect(stdout).toMatch(
    /^failing\(2\) {2}orders .*\n {4}error: .*\(CONNECTION_FAILED, \d+ s ago\)\n {6}next: /m,
  );
  expect(stdout).toMatch(
    /^failing\(2\) {2}others .*\n {4}error: [A-Z_]+, as for orders\n2 tables: 2 failing, as of the last run on this machine \(from its files\)$/m,
  );

  // The destination is back, and has not heard of them.
  await pair.setEnv({ DEST_PORT: destinationPort(pair) });
  expect((await status(pair, '--exit-code')).json.tables).toMatchObject([failing, failing]);
  const { user } = pair.login('source', 'increp');
  await pair.source.query(`REVOKE SELECT ON orders FROM ${user}`);
  expect((await trySync(pair)).exitCode).toBe(3);
  expect((await status(pair)).json.tables).toMatchObject([
    { state: 'failing', failures_since_success: 3, last_error: { code: 'PRIVILEGE_MISSING' } },
    { state: 'ok', failures_since_success: 0, last_error: null },
  ]);
  await pair.source.query(`GRANT SELECT ON orders TO ${user}`);
  await sync(pair);
  expect((await status(pair, '--exit-code')).table).toMatchObject({ state: 'ok', failures_since_success: 0 });
});

slowTest('the two histories overlap, and no run and no row counts twice', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 5);
  await sync(pair);
  expect((await status(pair)).table).toMatchObject({ rows_last_day: 15 });
  // What the destination was not told is known here, and the other way round.
  await pair.destination.query('DELETE FROM _increp_runs WHERE rows_inserted = 5');
  expect((await status(pair)).table).toMatchObject({ rows_last_day: 15 });
  await rm(historyFile(pair));
  expect((await status(pair)).table).toMatchObject({ rows_last_day: 10 });
  await pair.destination.query('DROP TABLE _increp_runs');
  expect((await status(pair)).table).toMatchObject({ state: 'ok', rows_last_day: 0 });
});

test('--local asks no database, and says the same', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const asked = (await status(pair)).table;
  await pair.setEnv({ DEST_PORT: '1', SOURCE_PORT: '1' });
  const local = await status(pair, '--local --exit-code');
  expect(local).toMatchObject({
    exitCode: 0,
    stderr: 'note: only the state directory was read (--local)\n',
    json: { destination_error: null, source_error: null },
  });
  for (const field of ['state', 'cursor', 'complete_up_to', 'last_success_at', 'rows_last_day'])
    expect(local.table?.[field], field).toEqual(asked?.[field]);
});

test('rows without a replication key are in status, plan and history of their table after each run', async () => {
  await using pair = await freshPair(twoTables);
  await pair.source.query('ALTER TABLE orders ALTER updated_at DROP NOT NULL');
  await sync(pair);
  // A table of an earlier version lacks the column.
  await pair.destination.query('ALTER TABLE _increp_runs DROP COLUMN warned_tables');
  for (const rows of [1, 2, 3]) {
    await pair.source.query(`INSERT INTO orders VALUES (${100 + rows}, 1, 'x', NULL)`);
    await sync(pair, '--quiet');
    const text = new RegExp(`^${rows === 1 ? '1 row has' : `${rows} rows have`} no updated_at`);
    for (const args of ['', '--local']) {
      const { tables } = (await status(pair, args)).json;
      expect(tables.map(({ last_run }) => last_run)).toMatchObject([
        { warnings: [expect.stringMatching(text)] },
        { warnings: [] },
      ]);
    }
  }
  expect((await increp('status', pair)).stdout).toMatch(
    /warning \(orders, .* ago\): 3 rows have no updated_at/,
  );
  expect((await increp('plan', pair)).stdout).toMatch(/orders .*\n {4}note: 3 rows have no updated_at/);
  const runs = (await increp('history --json', pair)).json<{
    runs: { tables: { warnings: string[] }[] }[];
  }>();
  expect(runs.runs.at(-1)?.tables.map(({ warnings }) => warnings.length)).toEqual([1, 0]);
  // A failure does not end it.
  await pair.setEnv({ SOURCE_PORT: '1' });
  await trySync(pair);
  for (const args of ['', '--local'])
    expect((await increp(`status ${args}`, pair)).stdout).toMatch(
      /warning \(.* ago\): 3 rows have no updated_at/,
    );
  await pair.setEnv({ SOURCE_PORT: String(pair.login('source').port) });
  // Also if the last sync is too old for the question whether the table has changed.
  await pair.destination.query(
    `UPDATE _increp_state SET record = jsonb_set(record, '{syncedAt}', '"2020-01-01T00:00:00Z"')`,
  );
  expect((await increp('plan', pair)).stdout).toContain('note: 3 rows have no updated_at');
});

test('a failure whose cause is gone has no next step', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const expectNoStep = async (sentence: string) => {
    for (const command of ['plan', 'status', 'check']) {
      const stdout = (await increp(command, pair)).stdout.replaceAll(/\s+/g, ' ');
      expect(stdout, command).toContain(sentence);
      expect(stdout, command).not.toMatch(/DEST_DB|If the table was dropped/);
    }
  };
  const database = pair.login('destination').database;
  await pair.setEnv({ DEST_DB: 'nowhere' });
  await trySync(pair);
  await pair.setEnv({ DEST_DB: database });
  await expectNoStep('both servers answer now');
  await pair.source.query('ALTER TABLE orders RENAME TO away');
  expect((await trySync(pair)).table().error?.code).toBe('TABLE_NOT_FOUND');
  await pair.source.query('CREATE TABLE orders (LIKE away INCLUDING ALL); INSERT INTO orders TABLE away');
  await expectNoStep('the cause no longer applies');
  expect((await increp('status', pair)).stdout).toMatch(
    /^failing\(2\) [^]*\n {4}drift: [^]*\n {6}next: The next "increp sync" loads the table again/m,
  );
});

slowTest('a history that is torn, rotated or gone is read as far as it goes', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await rename(historyFile(pair), historyFile(pair, 'history.1.jsonl'));
  await pair.setEnv({ DEST_PORT: '1' });
  await trySync(pair);
  const text = await readFile(historyFile(pair), 'utf8');
  await appendFile(historyFile(pair), text.slice(0, -30));
  expect((await status(pair, '--local')).table).toMatchObject({
    failures_since_success: 1,
    rows_last_day: 10,
  });
  await trySync(pair);
  expect((await status(pair, '--local')).table).toMatchObject({ failures_since_success: 2 });
  for (const name of ['history.jsonl', 'history.1.jsonl']) await rm(historyFile(pair, name));
  const { table } = await status(pair, '--local');
  expect(table).toMatchObject({ state: 'ok', failures_since_success: 0, rows_last_day: 0 });
});

slowTest(
  'files that cannot be read leave the state unknown, which one warning says of all tables',
  async () => {
    await using pair = await freshPair(twoTables);
    await sync(pair);
    for (const name of ['history.jsonl', 'orders.json', 'others.json']) await rm(historyFile(pair, name));
    for (const name of ['orders.json', 'others.json']) await mkdir(historyFile(pair, name));
    const { json, stderr, exitCode } = await status(pair, '--local --exit-code');
    expect(json.tables.map(({ state }) => state)).toEqual(['unknown', 'unknown']);
    expect(stderr.match(/warning: /g)).toHaveLength(1);
    expect(stderr).toContain('warning: the status of orders, others is incomplete: the state file');
    expect(exitCode).toBe(2);
    expect((await status(pair)).json.tables.map(({ state }) => state)).toEqual(['ok', 'ok']);
  },
);

test('a state directory in which the next sync could not write is a 2 with --exit-code', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  expect((await status(pair, '--exit-code')).exitCode).toBe(0);
  await pair.setEnv({ STATE_DIR: join(pair.directory, 'tables-config.json', 'state') });
  const { table, json, exitCode, stderr } = await status(pair, '--exit-code');
  expect(table).toMatchObject({ state: 'ok' });
  expect(stderr).toContain('would fail: the state directory');
  expect(json).toMatchObject({ state_directory_error: { code: 'STATE_NOT_WRITABLE' } });
  expect((await increp('status', pair)).stdout).toMatch(
    /^1 table: 1 ok; a sync by user ".+" would fail \(STATE_NOT_WRITABLE\)$/m,
  );
  expect((await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ')).toMatch(
    /Plan: 1 table: 1 quiet but read again; about 10 rows, .* to read; a sync by user ".+" would fail \(STATE_NOT_WRITABLE\)\./,
  );
  expect(exitCode).toBe(2);
});

slowTest('a history that cannot be written is a warning, once, and the run is none the worse', async () => {
  await using pair = await freshPair(twoTables);
  await sync(pair);
  await rm(historyFile(pair));
  // A folder in its place stops root as well.
  await mkdir(historyFile(pair));
  const { stderr } = await sync(pair);
  expect(stderr.match(/the history in .* was not written: it is a directory/g)).toHaveLength(1);
  const { exitCode, stderr: said } = await increp('status', pair);
  expect(exitCode).toBe(0);
  expect(said).toMatch(/^warning: the history in .* cannot be read: it is a directory/);
});

slowTest('drift: what the source says, what the last run has said, and what wins', async () => {
  await using pair = await freshPair({
    ...twoTables,
    tables: [
      { ...ORDERS_CONFIG, on_schema_change: 'fail' },
      { ...ORDERS_CONFIG, name: 'others' },
    ],
  });
  await pair.source.query('INSERT INTO others TABLE orders');
  await sync(pair);
  await pair.source.query('ALTER TABLE orders ADD extra int; ALTER TABLE others ADD extra int');
  const drifted = await status(pair, '--exit-code');
  expect(drifted.exitCode).toBe(2);
  const [refused, again] = drifted.json.tables;
  expect(refused).toMatchObject({
    state: 'drift',
    last_error: null,
    drift: {
      message: expect.stringContaining('"extra"'),
      hint: expect.stringContaining('increp reset orders'),
    },
  });
  expect(again).toMatchObject({
    state: 'drift',
    drift: {
      hint: expect.stringMatching(/^The next "increp sync" loads .* run "increp plan others"\.$/),
    },
  });
  expect((await increp('status others', pair)).stdout).toMatch(
    /^drift {2}others .*\n {4}drift: column "extra" \(integer\) was added at the source.*\n {6}next: The next "increp sync" loads/m,
  );
  // Nobody looked, and no run has seen it.
  expect((await status(pair, '--no-source')).json.tables).toMatchObject([{ state: 'ok' }, { state: 'ok' }]);
  expect((await trySync(pair)).exitCode).toBe(3);
  for (const args of ['', '--no-source', '--local'])
    expect((await status(pair, args)).json.tables, args).toMatchObject([
      { state: 'failing', failures_since_success: 1, last_error: { code: 'SCHEMA_CHANGE_REFUSED' } },
      { state: 'ok' },
    ]);
  const { stdout } = await increp('status orders', pair);
  expect(stdout).toMatch(/^failing\(1\) {2}orders /m);
  expect(stdout.match(/"extra"/g)).toHaveLength(1);
  // Taken back at the source: until a run has succeeded it is failing, and no drift.
  await pair.source.query('ALTER TABLE orders DROP extra');
  expect((await status(pair, 'orders')).table).toMatchObject({ state: 'failing', drift: null });
});

slowTest('a load in chunks that was broken off says how far it is', async () => {
  await using pair = await freshPair(big());
  await killAfter(pair, 3);
  const { table } = await status(pair);
  expect(table).toMatchObject({ state: 'failing' });
  const load = table?.['pending_load'] as { chunks_done: number; chunks: number };
  const { chunks_done: done, chunks } = load;
  expect(done).toBeGreaterThanOrEqual(3);
  expect(done).toBeLessThan(chunks);
  expect((await increp('status', pair)).stdout).toContain(
    `\n    load in chunks: ${done} of ${chunks} chunks\n`,
  );
});

slowTest('another run on the table is no failure of the table', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query(
    `INSERT INTO _increp_runs SELECT (jsonb_populate_record(r, '{"run_id":"x","status":"failed","error_code":"RUN_LOCKED"}')).* FROM _increp_runs r`,
  );
  await pair.destination.query(`UPDATE _increp_runs SET started_at = now() WHERE run_id = 'x'`);
  expect((await status(pair, '--exit-code')).table).toMatchObject({ state: 'ok', failures_since_success: 0 });
});

slowTest('pipelines that share a destination schema see their own runs only', async () => {
  await using pair = await freshPair(twoTables);
  await sync(pair, 'orders');
  const { user } = pair.login('source', 'increp');
  const name = `pipeline_${pair.login('source').database}`;
  await pair.source.query(`REVOKE SELECT ON others FROM ${user}`);
  expect((await trySync(pair, 'others')).exitCode).toBe(77);
  const own = await status(pair);
  expect(own.json.tables).toMatchObject([{ state: 'ok', rows_last_day: 10 }, { state: 'failing' }]);
  await pair.setEnv({ PIPELINE_NAME: 'another' });
  expect((await status(pair)).json.tables).toMatchObject([
    { state: 'refused', rows_last_day: 0, cursor: null, last_run: null },
    { state: 'refused', failures_since_success: 0 },
  ]);
  expect((await status(pair, '--local')).table).toMatchObject({ state: 'unknown', cursor: null });
  await pair.setEnv({ PIPELINE_NAME: name });
  expect((await status(pair)).json.tables).toMatchObject([{ state: 'ok' }, { state: 'failing' }]);
});
