/** Other runs of increp at the same source: readers are not waited for, writers are fenced like any other program. */
import pg from 'pg';
import { expect, test } from 'vitest';
import { waitForCopy } from '../support/activity.ts';
import { startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { LOADERS_TRIED, oneIn, slowTest, slowKind } from '../support/tier.ts';

const BARE = { ...ordersPreset, tables: [{ ...ORDERS_CONFIG, lookback: '0s' }] };

/** A session at the source of this pair under the role that increp reads with. */
async function sessionAs(pair: Pair, application_name: string): Promise<pg.Client> {
  const { user } = pair.login('source', 'increp');
  await pair.source.query(`GRANT ALL ON ALL TABLES IN SCHEMA public TO "${user}"`);
  const client = new pg.Client({ ...pair.login('source', 'increp'), application_name });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** What a session of increp is called at that server right now. */
async function nameOfReader(pair: Pair): Promise<string> {
  const { rows } = await pair.source.query<{ name: string }>(
    `SELECT min(application_name) AS name FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE 'increp %'`,
  );
  return rows[0]?.name ?? '';
}

/** A second pipeline in the middle of its first load from the source of `pair`. */
async function readingRun(pair: Pair, loader: string) {
  const other = await freshPair({ tables: [{ ...ORDERS_CONFIG, initial_load: loader }] });
  const { host, port, database, user, password } = pair.login('source', 'increp');
  const proxy = await faultProxy({ host, port });
  await other.setEnv({
    SOURCE_PORT: String(proxy.port),
    SOURCE_DB: database,
    SOURCE_USERNAME: user,
    SOURCE_PASSWORD: password,
  });
  proxy.throttle(1_000_000);
  const running = startIncrep('sync', other);
  await waitForCopy(pair.source, 'orders');
  const close = async () => {
    await running[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
  };
  return { [Symbol.asyncDispose]: close };
}

for (const loader of LOADERS_TRIED) {
  slowKind(testWithPgDump)(
    `a run of increp that loads by ${loader} is not waited for; its name in another session is`,
    async () => {
      await using pair = await freshPair(BARE);
      await insertOrders(pair, 150_000);
      await sync(pair);
      await using _ = await readingRun(pair, loader);
      const name = await nameOfReader(pair);
      expect(name).toMatch(/^increp /);
      await insertOrders(pair, 1);
      expect((await sync(pair, '--wait-transactions 50ms')).table().warnings).toEqual([]);
      const writer = await sessionAs(pair, name);
      await writer.query('BEGIN; SELECT FROM orders');
      await insertOrders(pair, 1);
      const held = (await sync(pair, '--wait-transactions 50ms')).table().warnings;
      // The name of a pg_dump that is at work is as good as its mark.
      if (loader === 'copy')
        expect(held).toEqual([expect.stringMatching(/^1 transaction is open at the source/)]);
      await writer.query(`UPDATE orders SET note = 'late', updated_at = now() WHERE id = 7`);
      await insertOrders(pair, 1);
      expect((await sync(pair, '--wait-transactions 50ms')).table().warnings).toEqual([
        expect.stringMatching(/^1 transaction is open at the source/),
      ]);
      await writer.end();
    },
  );
}

for (const name of oneIn(3, ['increp up 1@h', 'increp', 'increp pg_dump up 1@h']))
  test(`rows of a writer called "${name}" under our role arrive after its commit`, async () => {
    await using pair = await freshPair(BARE);
    await sync(pair);
    const writer = await sessionAs(pair, name);
    await writer.query(`BEGIN; UPDATE orders SET note = 'late', updated_at = clock_timestamp() WHERE id = 7`);
    await insertOrders(pair, 2);
    await sync(pair, '--wait-transactions 50ms');
    await writer.query('COMMIT');
    await writer.end();
    expect((await sync(pair)).table()).toMatchObject({ rows_updated: 1 });
    await expectSameRows(pair, 'orders');
  });

slowTest('the same for a table that is only read again when it has changed', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'rates', mode: 'full-refresh', skip_unchanged: true }],
    sourceSql:
      'CREATE TABLE rates (id int, rate numeric); INSERT INTO rates SELECT i, i FROM generate_series(1, 100) i',
  });
  await sync(pair);
  const writer = await sessionAs(pair, 'increp up 1@h');
  await writer.query('BEGIN; UPDATE rates SET rate = rate + 1 WHERE id = 7');
  await pair.source.query('SELECT pg_current_xact_id()');
  await sync(pair, '--full-refresh');
  await writer.query('COMMIT');
  await writer.end();
  await sync(pair);
  await expectSameRows(pair, 'rates');
});
