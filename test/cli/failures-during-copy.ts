/** A copy that a server, pg_dump, a signal or a bug ends. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fakeTools, whenWorking } from '../support/client-tools.ts';
import { insertOrders, ORDERS_CONFIG } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { copying, onWrite, hold, writer, type Failure } from '../support/failure.ts';

export const COPY_FAILURES: readonly Failure[] = [
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

export const WITH_PG_DUMP: readonly Failure[] = [
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
