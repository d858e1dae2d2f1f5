/** The helpers themselves: a test is worth no more than what it stands on. */
import { access, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Login } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders } from '../support/shop.ts';
import { webhookServer } from '../support/webhook-server.ts';

async function connected(login: Login): Promise<Client & AsyncDisposable> {
  const client = new Client(login);
  client.on('error', () => undefined);
  await client.connect();
  return Object.assign(client, {
    [Symbol.asyncDispose]: () => client.end().catch(() => undefined),
  });
}

const LOST = /terminated unexpectedly|ECONNRESET/;
const COPY_OF_ORDERS = `CREATE TABLE orders (id bigint, total numeric, note text, updated_at timestamptz)`;

test('the reader reads every table, also later ones, and writes nowhere', async () => {
  await using pair = await freshPair('orders');
  await pair.source.query('CREATE TABLE later (id serial)');
  await using reader = await connected(pair.login('source', 'increp'));
  expect((await reader.query('SELECT FROM orders')).rowCount).toBe(10);
  expect((await reader.query('SELECT FROM later')).rowCount).toBe(0);
  for (const sql of [
    'DELETE FROM orders',
    'CREATE TABLE mine ()',
    'CREATE TEMP TABLE mine ()',
    'CREATE SCHEMA mine',
    'SELECT last_value FROM later_id_seq',
  ]) {
    await expect(reader.query(sql)).rejects.toThrow(/permission denied/);
  }
});

test('the writer makes tables in "public" and schemas of its own', async () => {
  await using pair = await freshPair({ schema: 'Mixed Case', sourceSql: 'CREATE TABLE t ()' });
  await using writer = await connected(pair.login('destination', 'increp'));
  await writer.query('CREATE TABLE public.t (); CREATE SCHEMA "Mixed Case"; CREATE TABLE "Mixed Case".t ()');
  const made = await pair.destination.query(
    `SELECT FROM pg_tables WHERE tablename = 't' AND tableowner = $1`,
    [pair.login('destination', 'increp').user],
  );
  expect(made.rowCount).toBe(2);
});

test('the pipeline directory has its files and is gone afterwards', async () => {
  const pair = await freshPair('orders');
  await pair.setEnv({ WEBHOOK_URL: 'http://localhost/with space' });
  expect((await stat(join(pair.directory, '.env'))).mode & 0o777).toBe(0o600);
  await access(join(pair.directory, 'tables-config.json'));
  await pair[Symbol.asyncDispose]();
});

test('the oracle tells 1.0 from 1.00, and rows that are missing or doubled', async () => {
  await using pair = await freshPair('orders');
  await pair.destination.query(COPY_OF_ORDERS);
  const copy = async (total: string) => {
    const rows = await pair.source.query<{ row: string }>(`SELECT o::text AS row FROM orders o`);
    await pair.destination.query('TRUNCATE orders');
    for (const { row } of rows.rows) {
      await pair.destination.query(`INSERT INTO orders SELECT ($1::text::orders).*`, [row]);
    }
    await pair.destination.query(`UPDATE orders SET total = ${total} WHERE id = 8`);
  };
  await copy('10.00');
  await expectSameRows(pair, 'orders');
  await copy('10.0');
  await expect(expectSameRows(pair, 'orders')).rejects.toThrow(/only at the destination: 1\n +8\t10\.0\t/);
  await expectSameRows(pair, 'orders', { columns: ['id', 'note'] });
  await expectSameRows(pair, 'orders', { where: 'id <> 8' });
  await copy('10.00');
  await insertOrders(pair, 2);
  await expect(expectSameRows(pair, 'orders')).rejects.toThrow(/12 rows at the source, 10 at/);
  await pair.source.query('DELETE FROM orders WHERE id > 10');
  await pair.destination.query('INSERT INTO orders SELECT * FROM orders WHERE id = 1');
  await expect(expectSameRows(pair, 'orders')).rejects.toThrow(/only at the destination: 1/);
});

test('the oracle compares json, and an enum with its text', async () => {
  const rows = `INSERT INTO t VALUES ('{"a": 1, "a": 2}', 'it''s "so"', '{"it''s \\"so\\""}')`;
  await using pair = await freshPair({
    sourceSql: `CREATE TYPE mood AS ENUM ('it''s "so"'); CREATE TABLE t (t json, m mood, ms mood[]); ${rows}`,
    destinationSql: `CREATE TABLE t (t json, m text, ms text[]); ${rows}`,
  });
  await expect(expectSameRows(pair, 't')).resolves.toBeUndefined();
});

test('the proxy cuts, resets, stalls and refuses', async () => {
  await using pair = await freshPair();
  const login = pair.login('source', 'increp');
  await using proxy = await faultProxy(login);
  const through = { ...login, port: proxy.port };
  for (const fault of ['cut', 'reset'] as const) {
    await using client = await connected(through);
    const sleeping = client.query('SELECT pg_sleep(30)');
    proxy[fault]();
    await expect(sleeping).rejects.toThrow(LOST);
  }
  await using client = await connected(through);
  proxy.stall();
  let hasAnswered = false;
  const answer = client.query('SELECT 1').then(() => (hasAnswered = true));
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(hasAnswered).toBe(false);
  await proxy.resume();
  await answer;
  await proxy.refuse();
  await expect(connected(through)).rejects.toThrow(/ECONNREFUSED/);
  await client.query('SELECT 1');
  await proxy.resume();
  await using again = await connected(through);
  await again.query('SELECT 1');
});

test('the proxy loses the reply to a commit that happened', async () => {
  await using pair = await freshPair('orders');
  const login = pair.login('source');
  await using proxy = await faultProxy(login);
  await using client = await connected({ ...login, port: proxy.port });
  proxy.dropReplyTo('COMMIT');
  await client.query('BEGIN');
  await client.query('DELETE FROM orders WHERE id = 1');
  await expect(client.query('COMMIT')).rejects.toThrow(LOST);
  expect(proxy.fired).toBe(1);
  expect((await pair.source.query('SELECT FROM orders')).rowCount).toBe(9);
});

test('the proxy breaks off in the middle of an answer', async () => {
  await using pair = await freshPair();
  const login = pair.login('source');
  await using proxy = await faultProxy(login);
  proxy.when({ from: 'server', afterBytes: 100_000, fault: 'reset' });
  await using client = await connected({ ...login, port: proxy.port });
  await expect(client.query(`SELECT repeat('x', 1000) FROM generate_series(1, 1000)`)).rejects.toThrow(LOST);
  await using second = await connected({ ...login, port: proxy.port });
  await second.query(`SELECT repeat('x', 1000) FROM generate_series(1, 1000)`);
});

test('the webhook server records and answers by its script', async () => {
  await using server = await webhookServer(
    500,
    { status: 302, headers: { location: '/else' } },
    'reset',
    200,
  );
  const post = () => fetch(server.url, { method: 'POST', body: '{"a":1}', redirect: 'manual' });
  expect((await post()).status).toBe(500);
  expect((await post()).status).toBe(302);
  await expect(post()).rejects.toThrow('fetch failed');
  expect((await post()).status).toBe(200);
  server.answerWith('hang');
  await expect(fetch(server.url, { signal: AbortSignal.timeout(100) })).rejects.toThrow(/timeout/);
  server.answerWith('endless');
  const endless = await fetch(server.url, { signal: AbortSignal.timeout(200) });
  await expect(endless.text()).rejects.toThrow(/timeout/);
  const requests = await server.waitForRequests(6);
  expect(requests[0]?.json()).toEqual({ a: 1 });
});
