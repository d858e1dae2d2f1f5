/** What is wrong is told in one clear message: what, where, why, and what to do next. Nothing is changed. */
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import type { IncrepResult } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { ORDERS_CONFIG } from '../support/shop.ts';

let pair: Pair;
beforeEach(async () => {
  pair = await freshPair('orders');
});
afterEach(() => pair[Symbol.asyncDispose]());

interface Said {
  readonly exitCode: number;
  /** Error code, as `--json` has it. */
  readonly code: string;
  /** Parts of the message. */
  readonly what: readonly (string | RegExp)[];
  /** A part of the hint. */
  readonly next: string | RegExp;
}

interface ErrorJson {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

interface LineJson {
  readonly error?: ErrorJson | null;
  readonly tables?: readonly { readonly error: ErrorJson | null }[];
}

function errorOf(result: IncrepResult): ErrorJson | undefined {
  const last = result.lines<LineJson>().at(-1);
  return last?.error ?? last?.tables?.find(({ error }) => error)?.error ?? undefined;
}

/** Of both sides: no table at the destination, no schema more. */
const leftovers = async () =>
  (
    await pair.destination.query(`SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
      UNION ALL SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public)'`)
  ).rows;

/** For people and for machines, by `sync`; and `plan` knows it as well, before anything is tried. */
async function expectRefusal(said: Said, args = 'sync'): Promise<void> {
  const before = await leftovers();
  for (const command of [`${args} --json`, args]) {
    const result = await increp(command, pair);
    const told = `${result.stdout}\n${result.stderr}`;
    expect(result.exitCode, told).toBe(said.exitCode);
    expect(told).not.toMatch(/at .*\.[jt]s:\d+/);
    for (const side of ['source', 'destination'] as const) {
      expect(told).not.toContain(pair.login(side, 'increp').password);
    }
    const error = command === args ? undefined : errorOf(result);
    if (error) expect(error.code).toBe(said.code);
    // The log is JSON where it is read by no person; only its quotes are in the way.
    const [message, hint] = error
      ? [error.message, error.hint]
      : Array<string>(2).fill(told.replaceAll('\\"', '"'));
    for (const part of said.what) expect(message).toMatch(part);
    expect(hint).toMatch(said.next);
    expect(told).not.toContain('the history of runs was not written');
  }
  expect(await leftovers()).toEqual(before);
}

const tables = (change: object) => pair.writeTables([{ ...ORDERS_CONFIG, ...change }]);
const reader = () => pair.login('source', 'increp').user;

describe('settings', () => {
  const invalid = (...what: (string | RegExp)[]): Said => ({
    exitCode: 78,
    code: 'CONFIG_INVALID',
    what,
    next: /Correct|set|\.env/i,
  });

  test('that are missing', async () => {
    await pair.setEnv({ DEST_HOST: undefined, SOURCE_DB: undefined });
    await expectRefusal(invalid(/2 problems/, /DEST_HOST/, /SOURCE_DB/));
  });

  test('that contradict each other', async () => {
    await pair.setEnv({ SOURCE_URL: pair.sourceUrl() });
    await expectRefusal(invalid(/SOURCE_URL/, /SOURCE_HOST/));
  });

  test('that nobody knows, with the nearest name', async () => {
    await pair.setEnv({ SOURCE_HSOT: 'x' });
    await tables({ replikation_key: 'x', uniqe_cols: ['id'] });
    await expectRefusal(
      invalid(
        'SOURCE_HSOT',
        'SOURCE_HOST',
        'replikation_key',
        'replication_key',
        'uniqe_cols',
        'unique_cols',
      ),
    );
  });

  test('all of them at once, each with file, path and table', async () => {
    await pair.setEnv({ SOURCE_PORT: 'many', DEST_SSLMODE: 'maybe' });
    await tables({ unique_cols: [], mode: 'upsert', lookback: 'ten' });
    await expectRefusal(
      invalid(
        /5 problems/,
        'SOURCE_PORT',
        'DEST_SSLMODE',
        /tables-config\.json.*unique_cols.*orders/,
        'upsert',
        'ten',
      ),
    );
  });

  test('of a version to come', async () => {
    await tables({ transform: { note: 'lower(note)' } });
    await expectRefusal({ ...invalid('transform', /not yet supported/i), code: 'NOT_SUPPORTED' });
  });

  test('without a merge key', async () => {
    await pair.writeTables([{ name: 'orders', replication_key: 'updated_at' }]);
    await expectRefusal(invalid('orders', 'unique_cols'));
  });

  test('of which a file is missing or no JSON', async () => {
    await writeFile(join(pair.directory, 'tables-config.json'), '[{"name": "orders",}]');
    await expectRefusal(invalid(/tables-config\.json, line 1/));
    await rm(join(pair.directory, 'tables-config.json'));
    await expectRefusal(invalid(/tables-config\.json/));
  });

  test('that name the same database twice', async () => {
    const { host, port, database, user, password } = pair.login('source', 'increp');
    await pair.setEnv({
      DEST_HOST: host === '127.0.0.1' ? 'localhost' : host,
      DEST_PORT: String(port),
      DEST_DB: database,
      DEST_USERNAME: user,
      DEST_PASSWORD: password,
    });
    const what = [`source and destination are the same: schema "public" of database "${database}"`];
    await expectRefusal({ exitCode: 78, code: 'SAME_DATABASE', what, next: 'DEST_SCHEMA' });
    await expectRefusal({ exitCode: 78, code: 'SAME_DATABASE', what, next: 'DEST_SCHEMA' }, 'plan');
    expect((await pair.source.query(`SELECT FROM pg_class WHERE relname LIKE '%increp%'`)).rowCount).toBe(0);
  });
});

describe('tables and columns', () => {
  test('a table that is not there, with the nearest name', async () => {
    await tables({ name: 'order' });
    const what = ['the source has no table public.order; did you mean "orders"?'];
    await expectRefusal({ exitCode: 78, code: 'TABLE_NOT_FOUND', what, next: 'tables-config.json' });
  });

  test('a schema that is not there', async () => {
    await pair.setEnv({ SOURCE_SCHEMA: 'shop' });
    const what = ['the source has no schema "shop"'];
    await expectRefusal({ exitCode: 78, code: 'TABLE_NOT_FOUND', what, next: 'SOURCE_SCHEMA' });
  });

  test.each([
    ['replication_key', { replication_key: 'update_at' }, 'update_at', 'updated_at'],
    ['unique_cols', { unique_cols: ['ids'] }, 'ids', 'id'],
    ['replication_key', { replication_key: 'Updated_At' }, 'Updated_At', 'updated_at'],
  ])('a column of %s that is not there, with the nearest name', async (key, change, wrong, near) => {
    await tables(change);
    const what = [`public.orders has no column "${wrong}" (${key}); did you mean "${near}"?`];
    await expectRefusal({
      exitCode: 78,
      code: 'COLUMN_NOT_FOUND',
      what,
      next: 'Its columns: id, total, note, updated_at.',
    });
  });

  test('a replication key of a type that orders nothing', async () => {
    await tables({ replication_key: 'note' });
    const what = ['the replication key "note" of public.orders is text, which cannot order changes'];
    await expectRefusal({ exitCode: 78, code: 'KEY_TYPE_UNSUPPORTED', what, next: 'timestamptz' });
  });

  test('a merge key of a type that nothing can keep unique', async () => {
    await pair.source.query('ALTER TABLE orders ADD COLUMN j json');
    await tables({ unique_cols: ['id', 'j'] });
    const what = ['"j" of public.orders is json, which cannot identify a row'];
    await expectRefusal({ exitCode: 78, code: 'KEY_TYPE_UNSUPPORTED', what, next: 'unique_cols' });
  });

  test('a staging table that is not ours', async () => {
    await pair.destination.query('CREATE TABLE orders_stg (precious int)');
    const what = ['public.orders_stg exists at the destination and was not made by increp'];
    await expectRefusal({ exitCode: 1, code: 'STAGING_TAKEN', what, next: 'dest_name' });
  });

  test('a view at the destination where the table should be', async () => {
    await pair.destination.query('CREATE VIEW orders AS SELECT 1 AS id');
    const what = ['public.orders at the destination is a view'];
    await expectRefusal({ exitCode: 1, code: 'DEPENDENTS', what, next: 'dest_name' });
  });
});

describe('servers', () => {
  test.each(['SOURCE', 'DEST'])('%s does not answer', async (prefix) => {
    const closed = await closedPort();
    await pair.setEnv({ [`${prefix}_HOST`]: '127.0.0.1', [`${prefix}_PORT`]: String(closed) });
    const what = [prefix === 'SOURCE' ? 'source' : 'destination', `127.0.0.1:${closed}`, 'ECONNREFUSED'];
    await expectRefusal({
      exitCode: 69,
      code: 'CONNECTION_FAILED',
      what,
      next: `${prefix}_HOST and ${prefix}_PORT`,
    });
  });

  test.each(['SOURCE', 'DEST'])('%s is of a name that nobody knows', async (prefix) => {
    await pair.setEnv({ [`${prefix}_HOST`]: 'no-such-host.invalid' });
    await expectRefusal({
      exitCode: 69,
      code: 'CONNECTION_FAILED',
      what: ['no-such-host.invalid'],
      next: `${prefix}_HOST`,
    });
  });

  test.each(['SOURCE', 'DEST'])('%s refuses the password', async (prefix) => {
    await pair.setEnv({ [`${prefix}_PASSWORD`]: 'wrong' });
    const what = ['password authentication failed'];
    await expectRefusal({ exitCode: 77, code: 'AUTHENTICATION_FAILED', what, next: `${prefix}_PASSWORD` });
  });

  test.each(['SOURCE', 'DEST'])('%s has no such database', async (prefix) => {
    await pair.setEnv({ [`${prefix}_DB`]: 'nowhere' });
    const what = ['database "nowhere" does not exist'];
    await expectRefusal({ exitCode: 69, code: 'CONNECTION_FAILED', what, next: `${prefix}_DB` });
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
    await expectRefusal(missing(`role "${reader()}" may not read public.orders`, grant));
  });

  test('no SELECT on a column is a refusal, not a table without it', async () => {
    await pair.source.query(
      `REVOKE SELECT ON orders FROM ${reader()}; GRANT SELECT (id, total, updated_at) ON orders TO ${reader()}`,
    );
    await expectRefusal(missing(`role "${reader()}" may not read "note" of public.orders`, 'GRANT SELECT'));
  });

  test('no USAGE on the schema', async () => {
    await pair.source.query(`REVOKE USAGE ON SCHEMA public FROM ${reader()}, PUBLIC`);
    await expectRefusal(missing(`role "${reader()}" lacks a privilege`, 'GRANT USAGE ON SCHEMA "public"'));
  });

  test('row-level security that would hide rows', async () => {
    await pair.source.query(
      'ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON orders USING (id < 5)',
    );
    const what = ['row-level security would hide rows of public.orders'];
    await expectRefusal({ exitCode: 77, code: 'ROW_SECURITY', what, next: 'BYPASSRLS' });
  });

  test('a table at the destination that we may not read', async () => {
    await pair.destination.query('CREATE TABLE orders (id int)');
    const what = `role "${pair.login('destination', 'increp').user}" may not read all of public.orders at the destination`;
    await expectRefusal(missing(what, 'owner'));
  });

  test('a state directory that cannot be written', async () => {
    await rm(join(pair.directory, 'sync-state'), { recursive: true, force: true });
    await writeFile(join(pair.directory, 'sync-state'), 'a file in its place');
    const what = ['the state directory', 'sync-state'];
    await expectRefusal({ exitCode: 1, code: 'STATE_UNWRITABLE', what, next: 'STATE_DIR' });
  });
});

describe('the command line', () => {
  test.each([
    [
      'a table that is not configured',
      'sync ordrs',
      'no table "ordrs" in tables-config.json; did you mean "orders"?',
      'orders',
    ],
    ['a flag that is not there', 'sync --full-refersh', '--full-refersh', '--help'],
    ['a command that is not there', 'snyc', 'snyc', '--help'],
    ['a duration that is none', 'sync --wait-lock soon', 'soon', '--help'],
    ['no table to reset', 'reset', 'no table is named', '--all'],
    ['all tables excluded', 'sync --exclude orders', 'no table is left', '--exclude'],
  ])('with %s', async (_what, args, what, next) => {
    const before = await leftovers();
    const result = await increp(args, pair);
    expect(result.exitCode).toBe(64);
    expect(result.stderr).toContain(what);
    expect(result.stderr).toContain(next);
    expect(await leftovers()).toEqual(before);
  });
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
