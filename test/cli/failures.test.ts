/**
 * Each code of the catalogue, brought about on real servers and read as an operator would: what happened, on which side,
 * to which table, why, and what to do next. docs/errors.md shows the very same texts.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject, test } from 'vitest';
import { ERROR_PAGES } from '../../scripts/error-pages/error-pages.ts';
import { ERROR_CLASSES } from '../../src/errors.ts';
import { tryLock } from '../../src/sql/state.ts';
import { fakeTools, whenWorking } from '../support/client-tools.ts';
import { goThrough } from '../support/chunked.ts';
import { disguise } from '../support/disguise.ts';
import { provoke } from '../support/failure.ts';
import type { Failure, Provoked } from '../support/failure.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { withAdmin } from '../support/pair-databases.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { faultProxy } from '../support/proxy.ts';
import { OTHER_SERVERS } from '../support/recorded-versions.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { testWithSshd } from '../support/sshd.ts';
import { sync } from '../support/sync.ts';

const orders = (change: object): PairOptions => ({
  ...ordersPreset,
  tables: [{ ...ORDERS_CONFIG, ...change }],
});
const copying = orders({ initial_load: 'copy' });

/** A real server says it, of a write to the destination's orders. */
const onWrite = async ({ pair }: Provoked, statements: string): Promise<void> => {
  await sync(pair);
  await pair.destination.query(`CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN ${statements} RETURN new; END$$;
    CREATE TRIGGER meddle BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION meddle()`);
  await insertOrders(pair, 1);
};

/** A session that holds something until the end. */
const hold = async (
  { pair, stack }: Provoked,
  side: 'source' | 'destination',
  sql: string,
): Promise<void> => {
  const client = await pair[side].connect();
  stack.defer(() => client.release(true));
  await client.query(`BEGIN; ${sql}`);
};

const reader = (pair: Pair) => pair.login('source', 'increp').user;
const writer = (pair: Pair) => pair.login('destination', 'increp').user;

