import { TOP_ROWS } from '../schema/integer-mark.ts';
import type { KeyType } from '../schema/keys.ts';
import type { TableName } from '../schema/names.ts';
import { ident, literal } from './identifiers.ts';
import { sequenceEnd } from './key-origin.ts';
import { isReaderMark } from './reader-mark.ts';
import { bareItem, onRows, type RowSource } from './row-source.ts';
import { AT_LEAST, AT_MOST, GREATER, MINUS, TIMES, type Statement } from './search-path.ts';

/**
 * The largest plausible key: the clock of the server, or none for integers. A row from the future must not become the
 * high-water mark, or correct rows after it would be below the mark. Keys without a time zone count in the server's
 * default time zone.
 */
export function latestPlausible(type: KeyType, timeZone: string): string | null {
  switch (type) {
    case 'timestamptz':
      return 'pg_catalog.now()';
    case 'timestamp':
      return `(pg_catalog.now() AT TIME ZONE ${literal(timeZone)})`;
    case 'date':
      return `(pg_catalog.now() AT TIME ZONE ${literal(timeZone)})::date`;
    case 'integer':
      return null;
  }
}

/** Years before 1 are excluded, so that marks compare like text. */
function plausible(key: string, type: KeyType, timeZone: string): string {
  const latest = latestPlausible(type, timeZone);
  return latest === null
    ? ''
    : `WHERE ${key} ${AT_LEAST} '0001-01-01 00:00:00+00' AND ${key} ${AT_MOST} ${latest}`;
}

/**
 * The clock of the server when the message arrived, the seconds that the server has worked on it, the next transaction
 * ID (xid8), and the oldest open transaction ID.
 */
const CLOCK_AND_TRANSACTION_IDS = /* sql */ `pg_catalog.now()::text AS "at",
    extract(epoch FROM (pg_catalog.clock_timestamp() ${MINUS} pg_catalog.now()))::float8 AS "workSeconds",
    pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text AS "oldestXid",
    pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text AS "nextXid"`;

export const READ_CLOCK = /* sql */ `SELECT ${CLOCK_AND_TRANSACTION_IDS}`;

export interface MarkedRows {
  readonly rows: RowSource;
  /** Undefined if the rows come from a query. */
  readonly table: TableName | undefined;
  /** The name of the replication key in the table. */
  readonly keyColumn: string;
  /** The name of the replication key in the rows. */
  readonly replicationKey: string;
  readonly keyType: KeyType;
}

/**
 * The largest plausible key, as text. With an index on the key, this is one look-up. For an integer key, the top rows
 * are read, and schema/integer-mark.ts decides which key is plausible.
 */
export function highWaterMark(marked: MarkedRows, timeZone: string): Statement {
  const { rows, replicationKey, keyType } = marked;
  if (keyType === 'integer') return onRows(rows, integerMark(marked));
  const key = ident(replicationKey);
  return onRows(
    rows,
    /* sql */ `SELECT pg_catalog.max(${key})::text AS high, ${CLOCK_AND_TRANSACTION_IDS} FROM ${bareItem(rows)}
    ${plausible(key, keyType, timeZone)}`,
  );
}

/**
 * A gap between two keys is implausible if it is larger than this, and larger than this many times the spread of the
 * rows below.
 */
const GAP = { least: 1000, times: 10 } as const;
/** This many rows must be below a gap, or all rows. */
const ROWS_BELOW = 100;
/** Epoch times: a second in the unit of the key, and the first value that cannot be a small number (2001). */
const EPOCH_UNITS = ['1', '1000', '1000000', '1000000000'];
const FIRST_EPOCH = '1000000000';

const belowClock = (unit: string): string => {
  const latest = `(SELECT pg_catalog.max(key) FROM top WHERE key ${AT_MOST} (extract(epoch FROM pg_catalog.now()) ${TIMES} ${unit}::numeric))`;
  return `CASE WHEN ${latest} ${AT_LEAST} (${FIRST_EPOCH}::numeric ${TIMES} ${unit}::numeric) THEN ${latest} END`;
};

