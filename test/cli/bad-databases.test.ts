/** What is wrong with a database is told in one clear message: what, where, why, and what to do next. Nothing is changed. */
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { expectRefusal } from '../support/refusal.ts';
import type { Said } from '../support/refusal.ts';
import { ORDERS_CONFIG } from '../support/shop.ts';
import { oneIn, slowTest } from '../support/tier.ts';

let pair: Pair;
beforeEach(async () => {
  pair = await freshPair('orders');
});
afterEach(() => pair[Symbol.asyncDispose]());

const tables = (change: object) => pair.writeTables([{ ...ORDERS_CONFIG, ...change }]);
const reader = () => pair.login('source', 'increp').user;

describe('tables and columns', () => {
  test('a table that is not there, with the nearest name', async () => {
    await tables({ name: 'order' });
    const what = ['the source has no table public.order; did you mean "orders"?'];
    await expectRefusal(pair, { exitCode: 78, code: 'TABLE_NOT_FOUND', what, next: 'tables-config.json' });
  });

  test('a name with its schema, and the names that were meant', async () => {
    for (const [name, meant] of [
      ['public.orders', '"name": "orders"'],
      ['public.order', '"name": "orders"'],
      ['shop.items', '"schema": "shop", "name": "items"'],
    ]) {
      await tables({ name });
      const what = [`schema "public" of the source has no table "${name}"`];
      const next = `replace "name": "${name}" by ${meant}.`;
      await expectRefusal(pair, { exitCode: 78, code: 'TABLE_NOT_FOUND', what, next });
    }
  });

  test('a schema that is not there', async () => {
    await pair.setEnv({ SOURCE_SCHEMA: 'shop' });
    const what = ['the source has no schema "shop"'];
    await expectRefusal(pair, { exitCode: 78, code: 'TABLE_NOT_FOUND', what, next: 'SOURCE_SCHEMA' });
  });

  test('a source that has none of the tables that increp synced before', async () => {
    await pair.source.query('CREATE TABLE more AS SELECT * FROM orders');
    await pair.writeTables([ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'more' }]);
    expect((await increp('sync', pair)).exitCode).toBe(0);
    const refusal = { exitCode: 78, code: 'TABLE_NOT_FOUND', next: 'If a restore is running there, wait' };
    await pair.source.query('ALTER TABLE orders RENAME TO sales; DROP TABLE more');
    const renamed = await increp('plan', pair);
    expect(renamed.stdout).toContain('public.orders is now named public.sales');
    expect(renamed.stdout + renamed.stderr).not.toContain('or any other table');
    await pair.source.query('ALTER TABLE sales RENAME TO orders');
    expect((await increp('sync more', pair)).stdout).toContain('the source no longer has public.more, whose');
    await pair.source.query('DROP TABLE orders; CREATE TABLE other (id int)');
    await expectRefusal(pair, {
      ...refusal,
      what: [/no longer has public\.(orders|more) or any other table/],
    });
    await pair.source.query('DROP TABLE other');
    for (const command of ['sync', 'plan', 'check', 'verify']) {
      const { stdout, stderr } = await increp(command, pair);
      expect(stdout + stderr).toMatch(/schema "public" of the source database "\w+" has no tables/);
      expect(stdout + stderr).not.toContain('tables-config.json');
    }
    await pair.writeTables([{ ...ORDERS_CONFIG, name: 'o*' }]);
    await expectRefusal(pair, { ...refusal, what: ['no table of the source matches "o*"'] });
  });

  test.each(
    oneIn(2, [
      ['replication_key', { replication_key: 'update_at' }, 'update_at', 'updated_at'],
      ['unique_cols', { unique_cols: ['ids'] }, 'ids', 'id'],
      ['replication_key', { replication_key: 'Updated_At' }, 'Updated_At', 'updated_at'],
    ]),
  )('a column of %s that is not there, with the nearest name', async (key, change, wrong, near) => {
    await tables(change);
    const what = [`public.orders has no column "${wrong}" (${key}); did you mean "${near}"?`];
    await expectRefusal(pair, {
      exitCode: 78,
      code: 'COLUMN_NOT_FOUND',
      what,
      next: 'Its columns: id, total, note, updated_at.',
    });
  });

  test('a replication key of a type that orders nothing', async () => {
    await tables({ replication_key: 'note' });
    const what = ['the replication key "note" of public.orders is text, which cannot order changes'];
    await expectRefusal(pair, { exitCode: 78, code: 'KEY_TYPE_UNSUPPORTED', what, next: 'timestamptz' });
  });

  test('a merge key of a type that nothing can keep unique', async () => {
    await pair.source.query('ALTER TABLE orders ADD COLUMN j json');
    await tables({ unique_cols: ['id', 'j'] });
    const what = ['"j" of public.orders is json, which cannot identify a row'];
    await expectRefusal(pair, { exitCode: 78, code: 'KEY_TYPE_UNSUPPORTED', what, next: 'unique_cols' });
  });

  slowTest('a staging table that is not ours', async () => {
    await pair.destination.query('CREATE TABLE orders_stg (precious int)');
    const what = ['public.orders_stg exists at the destination, and increp did not create it'];
    await expectRefusal(pair, { exitCode: 1, code: 'STAGING_NAME_CONFLICT', what, next: 'dest_name' });
  });

  test('a view at the destination where the table should be', async () => {
    await pair.destination.query('CREATE VIEW orders AS SELECT 1 AS id');
    const what = ['public.orders at the destination is a view'];
    await expectRefusal(pair, { exitCode: 1, code: 'DEPENDENT_OBJECTS', what, next: 'dest_name' });
  });
});

