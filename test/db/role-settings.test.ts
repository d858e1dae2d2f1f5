/** Roles whose settings are made to trouble us: the copy is the same, or the run says what is in its way. */
import { expect, test } from 'vitest';
import { bareIn } from '../support/bare-sql.ts';
import { expectCommandsWork, LATER_COMMANDS } from '../support/commands.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, Side } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { plant, plantBetter, PLANTED_TYPES } from '../support/planted.ts';
import { insertOrders } from '../support/shop.ts';
import { faultProxy } from '../support/proxy.ts';
import { sync, trySync } from '../support/sync.ts';
import { usualStatementsOf } from '../support/usual-statements.ts';
import { slowTest } from '../support/tier.ts';

/** Everything that a role may set for itself and that decides how values print or parse, or how long we may take. */
const TROUBLE = {
  datestyle: 'SQL, DMY',
  intervalstyle: 'sql_standard',
  bytea_output: 'escape',
  extra_float_digits: '-15',
  timezone: 'Asia/Kathmandu',
  statement_timeout: '1ms',
  lock_timeout: '1ms',
  idle_in_transaction_session_timeout: '1ms',
  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  standard_conforming_strings: 'off',
  backslash_quote: 'off',
  escape_string_warning: 'on',
  xmloption: 'document',
  xmlbinary: 'hex',
  client_encoding: 'LATIN1',
  array_nulls: 'off',
  transform_null_equals: 'on',
  quote_all_identifiers: 'on',
  row_security: 'on',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_sort: 'off',
  check_function_bodies: 'off',
  synchronous_commit: 'off',
  client_min_messages: 'debug5',
  default_text_search_config: 'pg_catalog.german',
  geqo: 'off',
  join_collapse_limit: '1',
  from_collapse_limit: '1',
  jit: 'off',
} as const;

/** On the role itself, so that it holds for every session, pg_dump's as well. */
async function setOnRole(pair: Pair, side: Side, settings: Readonly<Record<string, string>>): Promise<void> {
  const { user } = pair.login(side, 'increp');
  for (const [name, value] of Object.entries(settings)) {
    const list = name === 'search_path' ? value : `'${value}'`;
    await pair[side].query(`ALTER ROLE ${user} SET ${name} = ${list}`);
  }
}

const VALUES = /* sql */ `
  CREATE TYPE mood AS ENUM ('null', 'NULL', 'fine');
  CREATE TABLE by_pg_dump (
    id int PRIMARY KEY, f8 float8, f4 real, raw bytea, day date, at timestamptz, local timestamp, span interval,
    words text[], moods mood[], note text, updated_at timestamptz NOT NULL DEFAULT now());
  INSERT INTO by_pg_dump
    SELECT i, 0.1::float8 * i / 3, 1.1::real * i / 7, decode(lpad(to_hex(i), 4, '0') || '5c00ff', 'hex'),
      date '2026-02-01' + i, '2026-02-01 01:02:03.000007+05:45'::timestamptz + i * interval '1 day',
      '2026-03-04 05:06:07.8', '-1 mon +3 days -04:05:06.7', ARRAY['NULL', NULL, 'a\\b'], ARRAY['NULL', NULL]::mood[],
      E'back\\\\slash ü € \\t' || i
    FROM generate_series(1, 200) i;
  CREATE TABLE by_copy (LIKE by_pg_dump INCLUDING ALL, doc xml);
  INSERT INTO by_copy SELECT p.*, '<a/>text' FROM by_pg_dump p`;

const LOADERS = ['pg_dump', 'copy'] as const;

const CHANGES = LOADERS.map(
  (loader) => /* sql */ `
  UPDATE by_${loader} SET moods = ARRAY[NULL, 'null', 'NULL']::mood[], f8 = pi() * id, updated_at = now() WHERE id <= 7;
  INSERT INTO by_${loader} (id, words) VALUES (1001, '{NULL,"NULL"}');
  DELETE FROM by_${loader} WHERE id = 50`,
)
  .concat(`UPDATE by_copy SET doc = '<!DOCTYPE a><a/>' WHERE id = 1001`)
  .join(';');

