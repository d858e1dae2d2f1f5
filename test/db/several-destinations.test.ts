/** One source, several destinations: each its own state, and the source read once for all that are level. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { waitUntil } from '../support/activity.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { waitForLock } from '../../src/sql/state.ts';
import { faultProxy, type FaultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { freshSeveral, type SeveralPair } from '../support/several.ts';
import { sync, trySync, type SyncResult } from '../support/sync.ts';
import { slowTest, slowKind } from '../support/tier.ts';

const COPY = { ...ORDERS_CONFIG, initial_load: 'copy' };
const COPIES = /COPY \(SELECT[^)]*?"id"/g;

/** What each destination's table came to, in the order of the configuration. */
const outcomes = ({ summary }: SyncResult) =>
  summary.tables.map(({ name, destination, status, action, rows_read, error }) => ({
    ...{ name, destination, status, action, rows_read },
    code: error?.code,
  }));

const manyOrders = (rows: number) =>
  `${ORDERS_SQL}; INSERT INTO orders (id, total, note)
   SELECT i, i, repeat('note ', 40) || i FROM generate_series(1, ${rows}) i`;

/** With the source behind a proxy that hears what it is asked. */
async function listening(pair: SeveralPair): Promise<FaultProxy & { readonly copies: () => number }> {
  const proxy = await faultProxy(pair.login('source'));
  await pair.setEnv({ SOURCE_PORT: String(proxy.port) });
  let before = 0;
  const copies = () => {
    const all = proxy.heard(COPIES);
    const since = all - before;
    before = all;
    return since;
  };
  return Object.assign(proxy, { copies });
}

test('level destinations are one COPY a table and window, and have the same cursor', async () => {
  await using pair = await freshSeveral({
    names: ['one', 'two', 'three'],
    tables: [COPY, { ...COPY, name: 'others' }],
    sourceSql: `${manyOrders(1000)}; CREATE TABLE others (LIKE orders INCLUDING ALL); INSERT INTO others TABLE orders`,
  });
  await using source = await listening(pair);
  const first = await sync(pair);
  expect(outcomes(first)).toEqual(
    ['one', 'two', 'three'].flatMap((destination) =>
      ['orders', 'others'].map((name) => ({
        ...{ name, destination, status: 'ok', action: 'initial', rows_read: 1000, code: undefined },
      })),
    ),
  );
  expect(source.copies()).toBe(2);
  await pair.source.query(`UPDATE orders SET total = 0, updated_at = now() WHERE id <= 10`);
  const second = await sync(pair);
  expect(
    second.summary.tables.filter(({ name }) => name === 'orders').map(({ rows_updated }) => rows_updated),
  ).toEqual([10, 10, 10]);
  // Nobody has written to the others.
  expect(source.copies()).toBe(1);
  await pair.expectAllSame('orders');
  await pair.expectAllSame('others');
  expect(
    new Set(second.summary.tables.filter(({ name }) => name === 'orders').map(({ cursor }) => cursor)).size,
  ).toBe(1);
});