describe('servers', () => {
  test.each(oneIn(2, ['SOURCE', 'DEST']))('%s does not answer', async (prefix) => {
    const closed = await closedPort();
    await pair.setEnv({ [`${prefix}_HOST`]: '127.0.0.1', [`${prefix}_PORT`]: String(closed) });
    const what = [
      prefix === 'SOURCE' ? 'source' : 'destination',
      `127.0.0.1:${closed}`,
      'connection refused',
    ];
    await expectRefusal(pair, {
      exitCode: 69,
      code: 'CONNECTION_FAILED',
      what,
      next: `${prefix}_HOST and ${prefix}_PORT`,
    });
  });

  test.each(oneIn(2, ['SOURCE', 'DEST']))('%s is of a name that nobody knows', async (prefix) => {
    await pair.setEnv({ [`${prefix}_HOST`]: 'no-such-host.invalid' });
    await expectRefusal(pair, {
      exitCode: 69,
      code: 'CONNECTION_FAILED',
      what: ['no-such-host.invalid'],
      next: `${prefix}_HOST`,
    });
  });

  test.each(oneIn(2, ['SOURCE', 'DEST']))('%s refuses the password', async (prefix) => {
    await pair.setEnv({ [`${prefix}_PASSWORD`]: 'wrong' });
    const what = ['password authentication failed'];
    await expectRefusal(pair, {
      exitCode: 77,
      code: 'AUTHENTICATION_FAILED',
      what,
      next: `${prefix}_PASSWORD`,
    });
  });

  test.each(oneIn(2, ['SOURCE', 'DEST']))('%s has no such database', async (prefix) => {
    await pair.setEnv({ [`${prefix}_DB`]: 'nowhere' });
    const what = ['database "nowhere" does not exist'];
    await expectRefusal(pair, { exitCode: 69, code: 'CONNECTION_FAILED', what, next: `${prefix}_DB` });
    // Of the two attempts that "prefer" makes at a server without TLS, the second is the one that tells.
    await pair.setEnv({ [`${prefix}_DB`]: 'nowhere', [`${prefix}_SSLMODE`]: 'prefer' });
    await expectRefusal(pair, { exitCode: 69, code: 'CONNECTION_FAILED', what, next: `${prefix}_DB` });
  });

  test('the command that lists databases works where the database is not there', async () => {
    await pair.setEnv({ SOURCE_DB: 'nowhere' });
    const { stderr } = await increp('plan', pair);
    expect(stderr).toMatch(/psql -l -h \S+ -p \d+ -U \S+\n/);
  });
});

describe('privileges', () => {
  const missing = (what: string, next: string): Said => ({
    exitCode: 77,
    code: 'PRIVILEGE_MISSING',
    what: [what],
    next,
  });

  test('no SELECT on the table', async () => {
    await pair.source.query(`REVOKE SELECT ON orders FROM ${reader()}`);
    const grant = `GRANT SELECT ON "public"."orders" TO "${reader()}"`;
    await expectRefusal(pair, missing(`role "${reader()}" may not read public.orders`, grant));
  });

  test('no SELECT on a column is a refusal, not a table without it', async () => {
    await pair.source.query(
      `REVOKE SELECT ON orders FROM ${reader()}; GRANT SELECT (id, total, updated_at) ON orders TO ${reader()}`,
    );
    await expectRefusal(
      pair,
      missing(`role "${reader()}" may not read "note" of public.orders`, 'GRANT SELECT'),
    );
  });

  test('no USAGE on the schema', async () => {
    await pair.source.query(`REVOKE USAGE ON SCHEMA public FROM ${reader()}, PUBLIC`);
    await expectRefusal(
      pair,
      missing(`role "${reader()}" may not use schema "public"`, 'GRANT USAGE ON SCHEMA "public"'),
    );
  });

  test('row-level security that would hide rows', async () => {
    await pair.source.query(
      'ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON orders USING (id < 5)',
    );
    const what = ['row-level security would hide rows of public.orders'];
    await expectRefusal(pair, { exitCode: 77, code: 'ROW_SECURITY', what, next: 'BYPASSRLS' });
  });

  test('a table at the destination that we may not read', async () => {
    await pair.destination.query('CREATE TABLE orders (id int)');
    const what = `role "${pair.login('destination', 'increp').user}" may not read public.orders at the destination, whose owner is "`;
    await expectRefusal(pair, missing(what, 'increp has no state of this table'));
  });

  test('a state directory that cannot be written', async () => {
    await rm(join(pair.directory, 'sync-state'), { recursive: true, force: true });
    await writeFile(join(pair.directory, 'sync-state'), 'a file in its place');
    const what = ['the state directory', 'sync-state'];
    await expectRefusal(pair, { exitCode: 1, code: 'STATE_NOT_WRITABLE', what, next: 'STATE_DIR' });
    for (const command of ['plan', 'status']) {
      const { stderr } = await increp(command, pair);
      const said = stderr.replaceAll(/\s+/g, ' ');
      expect(said, command).toMatch(/warning: a sync by user "\S+" would fail: the state directory/);
      expect(said, command).toMatch(/Move the file \S+ to another place/);
    }
  });
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
