/** One address that leads to several servers: a reader endpoint, or a load balancer over standbys. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, expect } from 'vitest';
import { startServer, type EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { ordersPreset, ORDERS_CONFIG } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

let first: EmbeddedServer;
let second: EmbeddedServer;

beforeAll(async () => {
  [first, second] = await Promise.all([
    startServer({ name: 'test-first' }),
    startServer({ name: 'test-second' }),
  ]);
});

afterAll(async () => {
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
});

/** The first connection leads to the first server, and every later one to the second server. */
async function balancer(): Promise<AsyncDisposable & { readonly port: number }> {
  let connections = 0;
  const listener = createServer((client) => {
    const { host, port } = connections++ === 0 ? first : second;
    const server = connect({ host, port });
    client.pipe(server).pipe(client);
    client.on('error', () => server.destroy());
    server.on('error', () => client.destroy());
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => void listener.close(),
  };
}

/** The second server accepts the same login. */
async function withTwin(pair: Pair): Promise<AsyncDisposable> {
  const { user, password, database } = pair.login('source', 'increp');
  const admin = new pg.Client({ connectionString: second.url('postgres') });
  await admin.connect();
  await admin.query(`CREATE ROLE "${user}" LOGIN PASSWORD '${password.replaceAll("'", "''")}'`);
  await admin.query(`CREATE DATABASE "${database}"`);
  return {
    [Symbol.asyncDispose]: async () => {
      await admin.query(`DROP DATABASE "${database}" WITH (FORCE)`);
      await admin.query(`DROP ROLE "${user}"`);
      await admin.end();
    },
  };
}

const openPair = (options: object) =>
  freshPair(
    { ...ordersPreset, tables: [{ ...ORDERS_CONFIG, ...options }] },
    { sourceServerUrl: first.url('postgres') },
  );

testWithPgDump('pg_dump reaches another server than the snapshot: the table is loaded by COPY', async () => {
  await using pair = await openPair({ initial_load: 'pg_dump' });
  await using _ = await withTwin(pair);
  await using proxy = await balancer();
  await pair.setEnv({ SOURCE_PORT: String(proxy.port) });
  const { stdout, stderr } = await sync(pair);
  expect(stdout + stderr).toContain('pg_dump reached another server than increp');
  await expectSameRows(pair, 'orders');
});

slowTest('a long statement is not ended because another server does not have its session', async () => {
  await using pair = await openPair({
    initial_load: 'copy',
    where: '(SELECT pg_sleep(5) IS NOT NULL)',
  });
  await using _ = await withTwin(pair);
  await using proxy = await balancer();
  await pair.setEnv({ SOURCE_PORT: String(proxy.port), STALL_TIMEOUT: '1s' });
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 10 });
});
