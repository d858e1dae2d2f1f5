/**
 * Transactions that commit late. None of them is waited for, so that each must be remembered. Not `--wait-transactions 0s`:
 * a backend of another test's that is just ending would be remembered too.
 */
import type pg from 'pg';
import { expect, test } from 'vitest';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

/** Nothing but the fence protects: no lookback, no waiting. */
const BARE = { lookback: '0s' };
const bareOrders: PairOptions = {
  tables: [{ ...ORDERS_CONFIG, ...BARE }],
  sourceSql: `CREATE TABLE orders (id bigint PRIMARY KEY, total numeric(12,2), note text,
      updated_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX ON orders (updated_at);
    INSERT INTO orders (id) SELECT generate_series(1, 10)`,
};
const syncNow = (pair: Pair) => sync(pair, '--wait-transactions 50ms');

/** A session in a transaction whose now() is fixed. */
async function begun(pair: Pair): Promise<pg.PoolClient> {
  const client = await pair.source.connect();
  await client.query('BEGIN');
  await client.query('SELECT now()');
  return client;
}

async function ended(client: pg.PoolClient, statements: string): Promise<void> {
  await client.query(statements);
  client.release();
}

const LATE = `INSERT INTO orders (id, note) VALUES (100, 'late')`;

test('a row with an early now() that is committed after a later one is not skipped', async () => {
  await using pair = await freshPair(bareOrders);
  await syncNow(pair);
  const late = await begun(pair);
  await insertOrders(pair, 5);
  await syncNow(pair);
  await expectSameRows(pair, 'orders');
  await ended(late, `${LATE}; COMMIT`);
  const keys = await pair.source.query(
    'SELECT FROM orders o WHERE updated_at > (SELECT updated_at FROM orders WHERE id = 100)',
  );
  expect(keys.rowCount).toBe(5);
  expect((await syncNow(pair)).table()).toMatchObject({ rows_inserted: 1 });
  await expectSameRows(pair, 'orders');
});

slowTest('the window reaches down to open transactions, and reads no row a second time', async () => {
  await using pair = await freshPair(bareOrders);
  await syncNow(pair);
  const late = await begun(pair);
  await insertOrders(pair, 50);
  expect((await syncNow(pair)).table()).toMatchObject({
    rows_inserted: 50,
    warnings: [/1 transaction is open at the source/],
  });
  expect((await syncNow(pair)).table().rows_read).toBe(0);
  await insertOrders(pair, 1);
  expect((await syncNow(pair)).table()).toMatchObject({ rows_inserted: 1, rows_read: 1 });
  await ended(late, `${LATE}; COMMIT`);
  expect((await syncNow(pair)).table()).toMatchObject({
    ...{ rows_read: 1, rows_inserted: 1, rows_updated: 0 },
    warnings: [],
  });
  await insertOrders(pair, 1);
  expect((await syncNow(pair)).table()).toMatchObject({ rows_inserted: 1, rows_read: 1, warnings: [] });
  await expectSameRows(pair, 'orders');
});

slowTest('savepoints, rolled back in part, change nothing about it', async () => {
  await using pair = await freshPair(bareOrders);
  await syncNow(pair);
  const late = await begun(pair);
  await late.query(`SAVEPOINT a; UPDATE orders SET note = 'gone', updated_at = now() WHERE id = 1`);
  await late.query(
    `ROLLBACK TO a; SAVEPOINT b; UPDATE orders SET note = 'kept', updated_at = now() WHERE id = 2`,
  );
  await insertOrders(pair, 2);
  await syncNow(pair);
  await ended(late, `RELEASE b; SAVEPOINT c; ${LATE}; COMMIT`);
  await syncNow(pair);
  await expectSameRows(pair, 'orders');
});

