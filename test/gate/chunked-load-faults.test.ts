/** Loads in chunks that are killed or lose a connection, and what the next run makes of them. */
import { describe, expect, test } from 'vitest';
import { waitUntil } from '../support/activity.ts';
import {
  big,
  BIG,
  chunksDone,
  goThrough,
  killAfter,
  SLOWLY,
  waitForChunks,
  RESUMED,
} from '../support/chunked.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import type { Trigger } from '../support/proxy.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

/** Rows that scans of the table have read at the source so far. */
async function rowsScanned(pair: Pair): Promise<number> {
  await pair.source.query('SELECT pg_sleep(0.6)');
  const { rows } = await pair.source.query<{ read: string }>(
    `SELECT seq_tup_read AS read FROM pg_stat_user_tables WHERE relname = 'big'`,
  );
  return Number(rows[0]?.read);
}

test('killed at two thirds, the next run reads the rest only', async () => {
  await using pair = await freshPair({ ...big(), sourceSql: `${BIG}; CREATE INDEX ON big (updated_at)` });
  await killAfter(pair, 8);
  const done = await chunksDone(pair);
  expect(done).toBeGreaterThanOrEqual(8);
  expect(done).toBeLessThan(13);
  // A crash of the destination would empty an unlogged table, and leave the word that the chunks are done.
  const staging = await pair.destination.query(
    `SELECT relpersistence AS kind FROM pg_class WHERE relname = 'big_stg'`,
  );
  expect(staging.rows).toEqual([{ kind: 'p' }]);
  const plan = await increp('plan', pair);
  expect(plan.stdout).toContain(
    `there is no destination table yet; continues an interrupted load: ${done} of 13 chunks are done; by copy`,
  );
  const { tables } = (await increp('plan --json', pair)).json<{ tables: Record<string, number>[] }>();
  const [{ estimated_rows: rest = NaN, table_rows: whole = NaN } = {}] = tables;
  // The window after the chunks has the newest row.
  expect(rest).toBeCloseTo((whole * (13 - done)) / 13 + 1);
  const killed = await lastRun(pair);
  expect(killed).toMatchObject({ status: 'failed', action: 'initial', bytes: expect.any(Number) as number });
  // As of the last sign of life, which may be a second old.
  expect(killed['rows_read']).toBeGreaterThan(0);
  expect(killed['rows_read']).toBeLessThanOrEqual(done * 1700);
  const before = await rowsScanned(pair);
  const result = (await sync(pair)).table();
  // 1,600 rows a chunk; and once more the whole for its keys.
  expect((await rowsScanned(pair)) - before).toBeLessThanOrEqual((13 - done) * 1700 + 20_000);
  expect(RESUMED.exec(result.reason)?.[1]).toBe(String(done));
  // The chunks of the run before do not count.
  expect(result).toMatchObject({ action: 'initial', rows_inserted: 20_000 });
  expect(result.rows_read).toBeGreaterThan(1000);
  expect(result.rows_read).toBeLessThanOrEqual((13 - done) * 1700 + 1);
  expect(result.bytes).toBeLessThan(1_500_000);
  await expectSameRows(pair, 'big');
});

async function lastRun(pair: Pair): Promise<Record<string, unknown>> {
  const { runs } = (await increp('history --json --limit 1', pair)).json<{
    runs: { tables: Record<string, unknown>[] }[];
  }>();
  const [table] = runs[0]?.tables ?? [];
  if (!table) throw new Error('the last run has no table');
  return table;
}

const CLAIM = '"_increp_chunks" (load_id';
const places: [string, Trigger, number][] = [
  ['before the load is known', { from: 'client', seen: '"_increp_loads" (table_name', fault: 'stall' }, 0],
  ['before the first chunk', { from: 'client', seen: CLAIM, fault: 'stall' }, 0],
  ['while the first chunk is copied', { from: 'client', afterBytes: 100_000, fault: 'stall' }, 0],
  [
    'between a chunk and its commit',
    { from: 'client', seen: 'COMMIT', after: 'done_at = pg_catalog.clock_timestamp()', fault: 'stall' },
    0,
  ],
  [
    'between a chunk and the next',
    { from: 'client', seen: CLAIM, after: 'done_at = pg_catalog.clock_timestamp()', fault: 'stall' },
    1,
  ],
  ['before the index', { from: 'client', seen: 'ADD CONSTRAINT', fault: 'stall' }, 13],
  ['before the window', { from: 'client', seen: 'CREATE UNLOGGED TABLE', fault: 'stall' }, 13],
  ['before the window is merged', { from: 'client', seen: 'ONLY "public"."big_stg" t', fault: 'stall' }, 13],
  [
    'before the keys are compared',
    { from: 'client', seen: 'TRUNCATE "public"."big_incr', fault: 'stall' },
    13,
  ],
  ['before it takes its place', { from: 'client', seen: 'RENAME TO "big"', fault: 'stall' }, 13],
  [
    'before it is forgotten',
    { from: 'client', seen: 'DELETE FROM "public"."_increp_loads"', after: 'RENAME', fault: 'stall' },
    13,
  ],
  ['before the last commit', { from: 'client', seen: 'COMMIT', after: 'RENAME TO', fault: 'stall' }, 13],
];