const tables = LOADERS.map((loader) => ({
  name: `by_${loader}`,
  replication_key: 'updated_at',
  unique_cols: ['id'],
  initial_load: loader,
  deletes: 'hard',
}));

const expectCopies = async (pair: Pair) => {
  for (const { name } of tables) await expectSameRows(pair, name);
};

testWithPgDump('settings of the roles change no value, by load, by window, by verify', async () => {
  await using pair = await freshPair({ tables, sourceSql: VALUES });
  for (const side of ['source', 'destination'] as const) await setOnRole(pair, side, TROUBLE);
  const loaded = await sync(pair);
  for (const loader of LOADERS)
    expect(loaded.table(`by_${loader}`)).toMatchObject({ loader, rows_inserted: 200, warnings: [] });
  await expectCopies(pair);
  await pair.source.query(CHANGES);
  for (const each of (await sync(pair, '--deletes')).summary.tables)
    expect(each, each.reason).toMatchObject({
      action: 'incremental',
      rows_inserted: 1,
      rows_updated: 7,
      rows_deleted: 1,
    });
  await expectCopies(pair);
  const verified = await increp('verify', pair);
  expect(verified.exitCode, verified.stdout + verified.stderr).toBe(0);
  expect((await increp('check', pair)).exitCode).toBe(0);
});

testWithPgDump('what is planted on the search path of the roles is never used', async () => {
  await using pair = await freshPair({ tables, sourceSql: VALUES });
  for (const side of ['source', 'destination'] as const) {
    expect(await plant(pair[side])).toBeGreaterThan(2000);
    await setOnRole(pair, side, { search_path: 'planted, pg_catalog, public' });
  }
  // The trap works: for this role, who falls into it falls.
  const { user } = pair.login('source', 'increp');
  await expect(
    pair.source.query(
      `SET LOCAL ROLE ${user}; SET LOCAL search_path = planted, pg_catalog; SELECT current_setting('port')`,
    ),
  ).rejects.toThrow('planted function current_setting was called');
  await sync(pair);
  await pair.source.query(CHANGES);
  for (const each of (await sync(pair, '--deletes')).summary.tables)
    expect(each).toMatchObject({ action: 'incremental', rows_updated: 7, rows_deleted: 1 });
  await expectCopies(pair);
  await expectCommandsWork(pair, ['verify', 'verify --repair', ...LATER_COMMANDS]);
});

const CLOSE_COLUMNS = `code varchar(20), mood planted.mood, part numeric, note text, at planted.moment NOT NULL DEFAULT now()`;
const CLOSE = [
  'hard',
  'soft',
  'appended',
  'newest',
  'whole',
  'numbered',
  'lax',
  'keyless',
  'adopted',
] as const;

/** Keys of types whose operators pg_catalog has only for other types. */
const CLOSE_SQL = CLOSE.map((name) => {
  const key = name === 'keyless' ? '' : `, ${name === 'lax' ? 'UNIQUE' : 'PRIMARY KEY'} (code, mood)`;
  const number = name === 'numbered' ? ', nr bigserial' : '';
  return /* sql */ `CREATE TABLE ${name} (${CLOSE_COLUMNS}${number}${key});
    INSERT INTO ${name} SELECT 'c' || i, 'low', i, 'note', now() - interval '1 hour' FROM generate_series(1, 20) i`;
}).join(';');

const closeTables = CLOSE.map((name) => ({
  name,
  types: 'native',
  ...(name !== 'keyless' && { unique_cols: ['code', 'mood'] }),
  ...(name === 'whole' || name === 'keyless'
    ? { mode: 'full-refresh', skip_unchanged: name === 'whole' }
    : { replication_key: name === 'numbered' ? 'nr' : 'at' }),
  ...(name === 'appended' && { mode: 'incremental-append' }),
  ...(name === 'newest' && { on_conflict: 'last_update_wins' }),
  ...(name === 'lax' && { null_keys: 'include' }),
  ...(['hard', 'soft', 'numbered', 'lax'].includes(name) && { deletes: name === 'soft' ? 'soft' : 'hard' }),
}));

