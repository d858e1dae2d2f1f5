/** `increp status`: every state that a copy can be in, for people and for scripts. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { increp, startIncrep } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

interface StatusJson {
  readonly pipeline: string;
  readonly destination_error: { readonly code: string; readonly hint: string } | null;
  readonly tables: readonly Readonly<Record<string, unknown>>[];
}

async function status(pair: Pair, args = '') {
  const result = await increp(`status --json ${args}`, pair);
  const json = result.json<StatusJson>();
  return { exitCode: result.exitCode, stderr: result.stderr, json, table: json.tables[0] };
}

/** Moves all that is remembered of runs into the past; what this machine remembers is forgotten. */
async function age(pair: Pair, interval: string): Promise<void> {
  await rm(join(pair.directory, 'sync-state', 'history.jsonl'), { force: true });
  await pair.destination.query(`UPDATE _increp_runs SET started_at = started_at - interval '${interval}'`);
}

test('never synced, then ok', async () => {
  await using pair = await freshPair('orders');
  expect(await status(pair, '--exit-code')).toMatchObject({
    exitCode: 2,
    table: { name: 'orders', state: 'never synced', cursor: null, last_success_at: null, last_run: null },
  });
  expect((await increp('status', pair)).stdout).toMatch(
    /^never synced {2}orders {2}never {11}- {9}0 {2}-\n1 table: 1 never synced$/m,
  );
  await sync(pair);
  const { exitCode, json, table } = await status(pair, '--exit-code');
  expect({ exitCode, error: json.destination_error }).toEqual({ exitCode: 0, error: null });
  expect(json).toMatchObject({ source_error: null });
  expect(table).toMatchObject({
    state: 'ok',
    failures_since_success: 0,
    rows_last_day: 10,
    last_error: null,
    drift: null,
    pending_load: null,
    last_run: { action: 'initial', rows_inserted: 10, error_code: null },
  });
  expect(table?.['complete_up_to']).toBe(table?.['cursor']);
  expect(table?.['lag_seconds']).toBeGreaterThan(0);
  expect(table?.['lag_seconds']).toBeLessThan(60);
  expect(table?.['last_success_at']).toMatch(/^20\d\d-\d\d-\d\dT[\d:.]+Z$/);
  expect((await increp('status', pair)).stdout).toMatch(
    /^STATE {2}TABLE {3}LAST SUCCESS +LAG {2}ROWS\/24H {2}CURSOR\nok {5}orders {2}\d+ s ago {5,6} +\d+ s {8}10 {2}20\d\d-/,
  );
});

slowTest('stale, by max_staleness of each table', async () => {
  const tables = [
    { ...ORDERS_CONFIG, max_staleness: '1h', warn_staleness: '30m' },
    { ...ORDERS_CONFIG, name: 'others' },
  ];
  const sourceSql = `${String(ordersPreset.sourceSql)}; CREATE TABLE others AS TABLE orders`;
  await using pair = await freshPair({ tables, sourceSql });
  await sync(pair);
  await age(pair, '59 min');
  const late = await status(pair, '--exit-code');
  expect(late.exitCode).toBe(0);
  expect(late.json.tables).toMatchObject([{ state: 'late' }, { state: 'ok' }]);
  await age(pair, '2 min');
  const { exitCode, json } = await status(pair, '--exit-code');
  expect(exitCode).toBe(2);
  expect(json.tables).toMatchObject([{ state: 'stale' }, { state: 'ok' }]);
  expect((await increp('status', pair)).stdout).toMatch(
    /^stale {2}orders {2}61 min ago .*\n {4}next: No run has failed since then. Check the scheduler that starts the runs/m,
  );
  expect((await increp('status others --exit-code', pair)).exitCode).toBe(0);
});

test('failing, with how often, the error and the hint, until it succeeds again', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const { user } = pair.login('source', 'increp');
  await pair.source.query(`REVOKE SELECT ON orders FROM ${user}`);
  for (let run = 1; run <= 2; run += 1) expect((await trySync(pair)).exitCode).toBe(77);
  const { exitCode, table } = await status(pair, '--exit-code');
  expect(exitCode).toBe(2);
  expect(table).toMatchObject({
    state: 'failing',
    failures_since_success: 2,
    last_run: {
      status: 'failed',
      error_code: 'PRIVILEGE_MISSING',
      error_hint: expect.stringContaining(`GRANT SELECT ON "public"."orders" TO "${user}"`),
    },
  });
  const { stdout, exitCode: plain } = await increp('status', pair);
  expect(plain).toBe(0);
  expect(stdout).toMatch(
    /^failing\(2\) {2}orders .*\n {4}error: role ".*" may not read public\.orders at the source \(PRIVILEGE_MISSING, \d+ s ago\)\n {6}next: At the source, run: GRANT/m,
  );
  await pair.source.query(`GRANT SELECT ON orders TO ${user}`);
  await sync(pair);
  expect((await status(pair)).table).toMatchObject({ state: 'ok', failures_since_success: 0 });
});

