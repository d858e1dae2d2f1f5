/** The clock of the control database was set back: times that it has written are in the future. */
import { CONTROL_SCHEMA as S, QUEUE_SCHEMA as Q } from './schema.ts';

/** Seconds. After a smaller step back, due times that have passed do not come again. */
export const SMALL_STEP = 600;

/** Transactions that overlap may write times in another order than they read them. */
const isAhead = (column: string): string => `${column} > now() + interval '1 minute'`;

const stopAhead = (table: string, columns: readonly string[], where = 'true'): string => /* sql */ `
  UPDATE ${table}
  SET ${columns.map((column) => `${column} = CASE WHEN ${isAhead(column)} THEN now() ELSE ${column} END`).join(', ')}
  WHERE ${where} AND (${columns.map(isAhead).join(' OR ')}) RETURNING 1`;

/**
 * Otherwise jobs would wait, and lost workers would seem to live, until the old time comes again. Returns the number of rows
 * that were wrong.
 */
export const FOLLOW_CLOCK = /* sql */ `
  WITH waiting AS (${stopAhead(`${Q}.job`, ['start_after', 'created_on'], `state < 'active'`)}),
    active AS (${stopAhead(`${Q}.job`, ['heartbeat_on', 'started_on'], `state = 'active'`)}),
    queues AS (${stopAhead(`${Q}.queue`, ['monitor_claim_on', 'monitor_on', 'maintain_on'])}),
    workers AS (${stopAhead(`${S}.workers`, ['seen_at'])}),
    serves AS (${stopAhead(`${S}.serve_processes`, ['seen_at'])}),
    tables AS (${stopAhead(`${S}.tables`, ['last_success_at'])})
  SELECT (SELECT count(*) FROM waiting) + (SELECT count(*) FROM active) + (SELECT count(*) FROM queues)
    + (SELECT count(*) FROM workers) + (SELECT count(*) FROM serves) + (SELECT count(*) FROM tables) > 0 AS "wasSetBack"`;

/** Schedules by cron that are not due soon. */
export const LATER_CRON_SCHEDULES = /* sql */ `
  SELECT pipeline, entry, kind, seconds, expression, time_zone AS "timeZone", due_at AS "dueAt", now() AS now
  FROM ${S}.schedules
  WHERE kind = 'cron' AND problem IS NULL AND due_at > now() + make_interval(secs => ${SMALL_STEP})
  FOR UPDATE SKIP LOCKED`;
