/** What is written to: one table for each kind of replication key. */
import type { TableConfig } from '../support/open-pair.ts';

/** Lookback would hide what the fence does, so it covers only the moment between BEGIN's arrival and its lock. */
const LOOKBACK = '100ms';

export interface TortureTable {
  readonly name: 'accounts' | 'ledger' | 'tickets' | 'payments' | 'readings';
  readonly key: string;
  readonly mergeKey: readonly string[];
  readonly columns: readonly string[];
  readonly sql: string;
  /** Only at the source. */
  readonly partitions?: number;
}

export const TABLES: readonly TortureTable[] = [
  {
    name: 'accounts',
    key: 'updated_at',
    mergeKey: ['id'],
    columns: ['id', 'version', 'payload', 'amount', 'badge', 'updated_at'],
    sql: /* sql */ `CREATE TABLE accounts (id bigint PRIMARY KEY, version int NOT NULL, payload text,
      amount numeric, badge int, updated_at timestamptz NOT NULL DEFAULT now())`,
  },
  {
    name: 'ledger',
    key: 'id',
    mergeKey: ['id'],
    columns: ['id', 'writer', 'entry'],
    sql: /* sql */ `CREATE TABLE ledger (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, writer int NOT NULL,
      entry json)`,
  },
  {
    name: 'tickets',
    key: 'changed',
    mergeKey: ['region', 'number'],
    columns: ['number', 'region', 'version', 'note', 'changed'],
    sql: /* sql */ `CREATE TABLE tickets (number int NOT NULL, region text NOT NULL, version int NOT NULL,
      note text, changed timestamp NOT NULL DEFAULT localtimestamp, PRIMARY KEY (region, number))`,
  },
  {
    name: 'payments',
    key: 'updated_at',
    mergeKey: ['id'],
    columns: ['id', 'account_id', 'amount', 'updated_at'],
    sql: /* sql */ `CREATE TABLE payments (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      account_id bigint, amount int NOT NULL, updated_at timestamptz NOT NULL DEFAULT now())`,
  },
  {
    name: 'readings',
    key: 'updated_at',
    mergeKey: ['id'],
    columns: ['id', 'version', 'value', 'updated_at'],
    sql: /* sql */ `CREATE TABLE readings (id bigint PRIMARY KEY, version int NOT NULL, value numeric,
      updated_at timestamptz NOT NULL DEFAULT now())`,
    // With two indexes each, they need more locks than the lock table is sized for, so increp reads them in groups.
    partitions: 450,
  },
];

/** A badge goes from one account to another, two accounts swap theirs; an account goes with its payments. */
const CONSTRAINTS = /* sql */ `
  ALTER TABLE accounts ADD CONSTRAINT badge_key UNIQUE (badge) DEFERRABLE;
  ALTER TABLE payments ADD CONSTRAINT account_fkey FOREIGN KEY (account_id) REFERENCES accounts ON DELETE CASCADE;
  CREATE INDEX ON payments (account_id)`;

/** What people put on the tables of a destination: neither waits for the end of a transaction, nor removes anything. */
export const DESTINATION_CONSTRAINTS = /* sql */ `
  CREATE UNIQUE INDEX badges ON accounts (badge);
  ALTER TABLE payments ADD CONSTRAINT payer FOREIGN KEY (account_id) REFERENCES accounts NOT VALID`;

/** Badges are few, so that they are in use. */
export const BADGES = 300;

/** Ids that are inserted by choice, deleted and used again; above them the sequence gives new ones. */
export const SHARED_IDS = 2000;
export const REGIONS = ['north', 'söuth', "o'east", 'w\\est'] as const;

export const sourceSql = (database: string): string => /* sql */ `
  ALTER DATABASE "${database}" SET TimeZone = 'Asia/Kolkata';
  SET TimeZone = 'Asia/Kolkata';
  ${TABLES.map(createSql).join(';\n')};
  ${CONSTRAINTS};
  CREATE INDEX ON accounts (updated_at);
  CREATE INDEX ON tickets (changed);
  CREATE INDEX ON payments (updated_at);
  CREATE INDEX ON readings (updated_at);
  CREATE SEQUENCE reading_ids START ${SHARED_IDS + 1};
  CREATE SEQUENCE account_ids START ${SHARED_IDS + 1};
  INSERT INTO accounts SELECT i, 1, 'first ' || i, i / 4.0, CASE WHEN i % 10 = 3 THEN (i + 7) / 10 END
    FROM generate_series(1, ${SHARED_IDS}, 2) i;
  INSERT INTO payments (account_id, amount) SELECT id, 1 FROM accounts LIMIT 200;
  INSERT INTO readings SELECT i, 1, i / 4.0 FROM generate_series(1, ${SHARED_IDS}, 2) i;
  INSERT INTO ledger (writer, entry) SELECT 0, '{"first":  1}' FROM generate_series(1, 500);
  INSERT INTO tickets SELECT i, 'north', 1, 'first' FROM generate_series(1, 500) i`;

const createSql = ({ name, sql, partitions }: TortureTable): string =>
  partitions === undefined
    ? sql
    : /* sql */ `${sql} PARTITION BY HASH (id);
      DO $$ BEGIN FOR i IN 1..${partitions} LOOP
        EXECUTE format('CREATE TABLE ${name}_%s PARTITION OF ${name} FOR VALUES WITH (MODULUS ${partitions}, REMAINDER %s)',
          i, i - 1);
      END LOOP; END $$`;

/** Most rows of a table may go within seconds here, and all of them where the destination of a pipeline is emptied. */
export const configOf = (hasDeletes: boolean): TableConfig[] =>
  TABLES.map(({ name, key, mergeKey }) => ({
    name,
    replication_key: key,
    unique_cols: mergeKey,
    lookback: LOOKBACK,
    ...(hasDeletes ? { deletes: 'hard', deletes_every: '0s', delete_limit: 1 } : {}),
  }));