slowTest('failing from the first run on', async () => {
  const wrong = { ...ORDERS_CONFIG, name: 'others', replication_key: 'nothing' };
  await using pair = await freshPair({
    tables: [ORDERS_CONFIG, wrong],
    sourceSql: `${String(ordersPreset.sourceSql)}; CREATE TABLE others AS TABLE orders`,
  });
  // While every table is refused, nothing is made at the destination, a history neither: it is here.
  expect((await trySync(pair, 'others')).exitCode).toBe(78);
  expect((await status(pair, 'others')).table).toMatchObject({
    state: 'failing',
    failures_since_success: 1,
    last_error: { code: 'COLUMN_NOT_FOUND', sqlstate: null },
  });
  expect((await trySync(pair)).exitCode).toBe(3);
  expect((await status(pair)).json.tables).toMatchObject([
    { state: 'ok' },
    { state: 'failing', failures_since_success: 2, last_success_at: null },
  ]);
});

test('running, while a sync holds the lock, and complete only up to open transactions', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 1);
  const open = await pair.source.connect();
  await open.query('BEGIN; SELECT FROM orders');
  {
    await using running = startIncrep('sync -v --wait-transactions 40s', pair);
    await running.waitForPhase('fence');
    expect(await status(pair, '--exit-code')).toMatchObject({ exitCode: 0, table: { state: 'running' } });
    const name = `process ${running.pid} on host \\S+ \\(pipeline \\w+\\), started \\d`;
    expect((await increp('status', pair)).stdout).toMatch(new RegExp(`\n    running: ${name}`));
    expect((await increp('plan', pair)).stdout).toMatch(
      new RegExp(`\n    note: another run syncs this table now: ${name}`),
    );
    await open.query('SAVEPOINT before; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE');
    expect((await status(pair)).table).toMatchObject({
      active_run: expect.stringMatching(
        /; the source table is locked by pid \d+ .* at the source$/,
      ) as string,
    });
    await open.query('ROLLBACK TO before');
  }
  await sync(pair, '--wait-transactions 50ms --wait-lock 20s');
  const { table } = await status(pair);
  expect(table?.['state']).toBe('ok');
  expect(table?.['complete_up_to']).not.toBe(table?.['cursor']);
  expect((await increp('status', pair)).stdout).toContain('\n    complete up to 20');
  await open.query('COMMIT');
  open.release();
});

test('disabled tables are no trouble', async () => {
  await using pair = await freshPair({ ...ordersPreset, tables: [{ ...ORDERS_CONFIG, enabled: false }] });
  expect(await status(pair, '--exit-code')).toMatchObject({ exitCode: 0, table: { state: 'disabled' } });
});

test('the source need not be there', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.setEnv({ SOURCE_PORT: '1' });
  const { exitCode, table, json, stderr } = await status(pair, '--exit-code');
  expect({ exitCode, state: table?.['state'] }).toEqual({ exitCode: 0, state: 'ok' });
  expect(json).toMatchObject({ source_error: { code: 'CONNECTION_FAILED' } });
  expect(stderr).toMatch(/^note: schema changes were not checked\. The reason: source .*\n {2}next: /);
  const without = await status(pair, '--exit-code --no-source');
  expect(without).toMatchObject({ exitCode: 0, stderr: '', json: { source_error: null } });
});

test('an unknown table is a usage error', async () => {
  await using pair = await freshPair('orders');
  const { exitCode, stderr } = await increp('status order', pair);
  expect(exitCode).toBe(64);
  expect(stderr).toContain('did you mean "orders"');
});

slowTest(
  'a dropped and an emptied destination table are named, and a reset answers older failures',
  async () => {
    await using pair = await freshPair({
      tables: ['a', 'b', 'c'].map((name) => ({ ...ORDERS_CONFIG, name })),
      sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id) VALUES (1);
      ${['a', 'b', 'c'].map((name) => `CREATE TABLE ${name} AS TABLE orders`).join('; ')}`,
    });
    await sync(pair);
    await pair.destination.query('DROP TABLE a; TRUNCATE b');
    const { stdout } = await increp('status', pair);
    expect(stdout).toMatch(
      /drift +a .*\n +drift: the destination table was dropped\n +next: The next "increp sync" loads/,
    );
    expect(stdout).toMatch(/drift +b .*\n +drift: the destination table was emptied/);
    await pair.source.query('ALTER TABLE c RENAME TO d');
    await trySync(pair, 'c');
    expect((await increp('status', pair)).stdout).toMatch(/failing\(1\) +c/);
    await pair.source.query('ALTER TABLE d RENAME TO c');
    await increp('reset c', pair);
    const after = (await increp('status', pair)).stdout;
    expect(after).not.toContain('failing');
    expect(after).toMatch(/^reset +c /m);
    expect(after).toMatch(/reset .* ago: the next sync loads the table again/);
  },
);

test('a view that prevents the new shape is named before the sync fails', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('CREATE VIEW notes AS SELECT id, note FROM orders');
  await pair.source.query('ALTER TABLE orders DROP COLUMN note');
  const { table, exitCode } = await status(pair, '--exit-code');
  expect(exitCode).toBe(2);
  expect(table).toMatchObject({ state: 'drift', next_sync_error: { code: 'DEPENDENT_OBJECTS' } });
  const { stdout } = await increp('status', pair);
  expect(stdout).toMatch(
    /^ {4}drift: column "note" .*\n {4}the next sync fails: public\.orders needs a new shape, but view public\.notes/m,
  );
  expect(stdout).not.toContain('The next "increp sync"');
  expect((await trySync(pair)).table().error?.code).toBe('DEPENDENT_OBJECTS');
  expect((await increp('status', pair)).stdout).not.toContain('the next sync fails');
});
