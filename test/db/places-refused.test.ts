/** Tables of several schemas that are called alike or may not be used: increp refuses only them, by name. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { addSourceSchema, twoSchemas, UNSET, tablesIn } from '../support/schemas.ts';
import { ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

test('what is called alike is told apart or refused', async () => {
  await using pair = await freshPair({ tables: [] });
  const refusal = async (...tables: readonly object[]) => {
    await pair.writeTables(tables.map((table) => ({ ...ORDERS_CONFIG, ...table })));
    const { exitCode, stderr } = await increp('plan', pair);
    expect(exitCode).toBe(78);
    return stderr.replaceAll(/\s+/g, ' ');
  };
  expect(await refusal({ name: 'a.b' }, { schema: 'a', name: 'b', dest_name: 'c' })).toContain(
    'the name "a.b" is already used by [0]',
  );
  expect(await refusal({ name: 'orders' }, { schema: 'crm', dest_schema: 'public' })).toContain(
    'the destination table "orders" is already used by [0]',
  );
  expect(
    await refusal(
      { name: 'x', dest_schema: 'lake' },
      { schema: 'crm', dest_schema: 'lake', dest_name: 'x_stg' },
    ),
  ).toContain('"x_stg" is the staging table of [0]');
  expect(
    await refusal({ name: 'x', dest_name: 'a.b' }, { name: 'y', dest_schema: 'a', dest_name: 'b' }),
  ).toContain('its name in the state and in the history would be "a.b"');
});

slowTest('a schema that is missing or may not be used refuses its own tables, by name', async () => {
  await using pair = await twoSchemas({}, UNSET);
  const reader = pair.login('source', 'increp').user;
  await pair.source.query(`CREATE SCHEMA hidden; CREATE TABLE hidden.orders (LIKE public.orders);
    GRANT SELECT ON hidden.orders TO ${reader}`);
  await pair.writeTables(
    ['public', 'billing', 'hidden', 'nowhere'].map((schema) => ({ ...ORDERS_CONFIG, schema })),
  );
  const { exitCode, table } = await trySync(pair);
  expect(exitCode).toBe(3);
  expect(table('orders')).toMatchObject({ rows_inserted: 10 });
  expect(table('billing.orders')).toMatchObject({ rows_inserted: 4 });
  expect(table('hidden.orders').error).toMatchObject({
    code: 'PRIVILEGE_MISSING',
    hint: `At the source, run: GRANT USAGE ON SCHEMA "hidden" TO "${reader}"`,
  });
  expect(table('nowhere.orders').error).toMatchObject({
    code: 'TABLE_NOT_FOUND',
    message: 'the source has no schema "nowhere" ("schema" of the table)',
    hint: expect.stringContaining('Correct "schema" in tables-config.json'),
  });
  expect(await tablesIn(pair, 'hidden')).toEqual([]);
});

slowTest('a schema of the destination that may not be used refuses its own tables, by name', async () => {
  await using pair = await twoSchemas({}, UNSET);
  const writer = pair.login('destination', 'increp').user;
  await pair.destination.query(
    `CREATE SCHEMA billing; REVOKE CREATE ON DATABASE ${pair.login('destination').database} FROM ${writer}`,
  );
  const denied = (await trySync(pair)).table('billing.orders');
  expect(denied.error).toMatchObject({
    code: 'PRIVILEGE_MISSING',
    hint: `At the destination, run: GRANT USAGE, CREATE ON SCHEMA "billing" TO "${writer}"\nOr set DEST_SCHEMA (or "dest_schema") to a schema where this role may create tables: public.\nAlso check that source and destination are not swapped.`,
  });
  await pair.destination.query(`GRANT USAGE, CREATE ON SCHEMA billing TO ${writer}`);
  await sync(pair);
  // It is there, and so is its state, but our role can no longer look.
  await pair.destination.query(`REVOKE ALL ON SCHEMA billing FROM ${writer}`);
  const { table, exitCode } = await trySync(pair);
  expect(exitCode).toBe(3);
  expect(table('orders')).toMatchObject({ status: 'ok' });
  expect(table('billing.orders').error).toMatchObject({ code: 'PRIVILEGE_MISSING' });
  expect((await increp('status', pair)).stdout).toContain('billing.orders');
  await pair.destination.query(`GRANT ALL ON SCHEMA billing TO ${writer};
    ALTER TABLE billing._increp_state OWNER TO CURRENT_USER; REVOKE ALL ON billing._increp_state FROM ${writer}`);
  expect((await trySync(pair)).table('billing.orders').error).toMatchObject({
    code: 'PRIVILEGE_MISSING',
    hint: `At the destination, run: GRANT SELECT, INSERT, UPDATE, DELETE ON "billing"."_increp_state" TO "${writer}"`,
  });
});

test('a copy in a schema where increp may make nothing, its state least of all, is refused alone', async () => {
  await using pair = await twoSchemas({}, UNSET);
  const writer = pair.login('destination', 'increp').user;
  await pair.destination.query(`CREATE SCHEMA billing; GRANT USAGE ON SCHEMA billing TO ${writer};
    CREATE TABLE billing.orders (id bigint PRIMARY KEY, total numeric(12,2), note text, updated_at timestamptz NOT NULL);
    ALTER TABLE billing.orders OWNER TO ${writer}`);
  const { exitCode, table } = await trySync(pair);
  expect(exitCode).toBe(3);
  expect(table('orders')).toMatchObject({ rows_inserted: 10 });
  expect(table('billing.orders').error).toMatchObject({
    code: 'PRIVILEGE_MISSING',
    hint: `At the destination, run: GRANT USAGE, CREATE ON SCHEMA "billing" TO "${writer}"\nOr set DEST_SCHEMA (or "dest_schema") to a schema where this role may create tables: public.\nAlso check that source and destination are not swapped.`,
  });
  const { findings } = (await increp('check --json', pair)).json<{
    findings: { level: string; table: string }[];
  }>();
  expect(findings.filter(({ level }) => level === 'error')).toMatchObject([
    { table: 'billing.orders', code: 'PRIVILEGE_MISSING' },
  ]);
});

slowTest(
  'source and destination may not be one schema of one database, whichever table it is of',
  async () => {
    await using pair = await freshPair(ordersPreset);
    const at = pair.login('source');
    await pair.setEnv({
      DEST_HOST: at.host,
      DEST_PORT: String(at.port),
      DEST_DB: at.database,
      DEST_USERNAME: at.user,
      DEST_PASSWORD: at.password,
      DEST_SCHEMA: 'lake',
    });
    await addSourceSchema(pair, 'billing', ORDERS_SQL);
    await pair.writeTables([
      ORDERS_CONFIG,
      { ...ORDERS_CONFIG, name: 'other', schema: 'billing', dest_schema: 'public' },
    ]);
    const { exitCode, summary } = await trySync(pair);
    expect(exitCode).toBe(78);
    expect(summary.error).toMatchObject({
      code: 'SAME_DATABASE',
      message: expect.stringContaining('source and destination are the same: schema "public"'),
      hint: expect.stringContaining(
        'Set another "dest_schema" for the tables that increp writes to "public"',
      ),
    });
    await pair.writeTables([ORDERS_CONFIG, { ...ORDERS_CONFIG, schema: 'billing', dest_schema: 'bills' }]);
    await sync(pair);
  },
);
