/** Rows that come with keys below the cursor, because somebody hands out numbers in advance or applies rows from elsewhere. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { waitUntil } from '../support/activity.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const EVENTS = { name: 'events', replication_key: 'id', unique_cols: ['id'] };

async function findings(pair: Pair): Promise<string> {
  return (await increp('check --json', pair)).stdout;
}

for (const [what, sequence, code] of oneIn(3, [
  ['of its own', `CREATE SEQUENCE s INCREMENT 50; ALTER SEQUENCE s OWNED BY events.id`, 'SEQUENCE_POOL'],
  ['that only its name ties to it', `CREATE SEQUENCE "events_SEQ" INCREMENT BY 50`, 'SEQUENCE_POOL'],
  [
    'with a cache',
    `CREATE SEQUENCE s CACHE 20; ALTER TABLE events ALTER id SET DEFAULT nextval('s')`,
    'SEQUENCE_CACHE',
  ],
] as const))
  test(`numbers that an application took in advance from a sequence ${what} arrive late, and check says so`, async () => {
    await using pair = await freshPair({
      tables: [EVENTS],
      sourceSql: `CREATE TABLE events (id bigint PRIMARY KEY, note text); ${sequence};
        INSERT INTO events VALUES (1, 'a'), (51, 'b')`,
    });
    await sync(pair);
    for (const [id, low] of [
      [101, 2],
      [151, 3],
    ]) {
      await pair.source.query(`INSERT INTO events VALUES (${id}, 'next block')`);
      await sync(pair);
      await pair.source.query(`INSERT INTO events VALUES (${low}, 'late')`);
      expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
      await expectSameRows(pair, 'events');
    }
    expect((await sync(pair)).table()).toMatchObject({ rows_read: 0 });
    expect(await findings(pair)).toContain(`"${code}"`);
  });

slowTest('a source that is a subscriber of another server, and lagged', async () => {
  await using far = await freshPair();
  const publisher = far.destination;
  const table = 'CREATE TABLE orders (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now())';
  await using pair = await freshPair({ tables: [{ ...ORDERS_CONFIG, lookback: '0s' }], sourceSql: table });
  const { host, port, database, user, password } = far.login('destination');
  const name = `low_keys_${port}_${database.replaceAll(/\W/g, '_')}`;
  await publisher.query(table);
  await publisher.query(`INSERT INTO orders VALUES (1)`);
  await publisher.query(`CREATE PUBLICATION orders FOR TABLE orders`);
  await pair.source.query(`CREATE SUBSCRIPTION ${name}
    CONNECTION 'host=${host} port=${port} dbname=${database} user=${user} password=${password}' PUBLICATION orders`);
  const arrived = (rows: number) =>
    waitUntil(
      'the rows are applied',
      async () => (await pair.source.query('SELECT FROM orders')).rowCount === rows,
    );
  try {
    await arrived(1);
    await sync(pair);
    await pair.source.query(`ALTER SUBSCRIPTION ${name} DISABLE`);
    await publisher.query(`INSERT INTO orders VALUES (2), (3)`);
    await pair.source.query(`INSERT INTO orders VALUES (100, now() + interval '0.1 s')`);
    await sleep(150);
    await sync(pair);
    await pair.source.query(`ALTER SUBSCRIPTION ${name} ENABLE`);
    await arrived(4);
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 2 });
    await expectSameRows(pair, 'orders');
    expect((await sync(pair)).table()).toMatchObject({ rows_read: 0 });
    expect(await findings(pair)).toContain('ENABLE ALWAYS TRIGGER');
  } finally {
    await pair.source.query(`DROP SUBSCRIPTION ${name}`);
  }
});

const BARE = { ...ordersPreset, tables: [{ ...ORDERS_CONFIG, lookback: '0s' }] };

slowTest('a hub that one pipeline writes and another one reads, under one role, loses nothing', async () => {
  await using up = await freshPair(BARE);
  await using down = await freshPair({ tables: BARE.tables });
  const { host, port, database, user, password } = up.login('destination', 'increp');
  const login = { SOURCE_HOST: host, SOURCE_PORT: String(port), SOURCE_DB: database };
  await down.setEnv({ ...login, SOURCE_USERNAME: user, SOURCE_PASSWORD: password, PIPELINE_NAME: 'down' });
  await sync(up);
  await sync(down);
  await up.source.query(`UPDATE orders SET note = 'changed', updated_at = now()`);
  const busy = await up.destination.connect();
  await busy.query('BEGIN; SELECT FROM orders WHERE id = 7 FOR UPDATE');
  await using writing = startIncrep('sync', up);
  await waitUntil('the merge waits', async () => {
    const { rowCount } = await up.destination.query(
      `SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.application_name LIKE 'increp %'`,
    );
    return (rowCount ?? 0) > 0;
  });
  // Later than the rows that are still held up, so that the cursor passes them.
  await up.destination.query(`INSERT INTO orders (id, updated_at) VALUES (900, now())`);
  const { warnings } = (await sync(down, '--wait-transactions 50ms')).table();
  expect(warnings.join()).toMatch(/open at the source/);
  await busy.query('COMMIT');
  busy.release();
  expect((await writing.wait()).exitCode).toBe(0);
  await sync(down);
  await expectSameRows({ ...down, source: up.destination }, 'orders');
  expect(await findings(down)).toContain('"APPLIED_ROWS"');
});