test.each(oneIn(16, places))('killed %s', async (_where, trigger, kept) => {
  await using pair = await freshPair(big());
  await using proxy = await faultProxy(pair.login('destination', 'increp'));
  await goThrough(pair, 'destination', proxy);
  proxy.when(trigger);
  await using running = startIncrep('sync', pair);
  await proxy.waitUntilFired();
  running.kill('SIGKILL');
  await running.wait();
  await proxy.resume();
  proxy.reset();
  const { rows } = await pair.destination.query(`SELECT to_regclass('big') IS NULL AS "isAbsent"`);
  expect(rows).toEqual([{ isAbsent: true }]);
  expect(await chunksDone(pair)).toBe(kept);
  if (kept === 13) {
    expect((await increp('plan', pair)).stdout).toMatch(
      /13 of 13 chunks are done, so it reads the changes since then and compares all keys; by copy, about [\d,]+ rows,/,
    );
  }
  const { reason } = (await sync(pair)).table();
  if (_where === 'before the load is known') expect(reason).not.toMatch(RESUMED);
  else expect(RESUMED.exec(reason)?.[1]).toBe(String(kept));
  await expectSameRows(pair, 'big');
  expect(await chunksDone(pair)).toBe(0);
});

slowTest('killed again and again, it comes to its end, with rows changing in between', async () => {
  await using pair = await freshPair(big({ load_jobs: 2 }));
  for (let kill = 1; kill <= 4; kill += 1) {
    await killAfter(pair, kill * 3 - 1);
    await pair.source.query(
      `UPDATE big SET note = 'changed ${kill}', updated_at = now() WHERE id % 7 = ${kill};
       DELETE FROM big WHERE id % 50 = ${kill};
       INSERT INTO big (id, note) SELECT ${kill} * 100000 + i, 'new' FROM generate_series(1, 500) i`,
    );
  }
  expect((await sync(pair)).table().reason).toMatch(RESUMED);
  await expectSameRows(pair, 'big');
});

test('a signal says what is kept, and ends all backends', async () => {
  await using pair = await freshPair(big({ load_jobs: 3, chunk: '64kB' }));
  const result = await killAfter(pair, 6, 'sync --json', 'SIGTERM');
  expect(result.exitCode).toBe(143);
  const done = await chunksDone(pair);
  const stored = await pair.destination.query<{ rows_read: number; bytes: number }>(
    'SELECT sum(rows)::int AS rows_read, sum(bytes)::int AS bytes FROM _increp_chunks',
  );
  const [read = { rows_read: NaN, bytes: NaN }] = stored.rows;
  expect(await lastRun(pair)).toMatchObject(read);
  expect(result.lines().at(-1)).toMatchObject({
    tables: [
      {
        ...read,
        error: {
          code: 'INTERRUPTED',
          message: expect.stringMatching(new RegExp(`; ${done} of \\d+ chunks are kept$`)) as string,
          hint: expect.stringMatching(/The next run continues with the remaining chunks\.$/) as string,
        },
      },
    ],
  });
  await sync(pair);
  await expectSameRows(pair, 'big');
});

