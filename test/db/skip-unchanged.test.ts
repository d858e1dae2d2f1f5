/** `skip_unchanged`: a full refresh is left out exactly while the source holds what the last one has read. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { increp } from '../support/increp.ts';
import { lossySource } from '../support/lossy-source.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

// In doubt a session counts as one that may write: one of another test that comes or goes at the wrong moment costs a load.
let own: EmbeddedServer;

beforeAll(async () => {
  own = await startServer({ name: 'test-skipping' });
});

afterAll(() => own.stop());

const RATES = {
  delete_limit: 1,
  name: 'rates',
  mode: 'full-refresh',
  skip_unchanged: true,
};
const ROWS = `INSERT INTO rates SELECT i, i * 1.5 FROM generate_series(1, 100) i`;
const RATES_SQL = `CREATE TABLE rates (id int, rate numeric); ${ROWS}`;

const ratesPair = (sourceSql = RATES_SQL, more: object = {}): Promise<Pair> =>
  freshPair({ tables: [{ ...RATES, ...more }], sourceSql }, { sourceServerUrl: own.url('postgres') });

const actionOf = async (pair: Pair, args = ''): Promise<string> => (await sync(pair, args)).table().action;

/** Loads until a run finds nothing to do: rows that were written by the newest transactions are read once more. */
async function settled(pair: Pair): Promise<void> {
  await sync(pair);
  expect(await actionOf(pair)).toBe('skipped');
}

/** Loads exactly now, and is right afterwards. */
async function expectLoaded(pair: Pair): Promise<void> {
  expect(await actionOf(pair)).not.toBe('skipped');
  await expectSameRows(pair, 'rates');
  expect(await actionOf(pair)).toBe('skipped');
}

