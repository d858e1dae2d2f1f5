/** What a sync costs on a slow network: each message that it waits for. */
import { expect, test } from 'vitest';
import { freshPair, type Pair } from '../support/pair.ts';
import { faultProxy, type FaultProxy } from '../support/proxy.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { expectSameRows } from '../support/oracle.ts';
import { sync } from '../support/sync.ts';

const TABLES = ['a', 'b', 'c'];

/** The round trips of a run in which these tables have changes. */
async function costOf(pair: Pair, proxies: readonly FaultProxy[], changed: readonly string[]) {
  for (const table of changed)
    await pair.source.query(`UPDATE ${table} SET updated_at = now() WHERE id <= 3`);
  const before = proxies.map(({ roundTrips }) => roundTrips);
  await sync(pair);
  return proxies.map(({ roundTrips }, index) => roundTrips - (before[index] ?? 0));
}

test('a table with changes costs few round trips: its lock and its merge are one message', async () => {
  await using pair = await freshPair({
    tables: TABLES.map((name) => ({ ...ORDERS_CONFIG, name })),
    sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id) SELECT generate_series(1, 10);
      ${TABLES.map((name) => `CREATE TABLE ${name} (LIKE orders INCLUDING ALL); INSERT INTO ${name} TABLE orders`).join(';')}`,
  });
  await using source = await faultProxy(pair.login('source', 'increp'));
  await using destination = await faultProxy(pair.login('destination'));
  await pair.setEnv({ SOURCE_PORT: String(source.port), DEST_PORT: String(destination.port) });
  await sync(pair);
  const proxies = [source, destination];
  // Without a distance, an answer may come between two messages that are sent at once.
  for (const proxy of proxies) proxy.delay(10);
  const one = await costOf(pair, proxies, ['a']);
  const three = await costOf(pair, proxies, TABLES);
  // Two tables more. It is four and six for each, and a busy machine may split a message.
  const [atSource = 0, atDestination = 0] = three.map((trips, index) => trips - (one[index] ?? 0));
  expect(atSource).toBeLessThanOrEqual(2 * 5);
  expect(atDestination).toBeLessThanOrEqual(2 * 7);
  expect(destination.heard(/SAVEPOINT increp_at_once; SAVEPOINT/)).toBe(4);
  expect(destination.heard(/SAVEPOINT increp_merge/)).toBe(0);
  for (const table of TABLES) await expectSameRows(pair, table);
});

test('with sslmode=prefer, a server without TLS is asked and used over one connection', async () => {
  await using pair = await freshPair('orders');
  await using source = await faultProxy(pair.login('source', 'increp'));
  await using destination = await faultProxy(pair.login('destination'));
  await pair.setEnv({
    ...{ SOURCE_PORT: String(source.port), SOURCE_SSLMODE: 'prefer' },
    ...{ DEST_PORT: String(destination.port), DEST_SSLMODE: 'prefer' },
  });
  await sync(pair);
  const before = [source.accepted, destination.accepted];
  await sync(pair);
  expect([source.accepted, destination.accepted]).toEqual(before.map((count) => count + 1));
});
