import type { KeyType } from '../schema/keys.ts';
import { ident, literal } from './identifiers.ts';
import { isReaderMark } from './reader-mark.ts';
import { bareItem, type RowSource } from './row-source.ts';

/**
 * The latest key that is plausible: the server's own clock, or none for integers. A row from the future must not
 * become the mark, or honest rows that follow would lie below it. Keys without a time zone are taken to be in the
 * server's default zone.
 */
export function latestPlausible(type: KeyType, timeZone: string): string | null {
  switch (type) {
    case 'timestamptz':
      return 'now()';
    case 'timestamp':
      return `(now() AT TIME ZONE ${literal(timeZone)})`;
    case 'date':
      return `(now() AT TIME ZONE ${literal(timeZone)})::date`;
    case 'integer':
      return null;
  }
}

/** Years before the first are left out too, so that marks compare as text does. */
function plausible(key: string, type: KeyType, timeZone: string): string {
  const latest = latestPlausible(type, timeZone);
  return latest === null ? '' : `WHERE ${key} >= '0001-01-01 00:00:00+00' AND ${key} <= ${latest}`;
}

/** The server's clock, and the numbers (xid8) that no, and the oldest, transaction has. */
const CLOCK_AND_NUMBERS = /* sql */ `now()::text AS "at",
    pg_snapshot_xmin(pg_current_snapshot())::text AS "oldestXid",
    pg_snapshot_xmax(pg_current_snapshot())::text AS "nextXid"`;

export const MOMENT = /* sql */ `SELECT ${CLOCK_AND_NUMBERS}`;

/** The largest plausible key, as text; through an index on the key it costs one look-up. */
export function highWaterMark(
  rows: RowSource,
  replicationKey: string,
  type: KeyType,
  timeZone: string,
): string {
  const key = ident(replicationKey);
  return /* sql */ `SELECT max(${key})::text AS high, ${CLOCK_AND_NUMBERS} FROM ${bareItem(rows)}
    ${plausible(key, type, timeZone)}`;
}

/**
 * The first look at pg_stat_activity in a transaction is kept until it ends. It has to come before the look at pg_locks:
 * a session that prepares its transaction between the two would lend it the start of its next one.
 */
export const KEEP_ACTIVITY = /* sql */ `SELECT FROM pg_stat_activity LIMIT 1`;

/**
 * The transactions in flight. Any role can read these columns of pg_locks and pg_stat_activity, and transactions
 * that have not written yet are there too. A prepared transaction has given up its virtualxid lock and its pid
 * but keeps its name on the transactionid lock. Left out are other databases, backends without a user
 * (autovacuum), parallel workers (their leader is there), and sessions of increp that hold the mark of a reader and have
 * no transaction ID: a name tells nothing, because another pipeline may write here under the same one. What matches
 * nothing is kept. A transaction is called by its virtualxid lock where it
 * has one: in the instant of its beginning, virtualtransaction still reads N/0, a name that it does not keep.
 */
export const IN_FLIGHT = /* sql */ `
  WITH locks AS MATERIALIZED (SELECT * FROM pg_locks WHERE granted AND locktype IN ('virtualxid', 'transactionid', 'advisory'))
  SELECT coalesce(l.virtualxid, l.virtualtransaction) AS transaction, min(l.pid) AS pid, min(a.usename) AS "user",
         min(a.application_name) AS application, min(a.xact_start)::text AS "startedAt",
         extract(epoch FROM now() - min(a.xact_start))::float8 AS "ageSeconds"
  FROM locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
  LEFT JOIN pg_prepared_xacts p ON l.pid IS NULL AND p.transaction = l.transactionid
  WHERE l.locktype IN ('virtualxid', 'transactionid')
    AND (l.pid IS NULL OR l.pid <> pg_backend_pid())
    AND (a.pid IS NULL OR a.usesysid IS NOT NULL
         AND a.datid = (SELECT oid FROM pg_database WHERE datname = current_database()))
    AND a.backend_type IS DISTINCT FROM 'parallel worker'
    AND (l.pid IS NULL OR EXISTS (SELECT FROM locks w WHERE w.locktype = 'transactionid' AND w.pid = l.pid)
         OR NOT EXISTS (SELECT FROM locks m WHERE ${isReaderMark('m', 'l.pid', 'a.application_name')}))
  GROUP BY 1 HAVING NOT coalesce(bool_or(p.database <> current_database()), false)`;
