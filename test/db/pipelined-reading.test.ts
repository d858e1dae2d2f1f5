/** Several batches of tables are described, and asked for changes, in the round trips of one. */
import { expect, test } from 'vitest';
import { latencyProxy } from '../bench/latency-proxy.ts';
import { goThrough } from '../support/chunked.ts';
import { increp } from '../support/increp.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { countWaits } from '../support/round-trips.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { isWhole, oneIn, slowTest } from '../support/tier.ts';

/** In two batches, or in four. */
const COUNT = isWhole ? 320 : 110;

/** Small tables; one has another shape, one is hidden, and one is empty. */
const manyTables = (): Promise<Pair> =>
  freshPair({
    tables: [{ name: 't*', replication_key: 'updated_at', unique_cols: ['id'] }],
    sourceSql: `DO $$ BEGIN FOR i IN 1..${COUNT} LOOP
        EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, updated_at timestamptz DEFAULT now() - interval ''1 h'')', i);
        EXECUTE format('INSERT INTO t%s SELECT i FROM generate_series(1, 3) i', i);
      END LOOP; END $$; ALTER TABLE t7 ADD "odd 'name" text DEFAULT 'x'; DELETE FROM t9`,
  });

const planned = async (pair: Pair) =>
  (await increp('plan --json', pair)).json<{ tables: unknown[] }>().tables;

/** With one connection there is no second one for reading. */
const limitConnections = (pair: Pair, count: number) =>
  pair.source.query(`ALTER ROLE ${pair.login('source', 'increp').user} CONNECTION LIMIT ${count}`);

slowTest('they find the same as one batch after the other', async () => {
  await using pair = await manyTables();
  const { user } = pair.login('source', 'increp');
  await pair.source.query(`REVOKE SELECT ON t11 FROM ${user}, PUBLIC`);
  const together = await planned(pair);
  expect(together).toHaveLength(COUNT);
  await limitConnections(pair, 1);
  expect(await planned(pair)).toEqual(together);
});

test('a run without changes waits for few round trips, with a pattern or without', async () => {
  await using pair = await freshPair({
    tables: [{ ...ORDERS_CONFIG, name: 'orders' }],
    sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id) VALUES (1), (2)`,
  });
  await sync(pair);
  const quietSync = async () => expect((await sync(pair)).table().rows_read).toBe(0);
  const named = await countWaits(pair, quietSync);
  // Four for the login, one each for the identity, BEGIN, two descriptions, COMMIT, the question, the history and the end.
  const most = 16;
  expect(named).toBeLessThanOrEqual(most);
  await pair.writeTables([{ ...ORDERS_CONFIG, name: 'ord*' }]);
  expect(await countWaits(pair, quietSync)).toBeLessThanOrEqual(most + 2);
});

slowTest(
  'each table with changes waits for at most eight round trips, with --jobs at the same time',
  async () => {
    const names = ['t1', 't2', 't3', 't4', 't5'];
    await using pair = await freshPair({
      tables: [{ name: 't*', replication_key: 'updated_at', unique_cols: ['id'] }],
      sourceSql: names
        .map(
          (name) =>
            `CREATE TABLE ${name} (id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now())`,
        )
        .join('; '),
    });
    const change = async (tables: readonly string[]) => {
      for (const table of tables)
        await pair.source.query(`INSERT INTO ${table} SELECT count(*) FROM ${table}`);
    };
    const changedSync = async (args = '') => expect((await sync(pair, args)).summary.status).toBe('ok');
    // After two syncs with rows, each staging table is there and has rows.
    await change(names);
    await sync(pair);
    await change(names);
    await sync(pair);
    await change(['t1']);
    const one = await countWaits(pair, changedSync);
    await change(names);
    const all = await countWaits(pair, changedSync);
    // Seven, and those of the history that the end of the run waits for.
    expect(all - one).toBeLessThanOrEqual(8 * (names.length - 1));
    await change(names);
    // Jobs on a busy machine do not wait at the same moments, and each needs connections of its own.
    expect(await countWaits(pair, () => changedSync('--jobs 4'))).toBeLessThan(all);
  },
);

slowTest('a run without changes waits no longer for hundreds of tables', async () => {
  await using pair = await manyTables();
  await sync(pair);
  const waits = await countWaits(pair, async () => {
    expect((await sync(pair)).summary.tables).toHaveLength(COUNT);
  });
  expect(waits).toBeLessThanOrEqual(20);
});

slowTest('a run needs no more round trips for more batches', async () => {
  await using pair = await manyTables();
  await sync(pair);
  await pair.source.query('INSERT INTO t300 VALUES (9, now())');
  // Longer than a server needs for the other batches: their answers arrive within one round trip.
  await using source = await latencyProxy(pair.login('source', 'increp'), 250);
  await using destination = await latencyProxy(pair.login('destination', 'increp'), 250);
  await goThrough(pair, 'source', source);
  await goThrough(pair, 'destination', destination);
  const { summary, table } = await sync(pair);
  expect(summary.tables.filter(({ status }) => status === 'ok')).toHaveLength(COUNT);
  expect(table('t300')).toMatchObject({ rows_inserted: 1 });
  const before = { source: source.roundTrips, destination: destination.roundTrips };
  await sync(pair, 't1 t2 t3');
  // Four batches, one after the other, would need 20 and 28 more.
  expect(before.source).toBeLessThan(source.roundTrips - before.source + 20);
  expect(before.destination).toBeLessThan(destination.roundTrips - before.destination + 28);
});

test.each(oneIn(2, ['source', 'destination'] as const))(
  'a connection to the %s that breaks in the middle is opened again',
  async (side) => {
    await using pair = await manyTables();
    // A plan reads like a run, which takes seconds for so many tables.
    if (isWhole) await sync(pair);
    await using proxy = await faultProxy(pair.login(side, 'increp'));
    await goThrough(pair, side, proxy);
    // Only the answers about many tables are as long.
    proxy.when({ from: 'server', afterBytes: 60_000, fault: 'reset' });
    const tables = isWhole ? (await sync(pair)).summary.tables : await planned(pair);
    expect(tables).toHaveLength(COUNT);
    expect(proxy.fired).toBe(1);
  },
);
