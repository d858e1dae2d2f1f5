/** The state of each table in one word, as the page and the API show it. */
import { CONTROL_SCHEMA as S, QUEUE_SCHEMA as Q } from '../schema.ts';

/** The first parameter names the pipelines that the reader may see. Null means all. */
export const mayBeSeen = (column: string): string => `($1::text[] IS NULL OR ${column} = ANY ($1))`;

/** Errors after which the source and the destination differ in shape. */
const SCHEMA_CHANGES = ['SCHEMA_CHANGE_REFUSED', 'SCHEMA_CHANGED', 'DEPENDENT_OBJECTS'];

/**
 * Common table expressions. `states` has a row for each table. Trouble wins over activity: a table that fails stays failing
 * while it is synced again. A table is ok only after a success. OFFSET 0 keeps the planner from computing an expression at
 * each of its uses, which doubled the time with 50,000 tables.
 */
export const STATES = /* sql */ `
  paused AS MATERIALIZED (
    SELECT pipeline, table_name, min(made_at) AS since FROM ${S}.pauses
    WHERE ends_at IS NULL OR ends_at > now() GROUP BY 1, 2),
  queued AS MATERIALIZED (
    SELECT p.name AS pipeline, j.data ->> 'table' AS table_name, min(j.created_on) AS since
    FROM ${S}.pipelines p JOIN ${Q}.job j ON j.name = p.queue
    WHERE j.state < 'active' AND j.data ? 'table' GROUP BY 1, 2),
  running AS MATERIALIZED (
    SELECT pipeline, table_name, min(started_at) AS since FROM ${S}.attempts
    WHERE state = 'running' AND table_name IS NOT NULL GROUP BY 1, 2),
  listed AS (
    SELECT t.*, date_part('epoch', now() - t.last_success_at) AS lag
    FROM ${S}.tables t JOIN ${S}.pipelines p ON p.name = t.pipeline AND p.removed_at IS NULL
    OFFSET 0),
  words AS (
    SELECT t.pipeline, t.table_name, t.state_since, t.last_success_at, t.listed_at, t.behind_after, t.stale_after,
      t.error_code, t.crashes, t.lag, coalesce(t.stale_after, t.behind_after) AS lag_limit,
      r.since AS running_since, q.since AS queued_since,
      coalesce(pt.since, pp.since, pa.since) AS paused_since,
      t.rows_waiting, t.is_waiting_more, t.waiting_at,
      CASE
        WHEN NOT t.is_enabled THEN 'disabled'
        WHEN t.state = 'crashed' THEN 'crashed'
        WHEN coalesce(pt.since, pp.since, pa.since) IS NOT NULL THEN 'paused'
        WHEN t.state = 'failing' AND t.error_code IN (${SCHEMA_CHANGES.map((code) => `'${code}'`).join(', ')})
          THEN 'schema_change'
        WHEN t.state = 'failing' THEN 'failing'
        WHEN t.lag > t.stale_after THEN 'stale'
        WHEN t.lag > t.behind_after THEN 'behind'
        WHEN r.since IS NOT NULL THEN 'running'
        WHEN q.since IS NOT NULL THEN 'queued'
        WHEN t.last_success_at IS NULL THEN 'never_synced'
        ELSE 'ok'
      END AS state
    FROM listed t
    LEFT JOIN paused pt ON pt.pipeline = t.pipeline AND pt.table_name = t.table_name
    LEFT JOIN paused pp ON pp.pipeline = t.pipeline AND pp.table_name IS NULL
    LEFT JOIN paused pa ON pa.pipeline IS NULL
    LEFT JOIN queued q ON q.pipeline = t.pipeline AND q.table_name = t.table_name
    LEFT JOIN running r ON r.pipeline = t.pipeline AND r.table_name = t.table_name
    OFFSET 0),
  states AS MATERIALIZED (
    SELECT w.*,
      CASE state
        WHEN 'crashed' THEN 1 WHEN 'schema_change' THEN 2 WHEN 'failing' THEN 2 WHEN 'stale' THEN 3 WHEN 'behind' THEN 4
        WHEN 'never_synced' THEN CASE WHEN listed_at < now() - make_interval(secs => coalesce(lag_limit, 3600)) THEN 5 END
      END AS trouble,
      CASE state
        WHEN 'disabled' THEN NULL
        WHEN 'paused' THEN paused_since
        WHEN 'running' THEN running_since
        WHEN 'queued' THEN queued_since
        WHEN 'never_synced' THEN listed_at
        WHEN 'stale' THEN last_success_at + make_interval(secs => stale_after)
        WHEN 'behind' THEN last_success_at + make_interval(secs => behind_after)
        ELSE state_since
      END AS since
    FROM words w)`;

/** The fields of a table in lists, of \`states s\`. */
export const STATE_FIELDS = /* sql */ `
  s.pipeline, s.table_name AS "table", s.state, s.since, s.trouble IS NOT NULL AS "needsAttention", s.lag,
  s.lag_limit AS "lagLimit", s.last_success_at AS "lastSuccessAt", s.running_since AS "runningSince",
  s.queued_since AS "queuedSince", s.error_code AS "errorCode",
  json_build_object('rows', s.rows_waiting, 'isMore', s.is_waiting_more, 'at', s.waiting_at) AS "rowsWaiting"`;
