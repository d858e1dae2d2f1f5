/** Findings of `check` about the privileges of both roles: the statements that it prints are run, and the finding is gone. */
import { expect, test } from 'vitest';
import { PREPARED_TRANSACTIONS } from '../../src/sql/inspect.ts';
import { check, obey } from '../support/check.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

test('each missing privilege is told with the statement that grants it', async () => {
  await using pair = await freshPair(ordersPreset);
  const { user } = pair.login('source', 'increp');
  await pair.source.query(
    `REVOKE ALL ON orders FROM ${user}; REVOKE ALL ON SCHEMA public FROM ${user}, PUBLIC`,
  );
  await pair.destination.query(
    `REVOKE ALL ON SCHEMA public FROM PUBLIC; ALTER SCHEMA public OWNER TO postgres`,
  );
  const inSource = [/role "reader_\w+" may not use schema "\w+" at the source/, 'source'] as const;
  const inDestination = [
    /may not create tables in schema "public" of the destination/,
    'destination',
  ] as const;
  // The table shows only to whoever may look into its schema.
  for (const expected of [[inSource, inDestination], [[/may not read public\.orders/, 'source'] as const]]) {
    const { exitCode, findings } = await check(pair);
    const errors = findings.filter(({ level }) => level === 'error');
    expect(exitCode).toBe(77);
    expect(errors).toMatchObject(expected.map(() => ({ code: 'PRIVILEGE_MISSING' })));
    expect((await trySync(pair)).exitCode).toBe(77);
    for (const [index, [what, side]] of expected.entries()) {
      expect(errors[index]?.message).toMatch(what);
      await obey(errors[index]?.action, pair[side]);
    }
  }
  expect((await check(pair)).exitCode).toBe(0);
  await sync(pair);
  // A single column, as a later ALTER TABLE under stricter defaults leaves it.
  await pair.source.query(`ALTER TABLE orders ADD secret text; REVOKE SELECT ON orders FROM ${user};
    GRANT SELECT (id, total, note, updated_at) ON orders TO ${user}`);
  const partly = await check(pair);
  expect(partly.find('PRIVILEGE_MISSING')?.message).toMatch(/may not read "secret" of public\.orders/);
  await obey(partly.find('PRIVILEGE_MISSING')?.action, pair.source);
  expect((await check(pair)).exitCode).toBe(0);
});

test('row-level security that would filter', async () => {
  await using pair = await freshPair('orders');
  await pair.source.query(
    `ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON orders USING (id < 5)`,
  );
  await pair.writeTables([{ ...ORDERS_CONFIG, where: 'id < 9' }]);
  const { exitCode, find, errors } = await check(pair);
  expect({ exitCode, errors }).toEqual({ exitCode: 77, errors: ['ROW_SECURITY'] });
  const [, statement] =
    /At the source, run: (ALTER ROLE .+ BYPASSRLS)/.exec(find('ROW_SECURITY')?.action ?? '') ?? [];
  await pair.source.query(statement ?? 'no statement');
  expect((await check(pair)).exitCode).toBe(0);
});

test('whatever the source role could do besides reading, with the statement that takes it away', async () => {
  await using pair = await freshPair('orders');
  const { user } = pair.login('source', 'increp');
  await pair.source.query(`ALTER ROLE ${user} REPLICATION; GRANT pg_write_all_data TO ${user};
    GRANT CREATE ON SCHEMA public TO ${user}, PUBLIC; GRANT UPDATE (note), INSERT ON orders TO ${user};
    GRANT DELETE ON orders TO PUBLIC`);
  for (const code of ['SOURCE_ROLE_EXCESS_PRIVILEGES', 'SOURCE_ROLE_CAN_WRITE', 'SOURCE_ROLE_CAN_CREATE']) {
    const { find, warnings } = await check(pair);
    expect(warnings).toContain(code);
    await obey(find(code)?.action, pair.source);
  }
  expect(await check(pair)).toMatchObject({ exitCode: 0, warnings: [] });
});

