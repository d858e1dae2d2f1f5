/** Commands, settings and tables-config.json that do not fit the databases. */
import { join } from 'node:path';
import { disguise } from '../support/disguise.ts';
import { OTHER_SERVERS } from '../support/recorded-versions.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { orders, type Failure } from '../support/failure.ts';

export const CONFIGURATION_FAILURES: readonly Failure[] = [
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
];