slowTest('what fits better than pg_catalog and stands in front of it on the path is never used', async () => {
  await using pair = await freshPair({ sourceSql: '' });
  for (const side of ['source', 'destination'] as const) await pair[side].query(PLANTED_TYPES);
  await pair.source.query(CLOSE_SQL);
  await pair.destination.query(
    `CREATE TABLE adopted (${CLOSE_COLUMNS}, PRIMARY KEY (code, mood)); INSERT INTO adopted VALUES ('c1', 'low', 7), ('gone', 'high', 1)`,
  );
  await pair.destination.query(`ALTER TABLE adopted OWNER TO ${pair.login('destination', 'increp').user}`);
  for (const side of ['source', 'destination'] as const) {
    await plant(pair[side]);
    await plantBetter(pair[side]);
    await setOnRole(pair, side, { search_path: 'planted, pg_catalog, public' });
  }
  await pair.writeTables({ tables: closeTables });
  const { user } = pair.login('source', 'increp');
  // The trap works although pg_catalog is searched first: what fits better wins.
  await expect(
    pair.source.query(
      `SET LOCAL ROLE ${user}; SET LOCAL search_path = pg_catalog, planted, public; SELECT FROM hard WHERE code = 'c1'::varchar`,
    ),
  ).rejects.toThrow('planted operator was called');
  const run = async (command: string, exitCode = 0) => {
    const result = await increp(command, pair);
    expect(result.exitCode, `${command}: ${result.stdout}${result.stderr}`).toBe(exitCode);
  };
  const statements = await usualStatementsOf(async () => {
    await run('sync adopted --adopt --force');
    await run('sync');
    for (const name of CLOSE) {
      const number = name === 'numbered' ? `, nr = DEFAULT` : '';
      await pair.source.query(`UPDATE ${name} SET note = 'new', at = now()${number} WHERE part < 4;
      INSERT INTO ${name} (code, mood, part) VALUES ('more', 'high', 99)`);
      if (name !== 'appended' && name !== 'newest' && name !== 'adopted')
        await pair.source.query(`DELETE FROM ${name} WHERE part = 7`);
    }
    await run('sync --deletes');
    await pair.destination.query(`DELETE FROM public.hard WHERE part OPERATOR(pg_catalog.=) 9::numeric;
    UPDATE public.soft SET note = 'wrong' WHERE part OPERATOR(pg_catalog.=) 9::numeric`);
    await run('verify', 2);
    await expectCommandsWork(pair, ['verify --repair', 'verify', ...LATER_COMMANDS]);
  });
  expect(statements.length).toBeGreaterThan(50);
  for (const statement of statements) expect(bareIn(statement), statement).toEqual([]);
  for (const name of CLOSE.filter((each) => each !== 'appended'))
    await expectSameRows(pair, name, name === 'soft' ? { where: `note <> 'note' OR part <> 7` } : {});
});

slowTest(
  'default_transaction_read_only on the destination is a brake, which is respected and named',
  async () => {
    await using pair = await freshPair('orders');
    await sync(pair);
    await insertOrders(pair, 2);
    await setOnRole(pair, 'destination', { default_transaction_read_only: 'on' });
    const refused = await trySync(pair);
    expect(refused.exitCode).toBe(1);
    expect(refused.summary.error).toMatchObject({
      code: 'READ_ONLY',
      hint: expect.stringContaining('default_transaction_read_only') as string,
    });
    const checked = await increp('check --json', pair);
    expect(checked.exitCode).toBe(1);
    expect(checked.stdout).toContain('READ_ONLY');
    const planned = await increp('plan --json', pair);
    expect(planned.exitCode).toBe(1);
    expect(JSON.parse(planned.stdout)).toMatchObject({ refusals: [{ code: 'READ_ONLY' }] });
    expect((await increp('plan', pair)).stderr).toContain('a sync would fail before its first table');
    // What only reads still works.
    expect((await increp('verify', pair)).exitCode).toBe(0);
    await setOnRole(pair, 'destination', { default_transaction_read_only: 'off' });
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 2 });
    await expectSameRows(pair, 'orders');
  },
);

