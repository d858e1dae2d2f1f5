/** Loads in chunks while the source goes on changing, and while people read the old copy. */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { expect, test } from 'vitest';
import { big, BIG, chunked, chunksDone, goThrough, killAfter, STAMP } from '../support/chunked.ts';
import { waitUntil } from '../support/activity.ts';
import { startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

/** A run that is slow until `meanwhile` is through, at first after so many chunks. */
async function syncWhile(
  pair: Pair,
  meanwhile: (isRunning: () => boolean) => Promise<unknown>,
  { args = 'sync --json', afterChunks = 1, bytesPerSecond = 800_000 } = {},
) {
  await using proxy = await faultProxy(pair.login('source'));
  await goThrough(pair, 'source', proxy);
  proxy.throttle(bytesPerSecond);
  await using running = startIncrep(args, pair);
  let hasEnded = false;
  const end = running.wait().finally(() => (hasEnded = true));
  await waitUntil('chunks', async () => hasEnded || (await chunksDone(pair)) >= afterChunks);
  expect(hasEnded ? (await end).stdout : '').toBe('');
  await meanwhile(() => !hasEnded);
  await proxy.resume();
  const result = await end;
  expect(result.exitCode, result.stdout + result.stderr).toBe(0);
  await goThrough(pair, 'source', pair.login('source'));
  return result;
}

/** Writers may go on for as long as it takes; whatever it is that they do, they are not to fail for it. */
async function repeat(isRunning: () => boolean, work: (round: number) => Promise<unknown>): Promise<number> {
  let round = 0;
  while (isRunning()) {
    round += 1;
    await work(round);
    await sleep(5);
  }
  return round;
}

const CHANGES: readonly ((round: number) => string)[] = [
  (round) =>
    `INSERT INTO big (id, note) SELECT ${round} * 100 + 1000000 + i, 'new' FROM generate_series(1, 20) i`,
  // Longer than its place: it moves.
  (round) =>
    `UPDATE big SET note = repeat('longer ', 60), updated_at = now() WHERE id % 400 = ${round % 400}`,
  // As long as before: it may stay.
  (round) => `UPDATE big SET updated_at = now() WHERE id % 300 = ${round % 300}`,
  (round) => `DELETE FROM big WHERE id % 500 = ${round % 500}`,
  // It moves, and its replication key does not say so.
  (round) => `UPDATE big SET note = note WHERE id % 350 = ${round % 350}`,
  // Another key for the same row, and the same key for another one.
  (round) =>
    `UPDATE big SET id = id + 5000000, updated_at = now() WHERE id < 5000000 AND id % 450 = ${round % 450}`,
  (round) => `DELETE FROM big WHERE id % 600 = ${round % 600};
    INSERT INTO big (id, note) SELECT i, 'again' FROM generate_series(${round % 600}, 20000, 600) i ON CONFLICT DO NOTHING`,
];

test.each(
  oneIn(3, [
    ['one job', {}],
    ['four jobs', { load_jobs: 4, chunk: '64kB' }],
    ['a table that cannot be merged by an index of the source', { unique_cols: ['id', 'note'] }],
  ] as const),
)('under writers no row is missing, stale or left over: %s', async (_what, more) => {
  await using pair = await freshPair(big({ deletes: 'hard', ...more }));
  // Open across the whole load, from before it, and known to nobody but by its lock.
  const early = await pair.source.connect();
  await early.query(
    `BEGIN; UPDATE big SET note = 'early', updated_at = now() WHERE id BETWEEN 19000 AND 19005`,
  );
  // Begun before and committed in the middle.
  const middle = await pair.source.connect();
  await middle.query(
    `BEGIN; UPDATE big SET note = 'middle', updated_at = now() WHERE id BETWEEN 18000 AND 18005`,
  );
  const late = await pair.source.connect();
  await syncWhile(pair, async (isRunning) => {
    await late.query(
      `BEGIN; UPDATE big SET note = 'late', updated_at = now() WHERE id BETWEEN 17000 AND 17005`,
    );
    const untilLater = Date.now() + 3000;
    const goesOn = () => isRunning() && Date.now() < untilLater;
    const writers = CHANGES.map((change) =>
      repeat(goesOn, async (round) => {
        const client = await pair.source.connect();
        try {
          // Rows that are held by the others would be waited for until the end.
          await client.query(`SET lock_timeout = '100ms'`);
          await client.query(change(round)).catch((error: pg.DatabaseError) => {
            if (!['55P03', '40P01', '23505'].includes(error.code ?? '')) throw error;
          });
        } finally {
          client.release(true);
        }
      }),
    );
    const vacuum = repeat(goesOn, () => pair.source.query('VACUUM big'));
    await sleep(1000);
    await middle.query('COMMIT');
    const rounds = await Promise.all([...writers, vacuum]);
    expect(rounds.every((count) => count > 2)).toBe(true);
  });
  await early.query('COMMIT');
  await late.query('COMMIT');
  for (const client of [early, middle, late]) client.release();
  await sync(pair, '--deletes');
  await expectSameRows(pair, 'big');
});

test('a transaction that was open at the beginning is caught, and does not cost reading everything again', async () => {
  // Half empty pages: what it changes stays where the load has been by then.
  await using pair = await freshPair({
    tables: [chunked('big')],
    sourceSql: BIG.replace(';', ' WITH (fillfactor = 50);'),
  });
  const writer = await pair.source.connect();
  const reader = await pair.source.connect();
  await reader.query('BEGIN; SELECT count(*) FROM big');
  await writer.query('BEGIN; SELECT 1');
  await writer.query(`UPDATE big SET note = 'open', updated_at = now() WHERE id BETWEEN 100 AND 199`);
  await writer.query('SAVEPOINT s');
  await writer.query(`UPDATE big SET note = 'open', updated_at = now() WHERE id BETWEEN 15000 AND 15099`);
  // The keys are those of its beginning, and the mark of the load is above them.
  await pair.source.query(`INSERT INTO big (id, note) VALUES (0, 'later')`);
  await killAfter(pair, 4, 'sync --wait-transactions 0s');
  await writer.query('COMMIT');
  await reader.query('COMMIT');
  for (const client of [writer, reader]) client.release();
  const { rows_read, warnings } = (await sync(pair)).table();
  // Those that had been read, from where they are now, and all of them by the window.
  expect(rows_read).toBeLessThanOrEqual(20_001 + 100 + 200);
  expect(warnings).toEqual([]);
  await expectSameRows(pair, 'big');
});

slowTest('rows that moved to where the load has been already are not missed', async () => {
  await using pair = await freshPair(big());
  await killAfter(pair, 4);
  await pair.source.query('DELETE FROM big WHERE id BETWEEN 1 AND 3000');
  await pair.source.query('VACUUM big');
  await pair.source.query('UPDATE big SET note = note WHERE id > 19000');
  const moved = await pair.source.query(`SELECT FROM big WHERE id > 19000 AND ctid < '(62,0)'`);
  expect(moved.rowCount).toBeGreaterThan(900);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 17_000, warnings: [] });
  await expectSameRows(pair, 'big');
});