const FAILURES: readonly Failure[] = [
  {
    code: 'USAGE',
    title: 'a table that is not configured',
    args: 'sync ordres',
    says: ['no table "ordres" in tables-config.json; did you mean "orders"?'],
    next: 'The tables are: orders',
  },
  {
    code: 'CONFIG_INVALID',
    title: 'settings that are missing, malformed and misspelt',
    provoke: async ({ pair }) => {
      await pair.setEnv({ DEST_HOST: undefined, SOURCE_PORT: 'many' });
      await pair.writeTables([{ ...ORDERS_CONFIG, replikation_key: 'updated_at' }]);
    },
    says: [
      '3 problems',
      'DEST_HOST: not set',
      'SOURCE_PORT (.env): "many"',
      /tables-config\.json, .*replikation_key/,
    ],
    next: 'increp help configuration',
  },
  {
    code: 'NOT_SUPPORTED',
    title: 'a demo without a place for its servers',
    args: 'demo',
    provoke: async ({ pair }) => ({ env: { TMPDIR: join(pair.directory, 'nowhere') } }),
    isOther: true,
    says: [/increp cannot create the directory/],
    next: 'TMPDIR',
  },
  {
    code: 'NOT_POSTGRES',
    title: 'another product at the source',
    provoke: async ({ pair, stack }) => {
      const [, version] = OTHER_SERVERS[0] ?? [];
      const other = stack.use(await disguise(pair.login('source', 'increp'), { version }));
      await pair.setEnv({ SOURCE_HOST: other.host, SOURCE_PORT: String(other.port) });
    },
    says: ['the source db.example.com:5432/shop is CockroachDB, not PostgreSQL'],
    next: 'SOURCE_HOST',
  },
  {
    code: 'SAME_DATABASE',
    title: 'both sides are one schema',
    provoke: async ({ pair }) => {
      const { host, port, database, user, password } = pair.login('source', 'increp');
      await pair.setEnv({
        DEST_HOST: host,
        DEST_PORT: String(port),
        DEST_DB: database,
        DEST_USERNAME: user,
        DEST_PASSWORD: password,
      });
    },
    says: ['source and destination are the same: schema "public" of database "shop"'],
    next: 'DEST_SCHEMA',
  },
  {
    code: 'TABLE_NOT_FOUND',
    title: 'a misspelt table',
    pair: orders({ name: 'order' }),
    says: ['the source has no table public.order; did you mean "orders"?'],
    next: 'tables-config.json',
  },
  {
    code: 'COLUMN_NOT_FOUND',
    title: 'a misspelt column',
    pair: orders({ replication_key: 'update_at' }),
    says: ['public.orders has no column "update_at" (replication_key); did you mean "updated_at"?'],
    next: 'Its columns: id, total, note, updated_at',
  },
  {
    code: 'SQL_INVALID',
    title: 'a misspelt column in a condition',
    pair: orders({ where: "statu = 'paid'" }),
    sqlstate: '42703',
    says: ['"where" of "orders": column "statu" does not exist', "1 | statu = 'paid'"],
    next: 'tables-config.json',
  },
  {
    code: 'KEY_TYPE_UNSUPPORTED',
    title: 'a key that orders nothing',
    pair: orders({ replication_key: 'note' }),
    says: ['"note" of public.orders is text'],
    next: 'timestamptz',
  },
  {
    code: 'TYPE_UNSUPPORTED',
    title: 'a type that the destination does not have',
    pair: {
      ...orders({ types: 'native' }),
      sourceSql: `${ordersPreset.sourceSql ?? ''}; CREATE TYPE size AS (width int, height int); ALTER TABLE orders ADD box size`,
    },
    says: ['column "box" of public.orders', 'public.size', 'the destination does not have'],
    next: 'CREATE TYPE "public"."size"',
  },
  {
    code: 'TYPE_MISMATCH',
    title: 'an enum with other labels',
    pair: {
      ...orders({ types: 'native' }),
      sourceSql: `${ordersPreset.sourceSql ?? ''}; CREATE TYPE mood AS ENUM ('sad', 'ok'); ALTER TABLE orders ADD mood mood`,
      destinationSql: `CREATE TYPE mood AS ENUM ('ok', 'sad')`,
    },
    says: [
      'column "mood" of public.orders',
      "an enum of 'ok', 'sad' at the destination, and an enum of 'sad', 'ok' at the source",
    ],
    next: 'ALTER TYPE',
  },
  {
    code: 'CONNECTION_FAILED',
    title: 'nobody listens there',
    provoke: ({ pair }) => pair.setEnv({ SOURCE_PORT: '1' }),
    says: ['source db.example.com:5432/shop', 'connection refused'],
    next: 'SOURCE_HOST and SOURCE_PORT',
  },
  {
    code: 'TLS_FAILED',
    title: 'the server has no TLS',
    provoke: ({ pair }) => pair.setEnv({ SOURCE_SSLMODE: 'require' }),
    says: ['source db.example.com:5432/shop', 'does not support TLS'],
    next: 'SOURCE_SSLMODE',
  },
  {
    code: 'CONNECTION_LOST',
    title: 'the source goes away again and again',
    pair: copying,
    provoke: async ({ pair, stack }) => {
      const proxy = stack.use(await faultProxy(pair.login('source')));
      proxy.when({ from: 'client', seen: 'COPY', fault: 'reset', times: 100 });
      await goThrough(pair, 'source', proxy);
    },
    says: ['source db.example.com:5432/shop'],
    next: 'network',
  },
  {
    code: 'TOO_MANY_CONNECTIONS',
    title: 'the role has no connection left',
    provoke: async ({ pair }) => {
      await pair.source.query(`ALTER ROLE ${reader(pair)} CONNECTION LIMIT 0`);
    },
    sqlstate: '53300',
    says: ['source db.example.com:5432/shop', 'too many connections for role "reader"'],
    next: /pg_stat_activity|CONNECTION LIMIT/,
  },
  {
    code: 'AUTHENTICATION_FAILED',
    title: 'a wrong password',
    provoke: ({ pair }) => pair.setEnv({ DEST_PASSWORD: 'wrong' }),
    sqlstate: '28P01',
    says: [
      'destination warehouse.example.com:5432/analytics',
      'password authentication failed for user "writer"',
    ],
    next: 'DEST_PASSWORD',
  },
  {
    code: 'AUTHENTICATION_FAILED',
    title: 'no password at all',
    provoke: ({ pair }) => pair.setEnv({ SOURCE_PASSWORD: undefined }),
    says: ['source db.example.com:5432/shop', 'asks for the password of "reader", but none is set'],
    next: /SOURCE_PASSWORD .*\.pgpass.* CREDENTIALS_DIRECTORY and STATE_DIR/,
    isOther: true,
  },
  {
    code: 'AUTHENTICATION_FAILED',
    title: 'a role that may not log in',
    provoke: async ({ pair }) => {
      await pair.source.query(`ALTER ROLE ${reader(pair)} NOLOGIN`);
    },
    sqlstate: '28000',
    says: ['source db.example.com:5432/shop', 'role "reader" is not permitted to log in'],
    next: 'ALTER ROLE "reader" LOGIN',
    isOther: true,
  },
  {
    code: 'CONNECTION_FAILED',
    title: 'a database that allows no connections',
    provoke: async ({ pair, stack }) => {
      const { database } = pair.login('source');
      const allow = (isAllowed: boolean) =>
        withAdmin(inject('sourceServerUrl'), (admin) =>
          admin.query(`ALTER DATABASE "${database}" ALLOW_CONNECTIONS ${isAllowed}`),
        );
      await allow(false);
      stack.defer(async () => void (await allow(true)));
    },
    sqlstate: '55000',
    says: ['source db.example.com:5432/shop', 'database "shop" is not currently accepting connections'],
    next: 'ALTER DATABASE "shop" ALLOW_CONNECTIONS true',
    isOther: true,
  },
  {
    code: 'PRIVILEGE_MISSING',
    title: 'no CREATE on the schema of the destination',
    provoke: async ({ pair }) => {
      await sync(pair);
      const { user } = pair.login('destination', 'increp');
      await pair.destination.query(
        `ALTER SCHEMA public OWNER TO CURRENT_USER; REVOKE CREATE ON SCHEMA public FROM "${user}", PUBLIC; GRANT USAGE ON SCHEMA public TO "${user}"; DROP TABLE IF EXISTS orders_stg`,
      );
      await pair.source.query('UPDATE orders SET updated_at = now()');
    },
    sqlstate: '42501',
    says: ['destination warehouse.example.com:5432/analytics', 'permission denied for schema public'],
    next: 'At the destination, run: GRANT USAGE, CREATE ON SCHEMA "public" TO "writer"',
    isOther: true,
  },
  {
    code: 'PRIVILEGE_MISSING',
    title: 'no SELECT on the table',
    provoke: async ({ pair }) => {
      await pair.source.query(`REVOKE SELECT ON orders FROM ${reader(pair)}`);
    },
    says: ['role "reader" may not read public.orders', 'source'],
    next: 'GRANT SELECT ON "public"."orders" TO "reader"',
  },
  {
    code: 'ROW_SECURITY',
    title: 'a policy that hides rows',
    provoke: async ({ pair }) => {
      await pair.source.query(
        'ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON orders USING (id < 5)',
      );
    },
    says: ['row-level security would hide rows of public.orders'],
    next: 'ALTER ROLE "reader" BYPASSRLS',
  },
  {
    code: 'RUN_LOCKED',
    title: 'another run has the table',
    provoke: async (provoked) => {
      await sync(provoked.pair);
      await insertOrders(provoked.pair, 1);
      await hold(
        provoked,
        'destination',
        `SET application_name = 'increp shop 1@worker-1'; ${tryLock({ schema: 'public', table: 'orders' }, 7200)}`,
      );
    },
    says: ['public.orders is being synced by another run: process 1 on host worker-1 (pipeline shop)'],
    next: '--wait-lock',
  },
  {
    code: 'LOCK_TIMEOUT',
    title: 'somebody holds the table of the destination',
    timing: IMPATIENT,
    provoke: async (provoked) => {
      await sync(provoked.pair);
      await insertOrders(provoked.pair, 1);
      await hold(provoked, 'destination', `SET application_name = 'psql'; LOCK TABLE orders`);
    },
    sqlstate: '55P03',
    says: ['destination', 'held by pid 4242 (psql)'],
    next: 'pg_terminate_backend',
  },
  {
    code: 'CONFLICT',
    title: 'a deadlock with every attempt',
    provoke: (provoked) =>
      onWrite(provoked, `RAISE EXCEPTION 'deadlock detected' USING ERRCODE = 'deadlock_detected';`),
    sqlstate: '40P01',
    says: ['destination warehouse.example.com:5432/analytics', 'deadlock detected'],
    next: 'log of that server',
  },
  {
    code: 'SCHEMA_CHANGED',
    title: 'the source is altered all the time',
    pair: copying,
    provoke: async ({ pair, stack }) => {
      const proxy = stack.use(await faultProxy(pair.login('source')));
      proxy.delay(40);
      await goThrough(pair, 'source', proxy);
      await pair.source.query('ALTER TABLE orders ADD c0 int');
    },
    meanwhile: async (running, pair) => {
      let hasEnded = false;
      void running.wait().finally(() => (hasEnded = true));
      for (let version = 1; !hasEnded; version += 1) {
        await pair.source.query(`ALTER TABLE orders RENAME c${version - 1} TO c${version}`);
        await sleep(5);
      }
    },
    says: ['public.orders changed while increp was reading it'],
    next: 'Run increp again',
  },
  {
    code: 'TIMEOUT',
    title: 'a statement is cancelled at the destination',
    provoke: (provoked) =>
      onWrite(provoked, 'PERFORM pg_cancel_backend(pg_backend_pid()); PERFORM pg_sleep(5);'),
    sqlstate: '57014',
    says: ['destination warehouse.example.com:5432/analytics', 'canceling statement due to user request'],
    next: 'statement_timeout',
  },
  {
    code: 'DESTINATION_NOT_OURS',
    title: 'a table with rows that nothing is known of',
    provoke: async ({ pair }) => {
      await pair.destination.query(
        'CREATE TABLE orders (id bigint, total numeric(12,2), note text, updated_at timestamptz); INSERT INTO orders VALUES (1); GRANT SELECT ON orders TO PUBLIC',
      );
    },
    says: ['public.orders at the destination has 1 row, and increp has no state of it'],
    next: 'wrong direction',
  },
  {
    code: 'STAGING_NAME_CONFLICT',
    title: 'a table of somebody else with our name',
    provoke: async ({ pair }) => {
      await pair.destination.query('CREATE TABLE orders_stg (precious int)');
    },
    says: ['public.orders_stg exists at the destination, and increp did not create it'],
    next: 'dest_name',
  },
  {
    code: 'CONSTRAINT_VIOLATED',
    title: 'a value of a row that is gone is used again',
    pair: {
      tables: [{ name: 'users', replication_key: 'updated_at', unique_cols: ['id'] }],
      sourceSql: `CREATE TABLE users (id int PRIMARY KEY, email text, updated_at timestamptz NOT NULL DEFAULT now());
        INSERT INTO users VALUES (1, 'a'), (2, 'b')`,
    },
    provoke: async ({ pair }) => {
      await sync(pair);
      await pair.destination.query('CREATE UNIQUE INDEX users_email ON users (email)');
      await pair.source.query(`DELETE FROM users WHERE id = 2; INSERT INTO users VALUES (3, 'b')`);
    },
    sqlstate: '23505',
    says: ['users_email', 'public.users', '(id) = (3)', '(id) = (2)'],
    next: 'increp verify users --repair',
  },
  {
    code: 'NO_REPLICA_IDENTITY',
    title: 'a published table without a replica identity',
    pair: {
      ...ordersPreset,
      tables: [{ ...ORDERS_CONFIG, deletes: 'hard', deletes_every: '0s' }],
    },
    provoke: async ({ pair }) => {
      await sync(pair);
      await pair.destination.query(
        'CREATE PUBLICATION feed FOR TABLE orders; ALTER TABLE orders REPLICA IDENTITY NOTHING',
      );
      await pair.source.query('DELETE FROM orders WHERE id = 1');
    },
    sqlstate: '55000',
    says: ['cannot delete from table "orders"'],
    next: 'REPLICA IDENTITY FULL',
  },
  {
    code: 'DEPENDENT_OBJECTS',
    title: 'a view that reads a dropped column',
    provoke: async ({ pair }) => {
      await sync(pair);
      await pair.destination.query(
        `CREATE VIEW order_notes AS SELECT id, note FROM orders; ALTER VIEW order_notes OWNER TO ${writer(pair)}`,
      );
      await pair.source.query('ALTER TABLE orders DROP COLUMN note');
    },
    sqlstate: '2BP01',
    says: ['public.orders needs a new shape', 'view public.order_notes uses column "note"'],
    next: 'DROP VIEW public.order_notes',
  },
  {
    code: 'DEPENDENT_OBJECTS',
    title: 'a view in the place of the table',
    provoke: async ({ pair }) => {
      await pair.destination.query('CREATE VIEW orders AS SELECT 1 AS id');
    },
    says: ['public.orders at the destination is a view'],
    next: 'dest_name',
    isOther: true,
  },
  {
    code: 'SCHEMA_CHANGE_REFUSED',
    title: 'a new column, and no permission to load again',
    pair: orders({ on_schema_change: 'fail' }),
    provoke: async ({ pair }) => {
      await sync(pair);
      await pair.source.query('ALTER TABLE orders ADD gift boolean');
    },
    says: ['public.orders and its destination table differ: column "gift" (boolean) was added at the source'],
    next: 'increp reset orders',
  },
  {
    code: 'MERGE_KEY_NOT_UNIQUE',
    title: 'a copy of the older script with doubled rows',
    provoke: async ({ pair }) => {
      await pair.destination.query(
        `CREATE TABLE orders (id bigint, total numeric(12,2), note text, updated_at timestamptz NOT NULL);
         INSERT INTO orders SELECT 1, 1, 'twice', '2026-01-01' FROM generate_series(1, 2);
         ALTER TABLE orders OWNER TO ${writer(pair)}`,
      );
      await writeLegacyState(pair);
    },
    says: ['public.orders at the destination has several rows with the same id'],
    next: 'increp sync orders --full-refresh',
  },
  {
    code: 'CONFLICT_LOG',
    title: 'a log of conflicts in which a column was dropped',
    pair: orders({ conflict_log: true }),
    provoke: async ({ pair }) => {
      await sync(pair);
      await pair.destination.query('ALTER TABLE _increp_conflicts DROP resolution');
      await pair.source.query('UPDATE orders SET total = 7, updated_at = now() WHERE id = 1');
    },
    sqlstate: '42703',
    says: ['"conflict_log" cannot write public._increp_conflicts at the destination'],
    next: 'ALTER TABLE "public"."_increp_conflicts" RENAME TO "_increp_conflicts_old"',
  },
  {
    code: 'STATE_MISMATCH',
    title: 'the pipeline has another name',
    provoke: async ({ pair }) => {
      await sync(pair);
      await pair.setEnv({ PIPELINE_NAME: 'shop-2' });
    },
    says: ['the state of public.orders at the destination belongs to pipeline "shop"', 'shop-2'],
    next: 'PIPELINE_NAME',
  },
  {
    code: 'STATE_NOT_WRITABLE',
    title: 'a file in the place of the state directory',
    provoke: async ({ pair }) => {
      await rm(join(pair.directory, 'sync-state'), { recursive: true, force: true });
      await writeFile(join(pair.directory, 'sync-state'), 'a file in its place');
    },
    says: ['the state directory /srv/pipelines/shop/sync-state'],
    next: 'STATE_DIR',
  },
  {
    code: 'DELETE_LIMIT_EXCEEDED',
    title: 'most rows are gone from the source',
    pair: orders({ deletes: 'hard', deletes_every: '0s' }),
    provoke: async ({ pair }) => {
      await sync(pair);
      await pair.source.query('DELETE FROM orders WHERE id > 2');
    },
    says: ['public.orders has at least 8 of 10 rows that the source no longer has', 'delete_limit (0.5)'],
    next: 'increp sync orders --deletes --force',
  },
  {
    code: 'NOT_SYNCED',
    title: 'nothing to compare yet',
    args: 'verify',
    says: ['table "orders" cannot be compared'],
    next: 'increp sync orders',
  },
  {
    code: 'VERIFY_FAILED',
    title: 'a trigger of the destination alters rows',
    args: 'sync -q --verify',
    provoke: (provoked) => onWrite(provoked, `new.note := 'other';`),
    says: ['public.orders', 'differs from the source after it was copied'],
    next: 'Nothing was committed',
  },
  {
    code: 'ENCODING_MISMATCH',
    title: 'a character that LATIN1 does not have',
    pair: { ...copying, encodings: { destination: 'LATIN1' } },
    provoke: async ({ pair }) => {
      await pair.source.query(`UPDATE orders SET note = '€' WHERE id = 7`);
    },
    sqlstate: '22P05',
    says: ['destination warehouse.example.com:5432/analytics', 'COPY orders_stg, line'],
    next: 'UTF8',
  },
  {
    code: 'DISK_FULL',
    title: 'the destination has no room',
    provoke: (provoked) =>
      onWrite(
        provoked,
        `RAISE EXCEPTION 'could not extend file "base/16401/16438": No space left on device' USING ERRCODE = 'disk_full';`,
      ),
    sqlstate: '53100',
    says: ['destination warehouse.example.com:5432/analytics', 'No space left on device'],
    next: 'Free some space',
  },
  {
    code: 'READ_ONLY',
    title: 'the destination takes no writes',
    provoke: async ({ pair }) => {
      await pair.destination.query(`ALTER ROLE ${writer(pair)} SET default_transaction_read_only = on`);
    },
    says: ['destination', 'default_transaction_read_only is on', 'writer'],
    next: 'ALTER ROLE',
  },
  {
    code: 'QUERY_FAILED',
    title: 'a view that divides by zero',
    pair: {
      tables: [{ ...ORDERS_CONFIG, name: 'ratios', initial_load: 'copy' }],
      sourceSql: `CREATE TABLE numbers (id int, updated_at timestamptz);
        INSERT INTO numbers VALUES (1, now()), (0, now());
        CREATE VIEW ratios AS SELECT id, 1 / id AS ratio, updated_at FROM numbers`,
    },
    sqlstate: '22012',
    says: ['source db.example.com:5432/shop', 'division by zero'],
    next: 'source',
  },
  {
    code: 'INTERRUPTED',
    title: 'a signal',
    args: 'sync -v --wait-transactions 40s',
    provoke: async (provoked) => {
      await sync(provoked.pair);
      await insertOrders(provoked.pair, 1);
      await hold(provoked, 'source', 'SELECT FROM orders');
    },
    meanwhile: async (running) => {
      await running.waitForPhase('fence');
      running.kill('SIGTERM');
    },
    exitCode: 143,
    says: ['stopped by SIGTERM'],
    next: 'increp sync',
  },
  {
    code: 'INTERNAL',
    title: 'a bug',
    args: 'verify',
    provoke: async ({ pair }) => {
      const preload = join(pair.directory, 'preload.mjs');
      await writeFile(
        preload,
        `import { Socket } from 'node:net';
         Socket.prototype.connect = () => { throw new TypeError('a is not a function'); };`,
      );
      return { env: { NODE_OPTIONS: `--import ${preload}` } };
    },
    says: ['a is not a function'],
    next: 'bug',
  },
];
import { IMPATIENT } from '../support/timing.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const WITH_SSH: readonly Failure[] = [
  {
    code: 'SSH_FAILED',
    title: 'a bastion that does not listen',
    provoke: ({ pair }) => pair.setEnv({ SOURCE_SSH: 'deploy@localhost:1' }),
    says: ['source', 'deploy@bastion.example.com:22', 'Connection refused'],
    next: 'Check SOURCE_SSH',
  },
];