test('a source role that owns its tables, or is a superuser, is told how to make one that reads', async () => {
  await using pair = await freshPair('orders');
  const { user } = pair.login('source', 'increp');
  await pair.source.query(`ALTER TABLE orders OWNER TO ${user}`);
  const owner = (await check(pair)).find('SOURCE_ROLE_CAN_WRITE');
  expect(owner?.message).toBe('the source role may write to orders, some of which it owns');
  expect(owner?.action).toMatch(
    /^At the source: CREATE ROLE increp_reader LOGIN .* GRANT SELECT ON ALL TABLES .* then change SOURCE_USERNAME and SOURCE_PASSWORD\.$/,
  );
  await pair.source.query(`ALTER ROLE ${user} SUPERUSER`);
  const { warnings, find } = await check(pair);
  expect(warnings).toEqual(['SOURCE_ROLE_EXCESS_PRIVILEGES']);
  expect(find('SOURCE_ROLE_EXCESS_PRIVILEGES')?.message).toContain('is a superuser');
});

test('a prepared transaction is seen by any role', async () => {
  await using pair = await freshPair('orders');
  await pair.source.query("BEGIN; PREPARE TRANSACTION 'left behind'");
  await pair.source.query(`SET ROLE ${pair.login('source', 'increp').user}`);
  const { rows } = await pair.source.query(PREPARED_TRANSACTIONS, [0]);
  const { rows: later } = await pair.source.query(PREPARED_TRANSACTIONS, [60]);
  await pair.source.query('RESET ROLE');
  await pair.source.query("ROLLBACK PREPARED 'left behind'");
  expect(rows).toMatchObject([{ gid: 'left behind', owner: expect.any(String) }]);
  expect(later).toEqual([]);
});

test('without CREATE on the schema, only a table whose next sync fails has an error', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const { user } = pair.login('destination', 'increp');
  await pair.destination.query(`DROP TABLE IF EXISTS orders_stg; ALTER SCHEMA public OWNER TO postgres;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC, ${user}; GRANT USAGE ON SCHEMA public TO ${user}`);
  const quiet = await check(pair);
  expect(quiet).toMatchObject({ errors: [], warnings: ['PRIVILEGE_MISSING'] });
  expect(quiet.find('PRIVILEGE_MISSING')?.message).toContain(
    'the next sync with changes, and each load, will fail',
  );
  expect((await trySync(pair)).exitCode).toBe(0);
  await insertOrders(pair, 1);
  expect(await check(pair)).toMatchObject({ exitCode: 77, errors: ['PRIVILEGE_MISSING'] });
  expect((await trySync(pair)).exitCode).toBe(77);
});

slowTest("a copy that is somebody else's, and a staging table that may not be made", async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const { user } = pair.login('destination', 'increp');
  const give = `ALTER TABLE orders OWNER TO ${pair.login('destination', 'superuser').user}`;
  await pair.destination.query(`${give}; GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO ${user}`);
  const other = await check(pair);
  expect(other).toMatchObject({ exitCode: 0, warnings: ['NOT_OWNER'] });
  await pair.destination.query(`REVOKE INSERT ON orders FROM ${user}`);
  await insertOrders(pair, 1);
  const refused = await check(pair);
  expect(refused).toMatchObject({ exitCode: 77, errors: ['PRIVILEGE_MISSING'] });
  expect((await trySync(pair)).exitCode).toBe(77);
  await obey(refused.find('PRIVILEGE_MISSING')?.action, pair.destination);
  await pair.destination.query(`DROP TABLE IF EXISTS orders_stg; ALTER SCHEMA public OWNER TO postgres;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC, ${user}; GRANT USAGE ON SCHEMA public TO ${user}`);
  const staging = await check(pair);
  expect(staging.find('PRIVILEGE_MISSING')?.message).toMatch(
    /may not create the staging table public\.orders_stg/,
  );
  expect((await trySync(pair)).exitCode).toBe(77);
  expect((await check(pair)).warnings).not.toContain('LAST_SYNC_FAILED');
  const planned = await increp('plan', pair);
  expect(planned).toMatchObject({
    exitCode: 77,
    stdout: expect.stringContaining('GRANT USAGE, CREATE ON SCHEMA "public"'),
  });
  await obey(staging.find('PRIVILEGE_MISSING')?.action, pair.destination);
  const fixed = await check(pair);
  expect(fixed.exitCode).toBe(0);
  expect(fixed.find('LAST_SYNC_FAILED')?.message).toContain('; the cause may be fixed since');
  expect((await increp('plan', pair)).stdout).toContain('the cause may be fixed since');
  await sync(pair);
});