describe('a connection that breaks', () => {
  for (const side of oneIn(2, ['source', 'destination'] as const)) {
    test(`to the ${side} costs one chunk, however often it does`, async () => {
      await using pair = await freshPair(big());
      await using proxy = await faultProxy(pair.login(side, side === 'source' ? 'superuser' : 'increp'));
      await goThrough(pair, side, proxy);
      // In the middle of the second chunk, more often than a table is tried again that does not come further.
      const from = side === 'source' ? 'server' : 'client';
      proxy.when({ from, afterBytes: 300_000, fault: 'reset', times: 6 });
      const result = await sync(pair);
      expect(proxy.fired).toBe(6);
      expect(result.stderr).toMatch(/of 13 chunks are kept; trying again/);
      expect(result.table()).toMatchObject({ rows_read: 20_001, rows_inserted: 20_000 });
      await expectSameRows(pair, 'big');
    });
  }

  test('and with it the reply to the commit of a chunk, counts that chunk once', async () => {
    await using pair = await freshPair(big());
    await using proxy = await faultProxy(pair.login('destination', 'increp'));
    await goThrough(pair, 'destination', proxy);
    proxy.when({
      from: 'client',
      seen: 'COMMIT',
      after: 'done_at = pg_catalog.clock_timestamp()',
      fault: 'lose-reply',
    });
    expect((await sync(pair)).table()).toMatchObject({ rows_read: 20_001, rows_inserted: 20_000 });
    expect(proxy.fired).toBe(1);
    await expectSameRows(pair, 'big');
  });

  slowTest('with the lock of the table stops the chunks', async () => {
    await using pair = await freshPair(big());
    await using proxy = await faultProxy(pair.login('source'));
    await goThrough(pair, 'source', proxy);
    proxy.throttle(SLOWLY);
    await using running = startIncrep('sync --json', pair);
    await waitForChunks(pair, 3);
    const { rowCount } = await pair.destination.query(
      `SELECT pg_terminate_backend(pid) FROM (SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) holders`,
    );
    expect(rowCount).toBe(1);
    await running.waitForStderr('trying again');
    await proxy.resume();
    expect((await running.wait()).exitCode).toBe(0);
    await expectSameRows(pair, 'big');
  });
});

slowTest('a backend of a killed run that still commits its chunk is waited for', async () => {
  await using pair = await freshPair(big());
  await killAfter(pair, 2);
  // In its place: the very chunk that comes next, copied and not committed yet.
  const orphan = await pair.destination.connect();
  const { rows } = await orphan.query<{ id: string; next: number }>(
    `SELECT load_id AS id, max(chunk) + 1 AS next FROM _increp_chunks GROUP BY 1`,
  );
  const { id, next } = rows[0] ?? { id: '', next: 0 };
  const range = `ctid >= '(${next * 31},0)' AND ctid < '(${(next + 1) * 31},0)'`;
  const { rows: header } = await orphan.query<{ starts: number[] }>(
    `SELECT header -> 'starts' AS starts FROM _increp_loads`,
  );
  expect(header[0]?.starts[next]).toBe(next * 31);
  const { rows: chunk } = await pair.source.query(`SELECT * FROM big WHERE ${range}`);
  await orphan.query('BEGIN');
  await orphan.query(`INSERT INTO _increp_chunks (load_id, chunk, rows, bytes) VALUES ($1, $2, $3, 0)`, [
    id,
    next,
    chunk.length,
  ]);
  await orphan.query(`INSERT INTO big_stg SELECT * FROM json_populate_recordset(NULL::big_stg, $1)`, [
    JSON.stringify(chunk),
  ]);
  await using running = startIncrep('sync --json', pair);
  await waitUntil('a wait for that chunk', async () => {
    const waiting = await pair.destination.query(`SELECT FROM pg_locks WHERE NOT granted`);
    return (waiting.rowCount ?? 0) > 0;
  });
  // Before it has copied a row of it.
  const writing = await pair.destination.query(
    `SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE l.relation = 'big_stg'::regclass AND a.application_name LIKE 'increp %'`,
  );
  expect(writing.rowCount).toBe(0);
  await orphan.query('COMMIT');
  orphan.release();
  const result = await running.wait();
  expect(result.exitCode, result.stderr).toBe(0);
  expect(result.lines().at(-1)).toMatchObject({ tables: [{ rows_inserted: 20_000 }] });
  const doubled = await pair.destination.query('SELECT id FROM big GROUP BY 1 HAVING count(*) > 1');
  expect(doubled.rowCount).toBe(0);
});

slowTest('another run in the meantime is sent away', async () => {
  await using pair = await freshPair(big());
  await using proxy = await faultProxy(pair.login('source'));
  await goThrough(pair, 'source', proxy);
  proxy.throttle(SLOWLY);
  await using running = startIncrep('sync', pair);
  await waitForChunks(pair, 1);
  const other = await trySync(pair);
  expect(other.exitCode).toBe(75);
  expect(other.table().error?.code).toBe('RUN_LOCKED');
  await proxy.resume();
  expect((await running.wait()).exitCode).toBe(0);
  await expectSameRows(pair, 'big');
});