test.each(oneIn(2, [['id'], ['id, updated_at']]))(
  'rows that moved to where the load is still to come are there once, in their latest form (key: %s)',
  async (key) => {
    await using pair = await freshPair(big({ unique_cols: key.split(', ') }));
    await killAfter(pair, 2);
    // The pages are full, so both forms are copied: without a new key only the place tells which is the later one.
    await pair.source.query(`UPDATE big SET note = repeat('moved ', 30) WHERE id < 1000`);
    const moved = await pair.source.query(`SELECT FROM big WHERE id < 1000 AND ctid > '(380,0)'`);
    expect(moved.rowCount).toBe(999);
    const { rows_inserted, warnings } = (await sync(pair)).table();
    expect(rows_inserted).toBe(20_000);
    expect(warnings.filter((text) => !text.startsWith('"updated_at" is in unique_cols'))).toEqual([]);
    await expectSameRows(pair, 'big');
  },
);

slowTest('rows with later keys wait for the window, however often they move', async () => {
  await using pair = await freshPair(big());
  const result = await syncWhile(pair, async () => {
    for (let round = 1; round <= 5; round += 1)
      await pair.source.query(`UPDATE big SET note = 'round ${round}', updated_at = now() WHERE id > 18000`);
  });
  const [table] = (result.lines().at(-1) as { tables: { rows_read: number }[] }).tables;
  // Those 2,000 come once, by the window; the rest once by its chunk, but for what lies in the lookback.
  expect(table?.rows_read).toBeLessThanOrEqual(20_001);
  await expectSameRows(pair, 'big');
});

slowTest('a change that the replication key does not tell of is found by --verify', async () => {
  await using pair = await freshPair(big());
  const result = await syncWhile(
    pair,
    () =>
      pair.source.query(
        `ALTER TABLE big SET (fillfactor = 50); UPDATE big SET note = 'x' || right(note, -1) WHERE id = 5`,
      ),
    { args: 'sync --json --verify', afterChunks: 2 },
  );
  expect(result.lines().at(-1)).toMatchObject({ tables: [{ status: 'ok' }] });
  await expectSameRows(pair, 'big');
});