function integerMark({ rows, table, keyColumn, replicationKey }: MarkedRows): string {
  const key = ident(replicationKey);
  const from = bareItem(rows);
  return /* sql */ `WITH top AS MATERIALIZED (
      SELECT ${key}::numeric AS key FROM ${from} WHERE ${key} IS NOT NULL ORDER BY ${key} DESC LIMIT ${TOP_ROWS + 1}),
    steps AS (SELECT key, pg_catalog.lag(key) OVER (ORDER BY key) AS below, pg_catalog.row_number() OVER (ORDER BY key) AS "rowsTo", pg_catalog.min(key) OVER () AS lowest FROM top),
    given AS MATERIALIZED (SELECT ${table ? sequenceEnd(table, keyColumn) : 'NULL::bigint'} AS "lastValue"),
    bounds AS (SELECT "lastValue", (SELECT pg_catalog.max(key) FROM top WHERE key ${AT_MOST} "lastValue"::numeric) AS "belowSequence" FROM given)
    SELECT (SELECT pg_catalog.max(key)::text FROM top) AS top,
    (SELECT pg_catalog.min(below)::text FROM steps
      WHERE (key ${MINUS} below) ${GREATER} greatest(${GAP.least}::numeric, ${GAP.times}::numeric ${TIMES} (below ${MINUS} lowest))
      AND ("rowsTo" ${GREATER} ${ROWS_BELOW}::bigint OR (SELECT pg_catalog.count(*) FROM top) ${AT_MOST} ${TOP_ROWS}::bigint)) AS "belowGap",
    CASE WHEN "lastValue" IS NULL THEN coalesce(${EPOCH_UNITS.map(belowClock).toReversed().join(', ')})::text END AS "belowClock",
    "lastValue"::text AS "sequenceEnd", "belowSequence"::text AS "belowSequence",
    CASE WHEN "lastValue" IS NULL THEN false WHEN "belowSequence" IS NOT NULL THEN true
      ELSE EXISTS (SELECT FROM ${from} WHERE ${key} ${AT_MOST} "lastValue") END AS "hasRowsBelow", ${CLOCK_AND_TRANSACTION_IDS} FROM bounds`;
}

/**
 * The first read of pg_stat_activity in a transaction is cached until its end. It must precede the read of pg_locks.
 * Otherwise, a session that prepares its transaction in between would give it the start time of its next transaction.
 */
export const KEEP_ACTIVITY = /* sql */ `SELECT FROM pg_stat_activity LIMIT 1`;

/**
 * The transactions in flight. Any role can read these columns of pg_locks and pg_stat_activity. Transactions that
 * have not written yet are included. A prepared transaction has no virtualxid lock and no pid, but keeps its name on
 * the transactionid lock. Excluded are other databases, backends without a user (autovacuum), parallel workers (their
 * leader is included), and read-only sessions of increp: they hold the reader mark and have no transaction ID. An
 * application name would prove nothing, because another pipeline may write with the same name. A lock without a
 * matching session is kept. On a standby, no transaction of a session can write, so the list is empty. It does not show
 * the transactions of the primary either. A transaction is named by its virtualxid lock if it has one. At the moment it begins,
 * virtualtransaction is still N/0, a name that it does not keep.
 */
export const IN_FLIGHT = /* sql */ `
  WITH locks AS MATERIALIZED (SELECT * FROM pg_locks WHERE granted AND locktype IN ('virtualxid', 'transactionid', 'advisory'))
  SELECT coalesce(l.virtualxid, l.virtualtransaction) AS transaction, min(l.pid) AS pid, min(a.usename) AS "user",
         min(a.application_name) AS application, min(a.xact_start)::text AS "startedAt",
         extract(epoch FROM now() - coalesce(min(a.xact_start), min(p.prepared)))::float8 AS "ageSeconds"
  FROM locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
  LEFT JOIN pg_prepared_xacts p ON l.pid IS NULL AND p.transaction = l.transactionid
  WHERE l.locktype IN ('virtualxid', 'transactionid') AND NOT pg_is_in_recovery()
    AND (l.pid IS NULL OR l.pid <> pg_backend_pid())
    AND (a.pid IS NULL OR a.usesysid IS NOT NULL
         AND a.datid = (SELECT oid FROM pg_database WHERE datname = current_database()))
    AND a.backend_type IS DISTINCT FROM 'parallel worker'
    AND (l.pid IS NULL OR EXISTS (SELECT FROM locks w WHERE w.locktype = 'transactionid' AND w.pid = l.pid)
         OR NOT EXISTS (SELECT FROM locks m WHERE ${isReaderMark('m', 'l.pid', 'a.application_name')}))
  GROUP BY 1 HAVING NOT coalesce(bool_or(p.database <> current_database()), false)`;
