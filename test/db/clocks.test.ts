/** A source whose clock, or whose life, is no longer that of the last sync. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { faultProxy } from '../support/proxy.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const orders: PairOptions = {
  tables: [ORDERS_CONFIG],
  sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, updated_at)
    SELECT i, now() - (100 - i) * interval '5 min' FROM generate_series(1, 100) i`,
};

/** Changes what the destination remembers of the last sync; the file is left as it is, and counts for less. */
const remember = (pair: Pair, sql: string) =>
  pair.destination.query(`UPDATE _increp_state SET record = ${sql}`);

const insertWithKey = (pair: Pair, id: number, age: string) =>
  pair.source.query(`INSERT INTO orders (id, updated_at) VALUES (${id}, now() - interval '${age}')`);

test('after the clock was set back by an hour, rows an hour below the cursor are found, once, with a warning', async () => {
  await using pair = await freshPair(orders);
  await sync(pair);
  // As if the source had been an hour ahead of what it says now.
  await remember(pair, `jsonb_set(record, '{sourceTime}', to_jsonb((now() + interval '1 hour')::text))`);
  await insertWithKey(pair, 200, '55 min');
  const table = (await sync(pair)).table();
  expect(table).toMatchObject({ action: 'incremental', rows_inserted: 1, rows_updated: 0 });
  expect(table.warnings).toEqual([
    expect.stringMatching(/were about (59 min \d+ s|1 h \d min) apart at the last sync, and now they agree/),
  ]);
  await expectSameRows(pair, 'orders');
  const next = (await sync(pair)).table();
  expect(next.warnings).toEqual([]);
  expect(next.rows_read).toBeLessThan(5);
});

slowTest('a network that was slow during the last sync is no clock that was set back', async () => {
  await using pair = await freshPair(orders);
  await sync(pair);
  await using proxy = await faultProxy(pair.login('source'));
  await pair.setEnv({ SOURCE_HOST: proxy.host, SOURCE_PORT: String(proxy.port) });
  proxy.delay(1100);
  await pair.source.query('INSERT INTO orders (id) VALUES (301)');
  await sync(pair);
  proxy.delay(0);
  const { rows } = await pair.destination.query<{ seconds: number }>(
    `SELECT (record ->> 'networkSeconds')::float8 AS seconds FROM _increp_state`,
  );
  expect(rows[0]?.seconds).toBeGreaterThan(2);
  expect((await sync(pair)).table().warnings).toEqual([]);
});

slowTest('the work of the source on the high-water mark is no time on the network', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'slow', replication_key: 'updated_at', unique_cols: ['id'] }],
    sourceSql: `CREATE TABLE kept (id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now());
      INSERT INTO kept VALUES (1);
      CREATE VIEW slow AS SELECT kept.* FROM kept, (SELECT pg_sleep(1) OFFSET 0) waiting`,
  });
  await sync(pair);
  const { rows } = await pair.destination.query<{ seconds: number }>(
    `SELECT (record ->> 'networkSeconds')::float8 AS seconds FROM _increp_state`,
  );
  expect(rows[0]?.seconds).toBeLessThan(1);
});

slowTest('a transaction that was open when the clock was set back is read for from the start', async () => {
  await using pair = await freshPair({ ...orders, tables: [{ ...ORDERS_CONFIG, lookback: '0s' }] });
  await sync(pair);
  const late = await pair.source.connect();
  await late.query('BEGIN; SELECT now()');
  await remember(pair, `jsonb_set(record, '{sourceTime}', to_jsonb((now() + interval '1 hour')::text))`);
  await sync(pair, '--wait-transactions 50ms');
  await late.query(`INSERT INTO orders (id, updated_at) VALUES (300, now() - interval '7 hours'); COMMIT`);
  late.release();
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
  await expectSameRows(pair, 'orders');
});

slowTest('on another timeline the window reaches an hour further down, once, with a warning', async () => {
  await using pair = await freshPair(orders);
  await sync(pair);
  await remember(pair, `jsonb_set(record, '{sourceLife, timeline}', '99')`);
  await insertWithKey(pair, 200, '50 min');
  const table = (await sync(pair)).table();
  expect(table).toMatchObject({ action: 'incremental', rows_inserted: 1 });
  expect(table.warnings).toEqual([expect.stringContaining('another timeline')]);
  await expectSameRows(pair, 'orders');
  expect((await sync(pair)).table().warnings).toEqual([]);
});

test('an integer key knows no clock', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'items', replication_key: 'id', unique_cols: ['id'] }],
    sourceSql: 'CREATE TABLE items (id bigint PRIMARY KEY); INSERT INTO items SELECT generate_series(1, 100)',
  });
  await sync(pair);
  await remember(pair, `jsonb_set(record, '{sourceTime}', to_jsonb((now() + interval '1 hour')::text))`);
  await pair.source.query('INSERT INTO items VALUES (101)');
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 1, warnings: [] });
});

/** This machine, as a process sees it, is three days ahead of both servers. */
const AHEAD = encodeURIComponent(`const Real = Date, ahead = 3 * 86400e3;
  globalThis.Date = class extends Real {
    constructor(...given) { given.length > 0 ? super(...given) : super(Real.now() + ahead); }
    static now() { return Real.now() + ahead; }
  };`);

test('a run while the clock of this machine was days ahead does not hide the failures and the lag after it', async () => {
  await using pair = await freshPair(orders);
  await sync(pair);
  await insertWithKey(pair, 400, '0s');
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${AHEAD}` };
  const ahead = await sync(pair, '', { env });
  expect(ahead.table()).toMatchObject({ rows_inserted: 1 });
  expect(Date.parse(ahead.summary.started_at)).toBeGreaterThan(Date.now() + 2 * 86_400_000);
  const WARNING = /^this machine's clock is \d days ahead of both servers/;
  expect(ahead.summary.warnings).toEqual([expect.stringMatching(WARNING)]);
  expect((await increp('check --json', pair, { env })).json()).toMatchObject({
    findings: expect.arrayContaining([
      expect.objectContaining({ code: 'CLOCK_SKEW', message: expect.stringMatching(WARNING) as string }),
    ]) as object[],
  });
  await pair.writeTables([{ ...ORDERS_CONFIG, max_staleness: '1h' }]);
  const seen = (await increp('status --json', pair, { env })).json();
  expect(seen).toMatchObject({ tables: [{ state: 'ok' }] });
  await pair.source.query('ALTER TABLE orders DROP COLUMN updated_at');
  expect((await trySync(pair)).exitCode).toBe(78);
  const places = [
    { place: 'both histories', args: '' },
    { place: 'the files', args: '--local' },
  ];
  for (const { place, args } of places) {
    const status = (await increp(`status --json ${args}`, pair)).json<{
      tables: { lag_seconds: number }[];
    }>();
    const lag = status.tables[0]?.lag_seconds;
    expect(lag, place).toBeGreaterThan(0);
    expect(status, place).toMatchObject({
      tables: [{ failures_since_success: 1, last_run: { status: 'failed' } }],
    });
    const history = (await increp(`history --json ${args}`, pair)).json();
    expect(history, place).toMatchObject({
      runs: [{ status: 'ok' }, { status: 'ok' }, { status: 'failed' }],
    });
  }
});
