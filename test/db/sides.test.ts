/** An error is put down to the side that it came from, also where both sides are at work in one step. */
import { expect, test } from 'vitest';
import { big, goThrough } from '../support/chunked.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const refuseWrites = (pair: Pair) =>
  pair.destination.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN RAISE EXCEPTION 'no write is welcome here'; END$$;
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION refuse()`);

test.each(oneIn(3, ['--deletes', '--verify', '']))(
  'a trigger of the destination refuses, sync %s',
  async (args) => {
    await using pair = await freshPair({ ...ordersPreset, tables: [{ ...ORDERS_CONFIG, deletes: 'hard' }] });
    await sync(pair);
    await refuseWrites(pair);
    await insertOrders(pair, 1);
    const { error } = (await trySync(pair, args)).table();
    expect(error?.message).toMatch(/^destination .*no write is welcome here/);
    expect(error).toMatchObject({ code: 'QUERY_FAILED', sqlstate: 'P0001' });
    const [, list = ''] = /To list its triggers, run at the destination: (.*)$/.exec(error?.hint ?? '') ?? [];
    expect((await pair.destination.query(list)).rows).toEqual([{ tgrelid: 'orders', tgname: 'refuse' }]);
  },
);

test.each(['source', 'destination'] as const)('the %s is lost while both are compared', async (side) => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await using proxy = await faultProxy(pair.login(side));
  await goThrough(pair, side, proxy);
  proxy.when({ from: 'client', seen: '"orders"', after: 'REPEATABLE READ', fault: 'cut' });
  const { stdout, exitCode } = await increp('verify', pair);
  expect(exitCode).toBe(69);
  expect(stdout).toMatch(new RegExp(`could not be compared\\n +error: ${side} .*CONNECTION_LOST`));
});

slowTest('the destination is lost in the catch-up of a load in chunks', async () => {
  await using pair = await freshPair(big());
  await using proxy = await faultProxy(pair.login('destination'));
  await goThrough(pair, 'destination', proxy);
  proxy.when({ from: 'client', seen: 'TRUNCATE', fault: 'cut' });
  const { stderr } = await sync(pair);
  const [retry] = stderr.split('\n').filter((line) => line.includes('trying again'));
  expect(proxy.fired).toBe(1);
  expect(retry).toMatch(/"destination [^"]*trying again/);
  await expectSameRows(pair, 'big');
});