slowTest('a quiet table takes the source no message of its own for any of three destinations', async () => {
  const names = Array.from({ length: 40 }, (_, index) => `t${index}`);
  await using pair = await freshSeveral({
    names: ['one', 'two', 'three'],
    tables: names.map((name) => ({ ...COPY, name })),
    sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id) SELECT generate_series(1, 20);
      ${names.map((name) => `CREATE TABLE ${name} (LIKE orders INCLUDING ALL); INSERT INTO ${name} TABLE orders`).join(';')}`,
  });
  await sync(pair);
  await using source = await listening(pair);
  const trips = async (tables: readonly string[]) => {
    const before = source.roundTrips;
    await sync(pair, tables.join(' '));
    return source.roundTrips - before;
  };
  const [few, all] = [await trips(names.slice(0, 10)), await trips(names)];
  expect(Math.round((all - few) / 30)).toBe(0);
});

slowKind(testWithPgDump)('a load by pg_dump is one pg_dump for all of them', async () => {
  await using pair = await freshSeveral({ tables: [ORDERS_CONFIG], sourceSql: manyOrders(20_000) });
  await using source = await listening(pair);
  const result = await sync(pair);
  expect(result.summary.tables.map(({ loader, rows_read }) => [loader, rows_read])).toEqual([
    ['pg_dump', 20_000],
    ['pg_dump', 20_000],
  ]);
  expect(source.heard(/COPY public.orders \(/g)).toBe(1);
  await pair.expectAllSame('orders');
});

slowTest('tables in chunks are read for each of them', async () => {
  await using pair = await freshSeveral({
    tables: [{ ...COPY, chunk: '200 rows' }],
    sourceSql: manyOrders(2000),
  });
  const result = await sync(pair);
  expect(result.summary.tables.map(({ rows_inserted }) => rows_inserted)).toEqual([2000, 2000]);
  await pair.expectAllSame('orders');
});

test('a condition about the present is no obstacle for a shared comparison', async () => {
  const table = {
    ...COPY,
    where: "updated_at >= now() - interval '90 days'",
    transform: { note: 'md5(note)' },
    deletes: 'hard',
  };
  await using pair = await freshSeveral({
    names: ['one', 'two'],
    tables: [table],
    sourceSql: manyOrders(100),
  });
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id <= 10');
  const compared = await sync(pair, '--deletes');
  expect(compared.summary.tables.map(({ rows_deleted }) => rows_deleted)).toEqual([10, 10]);
  await pair.source.query('UPDATE orders SET total = 0, updated_at = now() WHERE id <= 20');
  expect(outcomes(await sync(pair, '--verify')).map(({ status }) => status)).toEqual(['ok', 'ok']);
});

test('each keeps its own state, below a directory of its name', async () => {
  await using pair = await freshSeveral('orders');
  await sync(pair);
  const files = ['one', 'two'].map((name) => join(pair.directory, 'sync-state', name, 'orders.json'));
  expect(files.map((file) => existsSync(file))).toEqual([true, true]);
  expect(existsSync(join(pair.directory, 'sync-state', 'orders.json'))).toBe(false);
  for (const { pool } of pair.copies) {
    const { rows } = await pool.query('SELECT table_name, status FROM _increp_runs');
    expect(rows).toEqual([{ table_name: 'orders', status: 'ok' }]);
  }
});

slowTest('one that is down holds up nobody, and catches up from its own cursor', async () => {
  await using pair = await freshSeveral({
    tables: [COPY, { ...COPY, name: 'others' }],
    sourceSql: `${manyOrders(100)}; CREATE TABLE others (LIKE orders INCLUDING ALL); INSERT INTO others TABLE orders`,
  });
  await using source = await listening(pair);
  await sync(pair);
  source.copies();
  await using gone = await faultProxy(pair.copy('two').side.superuser);
  await gone.refuse();
  await pair.setUrls({ two: pair.copy('two').url(gone) });
  await insertOrders(pair, 5);
  const started = Date.now();
  const running = startIncrep('sync --json', pair);
  const same = async () =>
    (await pair.copy('one').pool.query('SELECT count(*)::int AS n FROM orders')).rows[0].n === 105;
  await waitUntil('the copy that is up', same);
  const doneAfter = Date.now() - started;
  const result = await running.wait();
  expect(result.exitCode).toBe(3);
  // The tries of the one that is down go on for seconds.
  expect(doneAfter).toBeLessThan(Date.now() - started);
  const summary = result
    .lines<{
      type: string;
      status: string;
      destinations: unknown;
      tables: { destination: string; status: string; error: { code: string } | null }[];
    }>()
    .at(-1);
  expect(summary).toMatchObject({
    type: 'summary',
    status: 'partial',
    destinations: [
      { name: 'one', status: 'ok', error: null },
      { name: 'two', status: 'failed', error: { code: 'CONNECTION_FAILED' } },
    ],
  });
  expect(summary?.tables.map(({ destination, status, error }) => [destination, status, error?.code])).toEqual(
    [
      ['one', 'ok', undefined],
      ['one', 'ok', undefined],
      ['two', 'failed', 'CONNECTION_FAILED'],
      ['two', 'failed', 'CONNECTION_FAILED'],
    ],
  );
  expect(source.copies()).toBe(1);

  await gone.resume();
  await insertOrders(pair, 1);
  const later = await sync(pair);
  expect(
    later.summary.tables.filter(({ name }) => name === 'orders').map(({ rows_inserted }) => rows_inserted),
  ).toEqual([1, 6]);
  // Different cursors are different windows.
  expect(source.copies()).toBe(2);
  await pair.expectAllSame('orders');
  await insertOrders(pair, 1);
  await sync(pair);
  expect(source.copies()).toBe(1);
  await pair.expectAllSame('orders');
});

slowTest(
  'one whose session is ended in the middle of a COPY reads for itself, and the others are done',
  async () => {
    await using pair = await freshSeveral({ tables: [COPY], sourceSql: manyOrders(200_000) });
    await using slow = await faultProxy(pair.copy('two').side.superuser);
    slow.throttle(8_000_000);
    await pair.setUrls({ two: pair.copy('two').url(slow) });
    await using source = await listening(pair);
    const running = startIncrep('sync --json', pair);
    const { pool } = pair.copy('two');
    await waitUntil('its COPY', async () => {
      const { rowCount } = await pool.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%' AND state = 'active'`,
      );
      return rowCount === 1;
    });
    await slow.resume();
    const result = await running.wait();
    expect(result.exitCode, result.stderr).toBe(0);
    expect(source.copies()).toBe(2);
    await pair.expectAllSame('orders');
  },
);

