/** A source server whose backend is killed: it ends all others, recovers, and names transactions from anew. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { expect, test } from 'vitest';
import { startServer, type EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { killBackend } from '../support/kill-backend.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';

/** A pair whose source is a server of its own, which may crash without harm to other tests. */
async function pairWith(server: EmbeddedServer, source: pg.Pool): Promise<Pair> {
  const pair = await freshPair({ tables: [{ ...ORDERS_CONFIG, lookback: '0s' }] });
  await pair.setEnv({
    SOURCE_HOST: server.host,
    SOURCE_PORT: String(server.port),
    SOURCE_USERNAME: server.user,
    SOURCE_PASSWORD: server.password,
    SOURCE_DB: 'postgres',
  });
  await source.query(ORDERS_SQL);
  return { ...pair, source };
}

/** Returns when the server answers again. */
async function crash(source: pg.Pool): Promise<void> {
  await killBackend(source);
  const answers = () => source.query('SELECT').then(Boolean, () => false);
  await sleep(200);
  while (!(await answers())) await sleep(50);
}

// A commit that was answered must survive the crash here, whatever makes the servers of tests fast.
test('a transaction prepared before the source crashed is not forgotten when it commits at last', async () => {
  await using server = await startServer({ name: 'crash', settings: { synchronous_commit: true } });
  const source = new pg.Pool({ connectionString: server.url('postgres') });
  source.on('error', () => undefined);
  const pair = await pairWith(server, source);
  const insert = (id: number) => source.query('INSERT INTO orders (id, total) VALUES ($1, 1)', [id]);
  await insert(1);
  await sync(pair, '--wait-transactions 0s');

  const client = await source.connect();
  await client.query('BEGIN; INSERT INTO orders (id, total) VALUES (2, 2)');
  await client.query(`PREPARE TRANSACTION 'late'`);
  client.release();
  await insert(3);
  expect((await sync(pair, '--wait-transactions 0s')).table().warnings.join()).toContain(
    '(prepared transaction ',
  );

  await crash(source);
  await insert(4);
  // The server was never restarted, and still the transaction has another name now.
  expect((await sync(pair, '--wait-transactions 0s')).table().warnings.join()).toContain(
    '(prepared transaction -1/',
  );
  await insert(5);
  await sync(pair, '--wait-transactions 0s');
  await source.query(`COMMIT PREPARED 'late'`);
  await sync(pair, '--wait-transactions 0s');
  await expectSameRows(pair, 'orders');
  await source.end();
});
