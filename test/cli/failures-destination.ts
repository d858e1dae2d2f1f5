/** Destination tables, and states of them, that a sync does not change. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pair } from '../support/pair.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { orders, onWrite, writer, type Failure } from '../support/failure.ts';

export const DESTINATION_FAILURES: readonly Failure[] = [
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
];

async function writeLegacyState(pair: Pair): Promise<void> {
  await mkdir(join(pair.directory, 'sync-state'), { recursive: true });
  await writeFile(join(pair.directory, 'sync-state', 'orders.txt'), '2026-01-01T00:00:00.000Z');
}