slowTest('the brake is named where it was set, with the statement that resets it', async () => {
  await using pair = await freshPair('orders');
  const { user: role, database } = pair.login('destination', 'increp');
  for (const where of [`DATABASE "${database}"`, `ROLE "${role}" IN DATABASE "${database}"`]) {
    await pair.destination.query(`ALTER ${where} SET default_transaction_read_only = on`);
    const { hint } = (await trySync(pair)).summary.error ?? {};
    const statement = /: (BEGIN .*)$/.exec(hint ?? '')?.[1] ?? '';
    expect(statement).toBe(`BEGIN READ WRITE; ALTER ${where} RESET default_transaction_read_only; COMMIT`);
    await pair.destination.query(statement);
  }
  expect((await sync(pair)).table()).toMatchObject({ status: 'ok' });
});

test('a source role that is read-only by default, or that stands in for another, is as good as any', async () => {
  await using pair = await freshPair('orders');
  await setOnRole(pair, 'source', {
    default_transaction_read_only: 'on',
    session_replication_role: 'origin',
  });
  await sync(pair);
  await expectSameRows(pair, 'orders');
});

slowTest('sessions that the server ends when they are idle are opened again', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'orders', replication_key: 'updated_at', unique_cols: ['id'], initial_load: 'copy' }],
    sourceSql: /* sql */ `CREATE TABLE orders (id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now());
      INSERT INTO orders SELECT i FROM generate_series(1, 5) i`,
  });
  for (const side of ['source', 'destination'] as const)
    await setOnRole(pair, side, { idle_session_timeout: '50ms' });
  // A transaction that stays open is waited for, and between two looks at it the session is idle.
  const writer = await pair.source.connect();
  await writer.query('BEGIN; INSERT INTO orders VALUES (6)');
  const result = await sync(pair, '--wait-transactions 2s');
  await writer.query('COMMIT');
  writer.release();
  expect(result.stderr).not.toContain('trying again');
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
  await expectSameRows(pair, 'orders');
});

slowTest('a role that changes to another one at login still sees and ends its own sessions', async () => {
  await using pair = await freshPair('orders');
  const { user } = pair.login('destination', 'increp');
  const group = `${user}_group`;
  await pair.destination
    .query(`CREATE ROLE ${group}; GRANT ${group} TO ${user}; GRANT ALL ON SCHEMA public TO ${group};
    ALTER ROLE ${user} SET role = ${group}`);
  await sync(pair);
  expect((await pair.destination.query(`SELECT FROM pg_tables WHERE tableowner = '${group}'`)).rowCount).toBe(
    3,
  );
  await insertOrders(pair, 1);
  await using proxy = await faultProxy(pair.login('destination', 'increp'));
  await pair.setEnv({ DEST_PORT: String(proxy.port), STALL_TIMEOUT: '1s' });
  // The reply is lost, and the session keeps its locks.
  proxy.when({ from: 'client', seen: 'SAVEPOINT increp_at_once', fault: 'mute' });
  const { stderr, table } = await sync(pair);
  expect(table()).toMatchObject({ rows_inserted: 1 });
  expect(stderr).toContain('the server waits for increp');
  expect(stderr).not.toContain('LOCK_TIMEOUT');
  await pair.destination.query(`ALTER ROLE ${user} RESET role; REASSIGN OWNED BY ${group} TO ${user};
    DROP OWNED BY ${group}; DROP ROLE ${group}`);
});