for (const when of oneIn(3, ['between', 'before', 'after'] as const)) {
  test(`PREPARE TRANSACTION ${when} the run that must remember it`, async () => {
    await using pair = await freshPair(bareOrders);
    const name = `late ${pair.login('source').database}`;
    await syncNow(pair);
    const late = await begun(pair);
    await insertOrders(pair, 2);
    if (when === 'before') await ended(late, `${LATE}; PREPARE TRANSACTION '${name}'`);
    expect((await syncNow(pair)).table().warnings).toEqual([
      expect.stringMatching(when === 'before' ? /prepared transaction/ : /pid \d+/),
    ]);
    await insertOrders(pair, 2);
    if (when === 'between') await ended(late, `${LATE}; PREPARE TRANSACTION '${name}'`);
    await syncNow(pair);
    if (when === 'after') await ended(late, `${LATE}; PREPARE TRANSACTION '${name}'`);
    await insertOrders(pair, 2);
    await syncNow(pair);
    await pair.source.query(`COMMIT PREPARED '${name}'`);
    expect((await syncNow(pair)).table()).toMatchObject({ rows_inserted: 1, warnings: [] });
    await expectSameRows(pair, 'orders');
  });
}

slowTest('a transaction may stay open over five runs, with others coming and going', async () => {
  await using pair = await freshPair(bareOrders);
  await syncNow(pair);
  const late = await begun(pair);
  for (let run = 1; run <= 5; run += 1) {
    const other = await begun(pair);
    await insertOrders(pair, 2);
    expect((await syncNow(pair)).table().warnings).toEqual([
      // A worker of autovacuum may be another one.
      expect.stringMatching(/^[23] transactions are open at the source/),
    ]);
    await ended(other, `INSERT INTO orders (id) VALUES (${-run}); COMMIT`);
  }
  await ended(late, `${LATE}; COMMIT`);
  await syncNow(pair);
  await expectSameRows(pair, 'orders');
});

test('a transaction that was open during the initial load brings its rows later', async () => {
  await using pair = await freshPair(bareOrders);
  const late = await begun(pair);
  expect((await syncNow(pair)).table()).toMatchObject({ action: 'initial', rows_read: 10 });
  await ended(late, `${LATE}; COMMIT`);
  expect((await syncNow(pair)).table()).toMatchObject({ rows_inserted: 1 });
  await expectSameRows(pair, 'orders');
});

test('an integer key with gaps and rollbacks: lower numbers that commit late arrive', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'log', replication_key: 'seq', unique_cols: ['id'], ...BARE }],
    sourceSql: `CREATE TABLE log (id int PRIMARY KEY, seq bigserial); CREATE INDEX ON log (seq);
      INSERT INTO log (id) SELECT generate_series(1, 5)`,
  });
  await syncNow(pair);
  const late = await pair.source.connect();
  await late.query(`BEGIN; INSERT INTO log (id) VALUES (100)`);
  await pair.source.query(`BEGIN; INSERT INTO log (id) VALUES (101); ROLLBACK`);
  await pair.source.query(`INSERT INTO log (id) SELECT generate_series(6, 9)`);
  expect((await syncNow(pair)).table()).toMatchObject({ rows_inserted: 4, cursor: '11' });
  await ended(late, `INSERT INTO log (id) VALUES (102); COMMIT`);
  expect((await syncNow(pair)).table()).toMatchObject({ rows_inserted: 2, cursor: '12' });
  await expectSameRows(pair, 'log');
});

for (const [type, value] of oneIn(2, [
  ['timestamp', 'LOCALTIMESTAMP'],
  ['date', 'CURRENT_DATE'],
] as const)) {
  test(`a ${type} key is fenced like any other`, async () => {
    await using pair = await freshPair({
      tables: [{ name: 'log', replication_key: 'at', unique_cols: ['id'], ...BARE }],
      sourceSql: `CREATE TABLE log (id int PRIMARY KEY, at ${type} DEFAULT ${value}); CREATE INDEX ON log (at);
        INSERT INTO log (id) SELECT generate_series(1, 5)`,
    });
    await syncNow(pair);
    const late = await begun(pair);
    await pair.source.query(`INSERT INTO log (id) SELECT generate_series(6, 9)`);
    expect((await syncNow(pair)).table()).toMatchObject({ rows_inserted: 4 });
    await ended(late, `INSERT INTO log (id) VALUES (100); COMMIT`);
    expect((await syncNow(pair)).table()).toMatchObject({ rows_inserted: 1 });
    await expectSameRows(pair, 'log');
  });
}