slowTest('kill -9 in the middle, and the next run mends both', async () => {
  await using pair = await freshSeveral({ tables: [COPY], sourceSql: manyOrders(100_000) });
  await using slow = await faultProxy(pair.copy('two').side.superuser);
  slow.throttle(3_000_000);
  await pair.setUrls({ two: pair.copy('two').url(slow) });
  {
    await using running = startIncrep('sync', pair);
    await waitUntil(
      'a COPY',
      async () =>
        ((
          await pair
            .copy('one')
            .pool.query(
              `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%'`,
            )
        ).rowCount ?? 0) > 0,
    );
    running.kill('SIGKILL');
    await running.wait();
  }
  await slow.resume();
  await sync(pair);
  await pair.expectAllSame('orders');
  await insertOrders(pair, 2);
  expect(outcomes(await sync(pair)).map(({ action }) => action)).toEqual(['incremental', 'incremental']);
  await pair.expectAllSame('orders');
});

slowTest('a signal ends all of them at once', async () => {
  await using pair = await freshSeveral({ tables: [COPY], sourceSql: manyOrders(100_000) });
  await using slow = await faultProxy(pair.copy('two').side.superuser);
  slow.throttle(1_000_000);
  await pair.setUrls({ two: pair.copy('two').url(slow) });
  await using running = startIncrep('sync --json', pair);
  await waitUntil(
    'a COPY',
    async () =>
      ((
        await pair
          .copy('one')
          .pool.query(
            `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%'`,
          )
      ).rowCount ?? 0) > 0,
  );
  running.kill('SIGTERM');
  const at = Date.now();
  const result = await running.wait();
  expect(Date.now() - at).toBeLessThan(5000);
  expect(result.exitCode).toBe(143);
  expect(result.lines().at(-1)).toMatchObject({
    type: 'summary',
    status: 'failed',
    error: { code: 'INTERRUPTED' },
  });
});

slowTest('one that is reset, one without its table and one that is level are kept side by side', async () => {
  await using pair = await freshSeveral({
    names: ['one', 'two', 'three'],
    tables: [COPY],
    sourceSql: manyOrders(50),
  });
  await sync(pair);
  expect((await increp('reset orders --destination two', pair)).exitCode).toBe(0);
  await pair.copy('three').pool.query('DROP TABLE orders');
  await insertOrders(pair, 5);
  const result = await sync(pair);
  expect(outcomes(result).map(({ destination, action }) => [destination, action])).toEqual([
    ['one', 'incremental'],
    ['two', 'reset'],
    ['three', 'initial'],
  ]);
  await pair.expectAllSame('orders');
});

slowTest(
  'one that another run holds is left, and the others are done; 75 only where all are held',
  async () => {
    await using pair = await freshSeveral('orders');
    await sync(pair);
    await insertOrders(pair, 1);
    const holders = await Promise.all(pair.copies.map(({ pool }) => pool.connect()));
    const [one, two] = holders;
    for (const holder of holders)
      await holder.query(`BEGIN; ${waitForLock({ schema: 'public', table: 'orders' })}`);
    const none = await trySync(pair);
    expect(none.exitCode).toBe(75);
    expect(outcomes(none).map(({ code }) => code)).toEqual(['RUN_LOCKED', 'RUN_LOCKED']);
    await two?.query('ROLLBACK');
    const some = await trySync(pair);
    expect(some.exitCode).toBe(3);
    expect(outcomes(some).map(({ status, code }) => [status, code])).toEqual([
      ['failed', 'RUN_LOCKED'],
      ['ok', undefined],
    ]);
    await one?.query('ROLLBACK');
    for (const holder of holders) holder.release();
    await sync(pair);
    await pair.expectAllSame('orders');
  },
);

