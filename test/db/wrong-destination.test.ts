/** A destination that belongs to other tables, or a misspelt DEST_SCHEMA: increp loads nothing there. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { rowsThere, withTable } from '../support/table-there.ts';
import { slowTest } from '../support/tier.ts';

slowTest('a state file of another database does not make it ours, nor does a reset there', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await using other = await withTable();
  const { host, port, database, user, password } = other.login('destination', 'increp');
  const there = {
    env: {
      ...{ DEST_HOST: host, DEST_PORT: String(port), DEST_DB: database },
      ...{ DEST_USERNAME: user, DEST_PASSWORD: password },
    },
  };
  for (const args of ['plan', 'reset orders', 'sync']) {
    const { stdout } = await increp(args, pair, there);
    if (args === 'plan') expect(stdout).toMatch(/no state of it \(the state file is about database "\w+"\)/);
    if (args === 'reset orders') expect(stdout).toContain('there was no saved state');
    if (args === 'sync') expect(stdout).toContain('DESTINATION_NOT_OURS');
  }
  expect(await rowsThere(other)).toEqual(['100000']);
  await other.destination.query('DROP TABLE orders');
  await rm(join(pair.directory, 'sync-state'), { recursive: true });
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
  await other.destination.query('DROP TABLE _increp_state');
  const refused = await increp('sync --json', pair, there);
  expect(refused.stdout).toContain(`"STATE_MISMATCH"`);
  expect(refused.stdout).toContain(`where this pipeline has written nothing yet`);
  const { rows } = await other.destination.query(`SELECT to_regclass('orders') AS orders`);
  expect(rows).toEqual([{ orders: null }]);
  expect((await sync(pair, '--full-refresh', there)).table()).toMatchObject({
    action: 'initial',
    reason: expect.stringContaining('the state file belongs to another destination'),
  });
  expect((await sync(pair, '', there)).table()).toMatchObject({ action: 'incremental' });
});

test('a new table is not loaded into a database that is wrong for the others', async () => {
  const items = { name: 'items', replication_key: 'at', unique_cols: ['id'] };
  await using pair = await freshPair({
    tables: [ORDERS_CONFIG, items],
    sourceSql: `${ORDERS_SQL}; CREATE TABLE items (id int PRIMARY KEY, at timestamptz DEFAULT now())`,
  });
  await sync(pair, 'orders');
  await using other = await freshPair({});
  const { host, port, database, user, password } = other.login('destination', 'increp');
  const env = {
    ...{ DEST_HOST: host, DEST_PORT: String(port), DEST_DB: database },
    ...{ DEST_USERNAME: user, DEST_PASSWORD: password },
  };
  const plan = await increp('plan', pair, { env });
  expect(plan.stdout).toContain('2 tables: 2 REFUSED');
  expect((await trySync(pair, 'items', { env })).table().error?.code).toBe('STATE_MISMATCH');
  const refused = await trySync(pair, '', { env });
  expect(refused.summary.tables.map(({ error }) => error?.code)).toEqual([
    'STATE_MISMATCH',
    'STATE_MISMATCH',
  ]);
  const { rows } = await other.destination.query(`SELECT to_regclass('_increp_state') AS state`);
  expect(rows).toEqual([{ state: null }]);
  // A GRANT in the wrong database would not help.
  await other.destination.query(
    `ALTER DATABASE ${database} OWNER TO CURRENT_USER; REVOKE CREATE ON SCHEMA public FROM PUBLIC, "${user}"`,
  );
  const wrong = await trySync(pair, '', { env });
  expect(wrong.table('items').error?.code).toBe('STATE_MISMATCH');
  const forced = await trySync(pair, '--full-refresh', { env });
  expect(forced.table('items').error?.message).toContain(`(database "${database}")`);
  await other.destination.query(`ALTER DATABASE ${database} OWNER TO "${user}"`);
  expect((await sync(pair, '--full-refresh', { env })).table('items')).toMatchObject({ action: 'initial' });
});

test('a misspelt DEST_SCHEMA loads nothing, not even one new table, unless the schema of the tables is gone', async () => {
  const items = { name: 'items', replication_key: 'at', unique_cols: ['id'] };
  await using pair = await freshPair({
    tables: [ORDERS_CONFIG, items],
    sourceSql: `${ORDERS_SQL}; CREATE TABLE items (id int PRIMARY KEY, at timestamptz DEFAULT now())`,
  });
  await pair.setEnv({ DEST_SCHEMA: 'analytics' });
  await sync(pair, 'orders');
  const env = { DEST_SCHEMA: 'analytcs' };
  for (const args of ['items', '']) {
    const { summary } = await trySync(pair, args, { env });
    for (const { error } of summary.tables)
      expect(error).toMatchObject({
        code: 'STATE_MISMATCH',
        message: expect.stringContaining(
          '"analytcs" (DEST_SCHEMA), where this pipeline has written nothing yet',
        ),
        hint: expect.stringContaining('set DEST_SCHEMA to "analytics" again'),
      });
  }
  const { rows } = await pair.destination.query(`SELECT to_regnamespace('analytcs') AS schema`);
  expect(rows).toEqual([{ schema: null }]);
  // A table with a schema of its own may move.
  await pair.writeTables([{ ...ORDERS_CONFIG, dest_schema: 'own' }, items]);
  expect((await sync(pair, 'orders')).table()).toMatchObject({ action: 'initial' });
  await pair.writeTables([ORDERS_CONFIG, items]);
  await sync(pair);
  expect((await increp('plan --full-refresh items', pair, { env })).stdout).toContain(
    'CREATE SCHEMA IF NOT EXISTS "analytcs"',
  );
  expect((await sync(pair, '--full-refresh items', { env })).table()).toMatchObject({
    action: 'initial',
    warnings: [expect.stringContaining('the former destination table analytics.items stays')],
  });
  expect((await sync(pair, '', { env })).table('orders')).toMatchObject({ action: 'initial' });
  await pair.destination.query('DROP SCHEMA analytcs CASCADE; DROP SCHEMA analytics CASCADE');
  expect((await sync(pair)).table()).toMatchObject({ action: 'initial' });
});