slowTest(
  'no snapshot at the source lives longer than a chunk, and the waiting transaction holds nothing up',
  async () => {
    await using pair = await freshPair(big());
    /** Chunks that were there when a snapshot was first and last seen. */
    const lives = new Map<string, { first: number; last: number }>();
    let idle = 0;
    await syncWhile(pair, (isRunning) =>
      repeat(
        () => isRunning() && lives.size < 8,
        async () => {
          const before = await chunksDone(pair);
          const { rows } = await pair.source.query<{ name: string }>(
            `SELECT pid || ' ' || xact_start AS name FROM pg_stat_activity
           WHERE datname = current_database() AND application_name LIKE 'increp %' AND backend_xmin IS NOT NULL`,
          );
          const done = await chunksDone(pair);
          for (const { name } of rows)
            lives.set(name, { first: lives.get(name)?.first ?? done, last: before });
          expect(rows.length).toBeLessThanOrEqual(1);
          const waiting = await pair.destination.query<{ holds: boolean }>(
            `SELECT a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL AS holds FROM pg_locks l
           JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND a.state = 'idle in transaction'
             AND a.datname = current_database()`,
          );
          for (const { holds } of waiting.rows) {
            expect(holds).toBe(false);
            idle += 1;
          }
        },
      ),
    );
    expect(lives.size).toBeGreaterThanOrEqual(8);
    expect(idle).toBeGreaterThan(8);
    for (const { first, last } of lives.values()) expect(last - first).toBeLessThanOrEqual(1);
    await expectSameRows(pair, 'big');
  },
);

slowTest.each(
  oneIn(2, [
    ['of another shape', 'ALTER TABLE big ADD extra int DEFAULT 7, ALTER id TYPE numeric', 'extra'],
    ['of the same shape', '', 'note'],
  ] as const),
)(
  'the old copy serves until the new one %s is whole, and views on it stay',
  async (_what, change, column) => {
    await using pair = await freshPair(big());
    await sync(pair);
    await pair.destination.query(
      `CREATE VIEW seen AS SELECT count(*)::int AS rows, count(DISTINCT note)::int AS notes FROM big;
     ALTER VIEW seen OWNER TO ${pair.login('destination', 'increp').user}`,
    );
    await pair.source.query(`UPDATE big SET note = 'new'; ${change}`);
    const seen = new Set<string>();
    const look = async () => {
      const { rows } = await pair.destination.query<object>('TABLE seen');
      seen.add(JSON.stringify(rows[0]));
    };
    await syncWhile(pair, (isRunning) => repeat(() => isRunning() && seen.size < 2, look).then(look), {
      args: 'sync --full-refresh',
      bytesPerSecond: 5_000_000,
    });
    await look();
    expect([...seen]).toEqual([
      JSON.stringify({ rows: 20_000, notes: 20_000 }),
      JSON.stringify({ rows: 20_000, notes: 1 }),
    ]);
    await expectSameRows(pair, 'big');
    expect((await pair.destination.query(`SELECT ${column} FROM big LIMIT 1`)).rowCount).toBe(1);
  },
);

slowTest('what would not survive another shape is named before the first chunk', async () => {
  await using pair = await freshPair(big());
  await sync(pair);
  await pair.destination.query('CREATE VIEW seen AS SELECT note FROM big');
  await pair.source.query('ALTER TABLE big DROP note');
  await using running = startIncrep('sync --json', pair);
  const result = await running.wait();
  expect(result.lines().at(-1)).toMatchObject({ tables: [{ error: { code: 'DEPENDENT_OBJECTS' } }] });
  expect((await pair.destination.query('TABLE _increp_loads')).rowCount).toBe(0);
  await expectSameRows(pair, 'big', { columns: ['id', 'updated_at'] });
});

slowTest('a table that people build on while its new shape is loaded is planned anew', async () => {
  await using pair = await freshPair({
    tables: [chunked('big')],
    sourceSql: `CREATE TABLE base (id bigint, ${STAMP}); ${BIG}`,
  });
  await sync(pair);
  await pair.source.query('ALTER TABLE big ADD extra int');
  await syncWhile(pair, () => pair.destination.query('CREATE INDEX by_note ON big (note)'));
  await expectSameRows(pair, 'big');
  const { rowCount } = await pair.destination.query(`SELECT FROM pg_indexes WHERE indexname = 'by_note'`);
  expect(rowCount).toBe(1);
});