test('a table that has not changed is left alone, and its copy is as fresh as if it had been loaded', async () => {
  await using pair = await ratesPair();
  const first = (await sync(pair)).table();
  expect(first).toMatchObject({ action: 'initial', rows_read: 100 });
  const checkedAt = Date.now();
  const { table, stderr } = await sync(pair);
  expect(table()).toMatchObject({
    status: 'ok',
    action: 'skipped',
    rows_read: 0,
    bytes: 0,
    error: null,
    warnings: [],
  });
  expect(table().reason).toMatch(/^nothing has changed at the source since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect(stderr).not.toContain('pg_dump');
  const status = await increp('status --json', pair);
  const { tables } = JSON.parse(status.stdout) as { tables: { state: string; lag_seconds: number }[] };
  expect(tables).toMatchObject([{ state: 'ok' }]);
  // It counts from the check, not from the load.
  expect(tables[0]?.lag_seconds).toBeLessThan((Date.now() - checkedAt) / 1000);
});

test.each(
  oneIn(8, [
    [
      'UPDATE rates SET rate = 1 WHERE id = 1',
      'DELETE FROM rates WHERE id = 2',
      'INSERT INTO rates VALUES (101, 1)',
    ],
    // As many rows as before.
    ['DELETE FROM rates WHERE id = 3; INSERT INTO rates VALUES (103, 1)', `TRUNCATE rates; ${ROWS}`],
    [
      'BEGIN; SAVEPOINT a; UPDATE rates SET rate = 2 WHERE id = 1; RELEASE a; COMMIT',
      'DELETE FROM rates',
      ROWS,
    ],
    [
      'CREATE TABLE other (LIKE rates); INSERT INTO other VALUES (5, 5); INSERT INTO rates TABLE other; DROP TABLE other',
      'BEGIN; TRUNCATE rates; COPY rates FROM PROGRAM $$printf "1\\t2\\n"$$ WITH (FREEZE); COMMIT',
    ],
  ] as const),
)('whatever was done to its rows is seen: %s, ...', async (...changes) => {
  await using pair = await ratesPair();
  await settled(pair);
  for (const change of changes) {
    await pair.source.query(change);
    await expectLoaded(pair);
  }
});

slowTest('what changes no row is no reason to load', async () => {
  await using pair = await ratesPair();
  await settled(pair);
  for (const nothing of [
    'BEGIN; DELETE FROM rates; ROLLBACK',
    'BEGIN; INSERT INTO rates VALUES (7, 7); ROLLBACK',
    'VACUUM FREEZE rates',
    'VACUUM FULL rates',
    'CREATE INDEX by_rate ON rates (rate); CLUSTER rates USING by_rate; ANALYZE rates',
    'CREATE TABLE elsewhere (i int); INSERT INTO elsewhere SELECT generate_series(1, 1000)',
  ]) {
    for (const statement of nothing.startsWith('BEGIN') ? [nothing] : nothing.split('; '))
      await pair.source.query(statement);
    expect.soft(await actionOf(pair), nothing).toBe('skipped');
  }
  await expectSameRows(pair, 'rates');
});

test('a transaction that was open during the load is not overlooked, whatever its number', async () => {
  await using pair = await ratesPair();
  await settled(pair);
  const writer = await pair.source.connect();
  try {
    await writer.query('BEGIN');
    await writer.query('UPDATE rates SET rate = 7 WHERE id = 1');
    // Begun later, committed earlier.
    await pair.source.query('UPDATE rates SET rate = 8 WHERE id = 2');
    expect(await actionOf(pair)).toBe('full-refresh');
    await writer.query('COMMIT');
  } finally {
    writer.release();
  }
  await expectLoaded(pair);
});

slowTest('one that is open in another database of the server is nothing to us', async () => {
  await using pair = await ratesPair();
  const other = new pg.Client({ ...pair.login('source'), database: 'postgres' });
  await other.connect();
  try {
    await other.query('BEGIN; SELECT pg_current_xact_id()');
    await pair.source.query('UPDATE rates SET rate = 7 WHERE id = 1');
    await sync(pair);
    expect(await actionOf(pair)).toBe('skipped');
  } finally {
    await other.end();
  }
});

slowTest('a prepared one neither', async () => {
  await using pair = await ratesPair();
  const { rows } = await pair.source.query<{ max: string }>('SHOW max_prepared_transactions');
  expect(rows).not.toEqual([{ max_prepared_transactions: '0' }]);
  await settled(pair);
  await pair.source.query(
    `BEGIN; UPDATE rates SET rate = 7 WHERE id = 1; PREPARE TRANSACTION 'rates_${pair.login('source').database}'`,
  );
  expect(await actionOf(pair)).toBe('skipped');
  await pair.source.query(`COMMIT PREPARED 'rates_${pair.login('source').database}'`);
  await expectLoaded(pair);
});

slowTest('a skip is never wrong under concurrent writers', async () => {
  await using pair = await ratesPair();
  await sync(pair);
  const actions: string[] = [];
  for (let round = 0; round < 4; round += 1) {
    // Begun before the run, and ended in the middle of it or after it, in any order.
    const writers = await Promise.all([1, 2, 3, 4].map(() => pair.source.connect()));
    for (const [place, writer] of writers.entries()) {
      await writer.query('BEGIN');
      await writer.query('UPDATE rates SET rate = rate + 1 WHERE id = $1', [place + 1]);
    }
    await pair.source.query('UPDATE rates SET rate = rate + 1 WHERE id = 50');
    const run = actionOf(pair);
    await Promise.all(
      writers.map(async (writer, place) => {
        await sleep(place === 0 ? 5 : 1000 * Math.random());
        if (place === 1) await run;
        await writer.query(place === 2 && round % 2 === 0 ? 'ROLLBACK' : 'COMMIT');
        writer.release();
      }),
    );
    actions.push(await run, await actionOf(pair));
    await expectSameRows(pair, 'rates');
  }
  expect(await actionOf(pair)).toBe('skipped');
  expect(actions).not.toContain('skipped');
});

slowTest('another shape and other settings that decide what the copy holds are reasons to load', async () => {
  await using pair = await ratesPair();
  await settled(pair);
  await pair.source.query('ALTER TABLE rates ADD COLUMN note text DEFAULT $$none$$');
  expect(await actionOf(pair)).toBe('reset');
  await expectSameRows(pair, 'rates');
  await settled(pair);
  await pair.writeTables([{ ...RATES, unique_cols: ['id'] }]);
  await expectLoaded(pair);
  await pair.writeTables([{ ...RATES, unique_cols: ['id'], max_staleness: '1h', on_schema_change: 'fail' }]);
  expect(await actionOf(pair)).toBe('skipped');
  await pair.writeTables([{ ...RATES, unique_cols: ['id'], skip_unchanged: false }]);
  expect(await actionOf(pair)).toBe('full-refresh');
});

slowTest('a copy that is not what it was, and whoever asks, are reasons to load', async () => {
  await using pair = await ratesPair();
  await settled(pair);
  await pair.destination.query('DROP TABLE rates');
  await expectLoaded(pair);
  await pair.destination.query('TRUNCATE rates');
  await expectLoaded(pair);
  await pair.destination.query('DELETE FROM _increp_state');
  await expectLoaded(pair);
  expect(await actionOf(pair, '--full-refresh')).toBe('full-refresh');
  expect(await actionOf(pair, '--verify')).toBe('full-refresh');
  expect(await actionOf(pair)).toBe('skipped');
});

test.each(
  oneIn(8, [
    [
      'a partitioned table',
      `CREATE TABLE rates (id int, rate numeric) PARTITION BY RANGE (id);
     CREATE TABLE low PARTITION OF rates FOR VALUES FROM (0) TO (50);
     CREATE TABLE high PARTITION OF rates FOR VALUES FROM (50) TO (1000); ${ROWS}`,
      // Written long before: by a number alone it would not show.
      `CREATE TABLE old AS SELECT id, 0::numeric AS rate FROM high`,
      'ALTER TABLE rates DETACH PARTITION high; ALTER TABLE rates ATTACH PARTITION old FOR VALUES FROM (50) TO (1000)',
    ],
    [
      'a view',
      `CREATE TABLE base (id int, rate numeric); INSERT INTO base SELECT i, 1 FROM generate_series(1, 100) i;
     CREATE VIEW rates AS SELECT * FROM base`,
      'SELECT 1',
      'UPDATE base SET rate = 2 WHERE id = 100',
    ],
    [
      'a materialized view',
      `CREATE TABLE base (id int, rate numeric); INSERT INTO base SELECT i, 1 FROM generate_series(1, 100) i;
     CREATE MATERIALIZED VIEW rates AS SELECT * FROM base`,
      // Other rows to the server, the same ones to a reader.
      'REFRESH MATERIALIZED VIEW rates',
      'UPDATE base SET rate = 2 WHERE id = 100; REFRESH MATERIALIZED VIEW rates',
    ],
    [
      'a parent of inheritance',
      `CREATE TABLE rates (id int, rate numeric); CREATE TABLE more () INHERITS (rates); ${ROWS}`,
      'SELECT 1',
      'INSERT INTO more VALUES (200, 1)',
    ],
  ] as const),
)('%s is hashed, because the numbers of transactions do not tell', async (_, sourceSql, nothing, change) => {
  await using pair = await ratesPair(sourceSql);
  await settled(pair);
  for (const statement of nothing.split('; ')) await pair.source.query(statement);
  expect(await actionOf(pair)).toBe('skipped');
  for (const statement of change.split('; ')) await pair.source.query(statement);
  await expectLoaded(pair);
});

slowTest('where only columns are granted rows are hashed, too', async () => {
  await using pair = await ratesPair();
  const role = `"${pair.login('source', 'increp').user}"`;
  await pair.source.query(`REVOKE ALL ON rates FROM ${role}; GRANT SELECT (id, rate) ON rates TO ${role}`);
  await settled(pair);
  await pair.source.query('UPDATE rates SET rate = 0 WHERE id = 9');
  await expectLoaded(pair);
});

test('a name that is printed otherwise, though no row was written, is seen', async () => {
  await using pair = await ratesPair(
    `CREATE TABLE base (i int); CREATE TABLE rates (id int, of regclass); INSERT INTO rates VALUES (1, 'base')`,
  );
  await settled(pair);
  await pair.source.query('ALTER TABLE base RENAME TO renamed');
  await expectLoaded(pair);
});

slowTest('rows that are twice there count twice in what is hashed', async () => {
  await using pair = await ratesPair(
    `CREATE TABLE base (id int, rate numeric); INSERT INTO base VALUES (1, 1), (1, 1), (2, 2), (2, 2); CREATE VIEW rates AS TABLE base`,
  );
  await settled(pair);
  await pair.source.query(`DELETE FROM base WHERE ctid = '(0,1)'; INSERT INTO base VALUES (2, 2)`);
  await expectLoaded(pair);
});

slowTest(
  'a source that crashed and gave the number of a lost transaction to another one is read',
  async () => {
    await using lossy = await lossySource({
      table: RATES,
      sql: 'CREATE TABLE rates (id int, rate numeric)',
      insert: (id) => `INSERT INTO rates VALUES (${id}, 1)`,
    });
    const { pair, written, crash } = lossy;
    const lost = await written(1);
    await settled(pair);
    await crash(0);
    // As many rows as before, by a transaction of the same number.
    expect(await written(2)).toBe(lost);
    expect((await sync(pair)).table()).toMatchObject({
      action: 'full-refresh',
      rows_inserted: 1,
      rows_deleted: 1,
    });
  },
);

slowTest('a skip takes three messages at the source and two at the destination', async () => {
  const names = Array.from({ length: 30 }, (_, index) => `t${index}`);
  await using pair = await freshPair({
    tables: names.map((name) => ({ ...RATES, name, initial_load: 'copy' })),
    sourceSql: names.map((name) => `CREATE TABLE ${name} AS SELECT generate_series(1, 5) AS id`).join(';'),
  });
  await sync(pair);
  await using source = await faultProxy(pair.login('source'));
  await using destination = await faultProxy(pair.login('destination'));
  await pair.setEnv({ SOURCE_PORT: String(source.port), DEST_PORT: String(destination.port) });
  const trips = async (tables: readonly string[]) => {
    const before = [source.roundTrips, destination.roundTrips];
    const { summary } = await sync(pair, tables.join(' '));
    expect(summary.tables.every(({ action }) => action === 'skipped')).toBe(true);
    return [source.roundTrips, destination.roundTrips].map((now, side) => now - (before[side] ?? 0));
  };
  const [few, all] = [await trips(names.slice(0, 10)), await trips(names)];
  expect(all.map((count, side) => Math.round((count - (few[side] ?? 0)) / 20))).toEqual([3, 2]);
});
