/** `increp plan`: what sync would do, and why, said and not done. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { testWithPgDump } from '../support/pg-dump.ts';

interface PlannedTable {
  readonly name: string;
  readonly action: string;
  readonly [field: string]: unknown;
}

async function plan(pair: Pair, args = '') {
  const result = await increp(`plan --json ${args}`, pair);
  return { exitCode: result.exitCode, tables: result.json<{ tables: PlannedTable[] }>().tables };
}

const NAMES = ['orders', 'quiet', 'changed', 'misshapen', 'off', 'unreadable', 'gone'];

/** One table of each kind, all but one synced. */
async function zoo(): Promise<Pair> {
  const pair = await freshPair({
    tables: NAMES.map((name) => ({ ...ORDERS_CONFIG, name, initial_load: 'copy', enabled: name !== 'off' })),
    sourceSql: `${String(ordersPreset.sourceSql)}; ${NAMES.filter((name) => name !== 'orders')
      .map(
        (name) =>
          `CREATE TABLE ${name} (LIKE orders INCLUDING ALL); INSERT INTO ${name} SELECT * FROM orders`,
      )
      .join('; ')}; ANALYZE`,
  });
  await sync(pair, '--exclude orders');
  await pair.source.query(`INSERT INTO changed (id) VALUES (50); ALTER TABLE misshapen ADD extra int;
    REVOKE SELECT ON unreadable FROM ${pair.login('source', 'increp').user}; DROP TABLE gone`);
  return pair;
}

test('a symbol, an action and a reason for each table, and a last line that counts', async () => {
  await using pair = await zoo();
  const { stdout, exitCode } = await increp('plan', pair);
  const lines = stdout.trimEnd().split('\n');
  for (const line of [
    /^\+ orders {6}initial {7}there is no copy yet; by copy, about 10 rows, \d/,
    /^~ quiet {7}incremental {3}nothing newer than 20/,
    /^~ changed {5}incremental {3}rows from 20.*; the source is at 20/,
    /^! misshapen {3}reset {9}column "extra" .*; by copy/,
    /^- off {9}skipped {7}it is disabled/,
    /^x unreadable {2}refused {7}role ".*" may not read public\.unreadable$/,
    /^ {4}next: At the source, run: GRANT SELECT ON "public"\."unreadable" TO/,
    /^x gone {8}refused {7}the source has no table public\.gone/,
  ]) {
    expect(lines).toContainEqual(expect.stringMatching(line));
  }
  expect(lines.at(-1)).toBe(
    'Plan: 1 to load, 1 to load again, 1 with changes, 1 quiet, 2 REFUSED, 1 skipped.',
  );
  expect(stdout).not.toContain('\u001b');
  // A missing privilege is 77 and a missing table is 78; together they are neither.
  expect(exitCode).toBe(1);
  expect((await increp('plan unreadable', pair)).exitCode).toBe(77);
  expect((await increp('plan gone --exit-code', pair)).exitCode).toBe(78);
});

test('the same as JSON, and sync does what was planned', async () => {
  await using pair = await zoo();
  const planned = await plan(pair);
  expect(planned.tables).toMatchObject([
    { name: 'orders', action: 'initial', loader: 'copy', estimated_rows: 10, cursor: null, error: null },
    { name: 'quiet', action: 'incremental', loader: null, looks_for_deletes: false },
    { name: 'changed', action: 'incremental' },
    { name: 'misshapen', action: 'reset', reason: expect.stringContaining('"extra"') },
    { name: 'off', action: 'skipped' },
    {
      name: 'unreadable',
      action: 'refused',
      error: { code: 'PRIVILEGE_MISSING', hint: expect.stringContaining('GRANT') },
    },
    { name: 'gone', action: 'refused', error: { code: 'TABLE_NOT_FOUND' } },
  ]);
  expect(planned.tables[1]?.['cursor']).toBe(planned.tables[1]?.['high_water_mark']);
  const done = await trySync(pair);
  expect(done.exitCode).toBe(3);
  expect(done.summary.tables.map(({ name, action, reason }) => ({ name, action, reason }))).toEqual(
    planned.tables.map(({ name, action, reason }) => ({
      name,
      action: action === 'refused' ? 'skipped' : action,
      reason,
    })),
  );
});

test('--exit-code tells whether there is something to do', async () => {
  await using pair = await freshPair('orders');
  const exitCodes = async () => [
    (await increp('plan', pair)).exitCode,
    (await increp('plan --exit-code', pair)).exitCode,
    (await increp('sync --dry-run', pair)).exitCode,
  ];
  expect(await exitCodes()).toEqual([0, 2, 0]);
  await sync(pair);
  expect(await exitCodes()).toEqual([0, 0, 0]);
  await insertOrders(pair, 1);
  expect(await exitCodes()).toEqual([0, 2, 0]);
  await sync(pair);
  expect((await increp('plan --exit-code --full-refresh', pair)).exitCode).toBe(2);
});

test('flags of sync are planned with', async () => {
  await using pair = await freshPair({ ...ordersPreset, tables: [{ ...ORDERS_CONFIG, deletes: 'hard' }] });
  await sync(pair);
  expect((await plan(pair, '--full-refresh')).tables).toMatchObject([
    { action: 'full-refresh', reason: 'a full refresh was asked for' },
  ]);
  expect((await plan(pair)).tables).toMatchObject([{ looks_for_deletes: false }]);
  expect((await plan(pair, '--deletes')).tables).toMatchObject([{ looks_for_deletes: true }]);
  expect((await plan(pair, '--deletes --exit-code')).exitCode).toBe(2);
  const { exitCode, stderr } = await increp('plan --exclude orders', pair);
  expect({ exitCode, stderr }).toEqual({ exitCode: 64, stderr: expect.stringContaining('no table is left') });
});

testWithPgDump('a loader that gives way and a state that is out of step are noted', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'items', replication_key: 'at', unique_cols: ['id'] }],
    sourceSql: `CREATE TABLE base (id int, at timestamptz); CREATE VIEW items AS SELECT * FROM base`,
  });
  const { stdout } = await increp('plan', pair);
  expect(stdout).toContain('    note: loaded by COPY instead of pg_dump: pg_dump writes no rows for a view');
});
