/** Loads in chunks that end in the middle, and what the next run makes of them. */
import { describe, expect, test } from 'vitest';
import { waitUntil } from '../support/activity.ts';
import {
  big,
  BIG,
  chunked,
  chunksDone,
  fill,
  goThrough,
  killAfter,
  SLOWLY,
  STAMP,
  waitForChunks,
} from '../support/chunked.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import type { Trigger } from '../support/proxy.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const RESUMED = /continues an interrupted load: (\d+) of 13 chunks are done/;
const STARTED_OVER = /starts again, because an interrupted load cannot be continued: /;

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

describe('a load that was broken off starts over', () => {
  const CASES: readonly [string, 'source' | 'destination', string, RegExp][] = [
    ['VACUUM FULL', 'source', 'VACUUM FULL big', /rewritten meanwhile/],
    ['TRUNCATE and new rows', 'source', `TRUNCATE big; ${fill('big', 15_000)}`, /rewritten meanwhile/],
    ['another shape', 'source', 'ALTER TABLE big RENAME note TO remark', /altered meanwhile/],
    ['another table', 'source', `DROP TABLE big; ${BIG}`, /altered meanwhile/],
    ['a dropped staging table', 'destination', 'DROP TABLE big_stg', /staging table was dropped/],
    ['an emptied staging table', 'destination', 'TRUNCATE big_stg', /emptied/],
    [
      'a state of another version',
      'destination',
      `UPDATE _increp_loads SET header = '{"format": 2}'`,
      /another version/,
    ],
  ];
  test.each(oneIn(8, CASES))('after %s', async (_what, side, sql, why) => {
    await using pair = await freshPair(big());
    await killAfter(pair, 3);
    await pair[side].query(sql);
    const { reason } = (await sync(pair)).table();
    expect(reason).toMatch(STARTED_OVER);
    expect(reason).toMatch(why);
    await expectSameRows(pair, 'big');
  });

  slowTest('when the table is rewritten while it runs', async () => {
    await using pair = await freshPair(big());
    await using proxy = await faultProxy(pair.login('source'));
    await goThrough(pair, 'source', proxy);
    proxy.throttle(SLOWLY);
    await using running = startIncrep('sync --json', pair);
    await waitForChunks(pair, 3);
    await pair.source.query('DELETE FROM big WHERE id < 3000');
    await pair.source.query('VACUUM FULL big');
    await proxy.resume();
    const result = await running.wait();
    expect(result.exitCode, result.stderr).toBe(0);
    expect(result.stderr).toMatch(/was rewritten at the source/);
    await expectSameRows(pair, 'big');
  });

  slowTest('when a materialized view is refreshed', async () => {
    await using pair = await freshPair({
      tables: [chunked('big')],
      sourceSql: `CREATE TABLE base (id bigint, note text, ${STAMP}); ${fill('base')};
        CREATE MATERIALIZED VIEW big AS SELECT * FROM base`,
    });
    await killAfter(pair, 3);
    await pair.source.query('DELETE FROM base WHERE id < 3000; REFRESH MATERIALIZED VIEW big');
    expect((await sync(pair)).table().reason).toMatch(/rewritten meanwhile/);
    await expectSameRows(pair, 'big');
  });
});

describe('a column that is added in the middle of a load', () => {
  const ADDED = `ALTER TABLE big ADD plain text, ADD extra int DEFAULT 7, ADD mood mood DEFAULT 'calm';
    UPDATE big SET plain = 'new', updated_at = now() WHERE id % 100 = 1`;
  const withMood = () => ({
    ...big({ on_schema_change: 'evolve' }),
    sourceSql: `CREATE TYPE mood AS ENUM ('calm', 'wild'); ${BIG}`,
  });

  const expectEvolved = async (pair: Pair) => {
    const columns = ['id', 'note', 'updated_at'];
    await expectSameRows(pair, 'big', { columns });
    const { action, reason } = (await sync(pair)).table();
    expect(action, reason).toBe('incremental');
    await expectSameRows(pair, 'big');
  };

  test('between two runs is left to the next sync', async () => {
    await using pair = await freshPair(withMood());
    await killAfter(pair, 3);
    await pair.source.query(ADDED);
    await killAfter(pair, 8);
    const { reason } = (await sync(pair)).table();
    expect(reason).toMatch(RESUMED);
    expect(reason).toMatch(/the next sync adds the columns "plain", "extra", "mood"/);
    await expectEvolved(pair);
  });

  slowTest('during a run is left to the next sync', async () => {
    await using pair = await freshPair(withMood());
    await using proxy = await faultProxy(pair.login('source'));
    await goThrough(pair, 'source', proxy);
    proxy.throttle(SLOWLY);
    await using running = startIncrep('sync --json', pair);
    await waitForChunks(pair, 3);
    await pair.source.query(ADDED);
    await proxy.resume();
    const result = await running.wait();
    expect(result.exitCode, result.stderr).toBe(0);
    expect(result.stdout).toMatch(/the next sync adds the columns/);
    await expectEvolved(pair);
  });

  slowTest('with a value of its own for each row rewrites the table, so the load starts over', async () => {
    await using pair = await freshPair(big({ on_schema_change: 'evolve' }));
    await killAfter(pair, 3);
    await pair.source.query('ALTER TABLE big ADD drawn float8 DEFAULT random()');
    expect((await sync(pair)).table().reason).toMatch(/rewritten meanwhile/);
    await expectSameRows(pair, 'big');
  });
});