slowTest(
  'rows that are gone are removed in each of them, and sync --verify compares with the snapshot that was shared',
  async () => {
    await using pair = await freshSeveral({
      tables: [{ ...COPY, deletes: 'hard', deletes_every: '0s' }],
      sourceSql: manyOrders(3000),
    });
    await using source = await listening(pair);
    await sync(pair, '--verify');
    expect(source.copies()).toBe(1);
    await pair.source.query(
      'DELETE FROM orders WHERE id % 10 = 0; UPDATE orders SET total = 1, updated_at = now() WHERE id < 5',
    );
    const result = await sync(pair, '--verify');
    expect(result.summary.tables.map(({ rows_deleted }) => rows_deleted)).toEqual([300, 300]);
    expect(source.copies()).toBe(1);
    await pair.expectAllSame('orders');
  },
);

slowTest('a transaction that is open is waited for by both, and brings its row to both', async () => {
  await using pair = await freshSeveral('orders');
  await sync(pair);
  const late = await pair.source.connect();
  await late.query(`BEGIN; INSERT INTO orders VALUES (500, 1, 'late', now())`);
  await insertOrders(pair, 1);
  await sync(pair, '--wait-transactions 0s');
  await late.query('COMMIT');
  late.release();
  const result = await sync(pair);
  expect(result.summary.tables.map(({ rows_inserted }) => rows_inserted)).toEqual([1, 1]);
  await pair.expectAllSame('orders');
});

test('the same database twice is refused by what the servers say, and the first one goes on', async () => {
  await using pair = await freshSeveral('orders');
  const { side } = pair.copy('one');
  await using door = await faultProxy(side.superuser);
  await pair.setUrls({ two: pair.copy('one').url(door) });
  const result = await trySync(pair);
  expect(result.exitCode).toBe(3);
  expect(outcomes(result).map(({ code }) => code ?? 'ok')).toEqual(
    expect.arrayContaining(['ok', 'SAME_DATABASE']),
  );
});

test('two schemas of one database whose copies are the same tables are refused, and the first one goes on', async () => {
  await using pair = await freshSeveral({ ...ordersPreset, tables: [{ ...COPY, dest_schema: 'lake' }] });
  const url = pair.copy('one').url();
  const destinations = ['a', 'b'].map((name) => ({ name, url_env: 'LAKE_URL', schema: name }));
  await pair.setEnv({ DEST_URLS: undefined, LAKE_URL: url });
  await pair.writeTables({ destinations, tables: [{ ...COPY, dest_schema: 'lake' }] });
  const result = await trySync(pair);
  expect(result.exitCode).toBe(3);
  expect(
    outcomes(result)
      .map(({ code }) => code ?? 'ok')
      .toSorted(),
  ).toEqual(['SAME_DATABASE', 'ok']);
});

test('--fail-fast stops all of them', async () => {
  await using pair = await freshSeveral({
    tables: [COPY, { ...COPY, name: 'missing' }, { ...COPY, name: 'others' }],
    sourceSql: `${manyOrders(10)}; CREATE TABLE others (LIKE orders INCLUDING ALL)`,
  });
  const result = await trySync(pair, '--fail-fast');
  expect(result.exitCode).toBe(3);
  expect(outcomes(result).some(({ name }) => name === 'others')).toBe(false);
});

test('a copy that was the only one is one of several now, and is not loaded again', async () => {
  await using pair = await freshSeveral('orders');
  const { user, password, host, port, database } = pair.copy('one').side.increp;
  const only = {
    DEST_URLS: undefined,
    ...{ DEST_HOST: host, DEST_PORT: String(port), DEST_DB: database },
    ...{ DEST_USERNAME: user, DEST_PASSWORD: password },
  };
  const states = async () =>
    [...(await increp('status', pair)).stdout.matchAll(/^(\w+) +orders/gm)].map(([, state]) => state);
  await pair.setEnv(only);
  await sync(pair);
  await pair
    .copy('one')
    .pool.query(`INSERT INTO orders (id, total, updated_at) VALUES (999, 1, '2020-01-01')`);
  await increp('verify', pair);
  await pair.setUrls();
  await insertOrders(pair, 1);
  expect(outcomes(await sync(pair)).map(({ action }) => action)).toEqual(['incremental', 'initial']);
  expect(await states()).toEqual(['different', 'ok']);
  await pair.setEnv(only);
  await insertOrders(pair, 1);
  expect((await sync(pair)).table().warnings).toEqual([]);
  expect(await states()).toEqual(['different']);
  await increp('verify --repair', pair);
  expect(await states()).toEqual(['ok']);
});
