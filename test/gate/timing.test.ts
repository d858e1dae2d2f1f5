/** The waits of src/timing.ts as they are: everywhere else tests shorten them. */
import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { insertOrders } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const DEFAULT = { timing: 'default' } as const;

/** Seconds that it took. */
async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}

/** Takes connections and never says a word. */
async function silentServer() {
  const server = createServer(() => undefined).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

test('a statement queues for a lock at the destination for five seconds', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query(`
    CREATE TABLE seen (setting text); GRANT INSERT ON seen TO PUBLIC;
    CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO public.seen VALUES (current_setting('lock_timeout')); RETURN NEW; END $$;
    CREATE TRIGGER look BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION look()`);
  await insertOrders(pair, 1);
  await sync(pair, '', DEFAULT);
  expect((await pair.destination.query('SELECT setting FROM seen')).rows).toEqual([{ setting: '5s' }]);
});

slowTest(
  'a run waits for an open transaction for five seconds, and a retry for half a second at most',
  async () => {
    await using pair = await freshPair('orders');
    await sync(pair);
    await insertOrders(pair, 1);
    const open = await pair.source.connect();
    await open.query('BEGIN; SELECT FROM orders');
    expect(await secondsOf(() => sync(pair, '', DEFAULT))).toBeGreaterThan(4.9);
    await open.query('COMMIT');
    open.release();
    await pair.destination.query(`
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = 'deadlock_detected'; END $$;
    CREATE TRIGGER fail BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fail()`);
    await insertOrders(pair, 1);
    const { stderr } = await trySync(pair, '', DEFAULT);
    const delays = [...stderr.matchAll(/"delay_s":([\d.]+)/g)].map(([, delay]) => Number(delay));
    expect(delays).toHaveLength(3);
    for (const [index, delay] of delays.entries()) {
      expect(delay).toBeGreaterThanOrEqual(0.25);
      expect(delay).toBeLessThanOrEqual(0.5 * 2 ** index);
    }
  },
);

slowTest('a server that never answers is given up after ten seconds, by status after five', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await using server = await silentServer();
  await pair.setEnv({ SOURCE_PORT: String(server.port) });
  expect(await secondsOf(() => increp('plan', pair, DEFAULT))).toBeGreaterThan(9.9);
  const { stderr } = await increp('status', pair, DEFAULT);
  expect(stderr).toContain('did not answer within 5 s');
});
