/** An error is put down to the side that it came from, also where both sides are at work in one step. */
import { expect, test } from 'vitest';
import { big, goThrough } from '../support/chunked.ts';
import { waitUntil } from '../support/activity.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const refuseWrites = (pair: Pair) =>
  pair.destination.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN RAISE EXCEPTION 'no write is welcome here' USING DETAIL = 'Closed.', HINT = 'Open it.'; END$$;
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION refuse()`);

test.each(oneIn(3, ['--deletes', '--verify', '']))(
  'a trigger of the destination refuses, sync %s',
  async (args) => {
    await using pair = await freshPair({ ...ordersPreset, tables: [{ ...ORDERS_CONFIG, deletes: 'hard' }] });
    await sync(pair);
    await refuseWrites(pair);
    await insertOrders(pair, 1);
    const { error } = (await trySync(pair, args)).table();
    expect(error?.message).toMatch(
      /^destination .*no write is welcome here \(Closed\.\) \(hint: Open it\.\)/,
    );
    expect(error).toMatchObject({ code: 'QUERY_FAILED', sqlstate: 'P0001' });
    const [, list = ''] = /To list its triggers, run at the destination: (.*)$/.exec(error?.hint ?? '') ?? [];
    expect((await pair.destination.query(list)).rows).toEqual([{ tgrelid: 'orders', tgname: 'refuse' }]);
  },
);

test('a missing privilege at the destination comes with the statement that gives it', async () => {
  await using pair = await freshPair(ordersPreset);
  await sync(pair);
  const writer = pair.login('destination', 'increp').user;
  await pair.destination.query(`CREATE TABLE audit (id bigint);
    CREATE FUNCTION record() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN INSERT INTO audit VALUES (NEW.id); RETURN NEW; END$$;
    CREATE TRIGGER record AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION record()`);
  await insertOrders(pair, 1);
  const statement = async (who: string) =>
    new RegExp(`^At the destination, run as ${who}: (.*)$`).exec(
      (await trySync(pair)).table().error?.hint ?? '',
    )?.[1] ?? '';
  const grant = await statement('the owner');
  expect(grant).toBe(`GRANT INSERT ON "public"."audit" TO "${writer}"`);
  await pair.destination.query(
    `${grant}; ALTER TABLE orders OWNER TO CURRENT_USER; GRANT SELECT ON orders TO ${writer}`,
  );
  const give = await statement('a superuser');
  expect(give).toBe(`ALTER TABLE "public"."orders" OWNER TO "${writer}"`);
  await pair.destination.query(give);
  await sync(pair);
  await pair.destination.query('ALTER TABLE orders_stg OWNER TO CURRENT_USER');
  await pair.source.query(`UPDATE orders SET note = 'new', updated_at = now()`);
  const giveStaging = await statement('a superuser');
  expect(giveStaging).toBe(`ALTER TABLE "public"."orders_stg" OWNER TO "${writer}"`);
  await pair.destination.query(giveStaging);
  await sync(pair);
});

test.each(oneIn(2, ['destination', 'source'] as const))(
  'the %s ends its session in the middle of a COPY, and the retry names that side',
  async (side) => {
    await using pair = await freshPair('orders');
    await sync(pair);
    await pair.source.query(
      `INSERT INTO orders SELECT i, 1, repeat('x', 200), now() FROM generate_series(100, 100100) i`,
    );
    await using running = startIncrep('sync -v', pair);
    await running.waitForPhase('copy');
    await waitUntil('COPY is under way', async () => {
      const { rowCount } = await pair[side].query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND query ILIKE '%copy%' AND state = 'active' AND pid <> pg_backend_pid()`,
      );
      return rowCount === 1;
    });
    const { stderr, exitCode } = await running.wait();
    expect(exitCode, stderr).toBe(0);
    // The reason of the server is lost if increp sends rows at that moment.
    expect(stderr).toMatch(new RegExp(`orders: ${side} [^\n]*trying again`));
    await expectSameRows(pair, 'orders');
  },
);

test.each(oneIn(2, ['source', 'destination'] as const))(
  'the %s is lost while both are compared',
  async (side) => {
    await using pair = await freshPair('orders');
    await sync(pair);
    await using proxy = await faultProxy(pair.login(side));
    await goThrough(pair, side, proxy);
    proxy.when({ from: 'client', seen: '"orders"', after: 'REPEATABLE READ', fault: 'cut' });
    const { stdout, exitCode } = await increp('verify', pair);
    expect(exitCode).toBe(69);
    expect(stdout).toMatch(new RegExp(`could not be compared\\n +error: ${side} .*CONNECTION_LOST`));
  },
);

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