slowTest('partitions that come and go do not stop it', async () => {
  await using pair = await freshPair({
    tables: [chunked('big')],
    sourceSql: `CREATE TABLE big (id bigint, note text, ${STAMP}, PRIMARY KEY (id)) PARTITION BY RANGE (id);
      CREATE TABLE big_1 PARTITION OF big FOR VALUES FROM (0) TO (4000);
      CREATE TABLE big_2 PARTITION OF big FOR VALUES FROM (4000) TO (8000);
      CREATE TABLE big_3 PARTITION OF big FOR VALUES FROM (8000) TO (30000); ${fill('big')}`,
  });
  await killAfter(pair, 4);
  await pair.source.query(`DROP TABLE big_1; ALTER TABLE big DETACH PARTITION big_2;
    CREATE TABLE big_4 (LIKE big INCLUDING ALL); ${fill('big_4', 2000, 50_000)};
    ALTER TABLE big ATTACH PARTITION big_4 FOR VALUES FROM (40000) TO (60000)`);
  expect((await sync(pair)).table().reason).toMatch(/continues an interrupted load/);
  await expectSameRows(pair, 'big');
});

describe('a load that was broken off is forgotten', () => {
  const loads = async (pair: Pair) => (await pair.destination.query('TABLE _increp_loads')).rowCount;

  test('by "increp reset"', async () => {
    await using pair = await freshPair(big());
    await killAfter(pair, 3);
    expect(await loads(pair)).toBe(1);
    await increp('reset big', pair);
    expect(await loads(pair)).toBe(0);
    const staging = await pair.destination.query(`SELECT to_regclass('big_stg') IS NULL AS "isGone"`);
    expect(staging.rows).toEqual([{ isGone: true }]);
    expect((await sync(pair)).table().reason).toMatch(/there is no destination table yet; in 13 chunks/);
    await expectSameRows(pair, 'big');
  });

  slowTest('by a load in one go', async () => {
    await using pair = await freshPair(big());
    await killAfter(pair, 3);
    await pair.writeTables([chunked('big', { chunk: undefined })]);
    const { reason, warnings } = (await sync(pair)).table();
    expect(reason).toBe('there is no destination table yet');
    expect(warnings).toEqual([
      expect.stringMatching(/^this sync discarded an interrupted load in chunks \(/),
    ]);
    expect(await loads(pair)).toBe(0);
    await expectSameRows(pair, 'big');
  });

  slowTest('by an incremental sync, which needs the staging table', async () => {
    await using pair = await freshPair(big());
    await sync(pair);
    const stopped = await killAfter(pair, 3, 'sync --full-refresh', 'SIGTERM');
    // A sync that is not asked for a full refresh would forget the chunks.
    expect(stopped.stdout).toMatch(
      /of 13 chunks are kept .*\n +next: +The next sync without --full-refresh discards this load; to continue with the remaining chunks:\n +increp sync --full-refresh$/m,
    );
    const plan = await increp('plan --full-refresh', pair);
    expect(plan.stdout).toMatch(RESUMED);
    expect((await increp('plan', pair)).stdout).toContain('this sync discards an interrupted full refresh');
    await pair.source.query(`UPDATE big SET note = 'changed', updated_at = now() WHERE id = 5`);
    const { warnings, ...synced } = (await sync(pair)).table();
    expect(synced).toMatchObject({ action: 'incremental', rows_updated: 1 });
    expect(warnings).toEqual([
      expect.stringMatching(
        /^this sync discarded an interrupted full refresh \(\d+ of 13 chunks were done\); to load the table from the start, run "increp sync big --full-refresh"$/,
      ),
    ]);
    expect(await loads(pair)).toBe(0);
    expect((await sync(pair, '--full-refresh')).table().reason).toMatch(/; in 13 chunks/);
    await expectSameRows(pair, 'big');
  });
});