const WITH_PG_DUMP: readonly Failure[] = [
  {
    code: 'DUMP_FAILED',
    title: 'pg_dump ends in the middle',
    provoke: async ({ pair }) => ({
      env: await fakeTools(pair.directory, {
        pg_dump: whenWorking('echo "pg_dump: error: out of memory" >&2; exit 1'),
      }),
    }),
    says: ['public.orders', 'source', 'pg_dump ended with 1', 'out of memory'],
    next: '"copy"',
  },
  {
    code: 'ROW_COUNT_MISMATCH',
    title: 'pg_dump finds no rows where there are some',
    provoke: async ({ pair }) => ({
      env: await fakeTools(pair.directory, {
        pg_restore: whenWorking(
          `cat >/dev/null; printf 'COPY public.orders (id, total, note, updated_at) FROM stdin;\\n\\\\.\\n'`,
        ),
      }),
    }),
    says: ['public.orders has some rows to copy, but 0 arrived'],
    next: '"copy"',
  },
];

async function writeLegacyState(pair: Pair): Promise<void> {
  await mkdir(join(pair.directory, 'sync-state'), { recursive: true });
  await writeFile(join(pair.directory, 'sync-state', 'orders.txt'), '2026-01-01T00:00:00.000Z');
}

async function check(failure: Failure): Promise<void> {
  const { result, text } = await provoke(failure);
  const { code, sqlstate, exitCode = ERROR_CLASSES[code].exitCode, says, next } = failure;
  const [what, then] = text.split(/^\s*next: +/m);
  expect({ text, exitCode: result.exitCode }).toMatchObject({ exitCode });
  expect(text).toContain(sqlstate === undefined ? `(${code})` : `(${code}, SQLSTATE ${sqlstate})`);
  for (const part of says) expect(what).toMatch(part);
  expect(then).toMatch(next);
  if (!failure.isOther) expect(text.split('\n')).toEqual(ERROR_PAGES[code].example);
}

/** They hold only after several attempts. */
const TAKES_LONG: readonly string[] = [
  'SCHEMA_CHANGED',
  'LOCK_TIMEOUT',
  'CONFLICT',
  'RUN_LOCKED',
  'SCHEMA_CHANGE_REFUSED',
  'INTERRUPTED',
];

test.each(
  oneIn(
    2,
    FAILURES.filter(({ code }) => !TAKES_LONG.includes(code)),
  ),
)('$code: $title', check);
slowTest.each(FAILURES.filter(({ code }) => TAKES_LONG.includes(code)))('$code: $title', check);
testWithPgDump.each(WITH_PG_DUMP)('$code: $title', check);
testWithSshd.each(WITH_SSH)('$code: $title', check);

test('every code of the catalogue is brought about', () => {
  const forced = new Set([...FAILURES, ...WITH_SSH, ...WITH_PG_DUMP].map(({ code }) => code));
  // It takes a server that becomes another one, which tests that share a server must not do: server-changed.test.ts.
  forced.add('SERVER_CHANGED');
  // It takes a server that waits for a standby, which tests that share a server cannot have: synchronous-standby.test.ts.
  forced.add('COMMIT_UNCONFIRMED');
  expect([...forced].toSorted()).toEqual(Object.keys(ERROR_CLASSES).toSorted());
});
