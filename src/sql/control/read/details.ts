/** One pipeline, one table, one run. Parameters are in the order of the comments. */
import { CONTROL_SCHEMA as S } from '../schema.ts';
import { isWorking } from '../workers.ts';
import { mayBeSeen, STATE_FIELDS, STATES } from './states.ts';

/** pipeline. */
export const READ_PIPELINE = /* sql */ `
  SELECT name AS pipeline, jobs, problem, described, definition, definition_version AS version, added_at AS "addedAt", removed_at AS "removedAt", now() AS now
  FROM ${S}.pipelines WHERE name = $1`;

/** pipeline, seconds. */
export const READ_SERVING = /* sql */ `
  SELECT host, process, name = ANY (serves) AS serves, lacks ->> name AS lacks
  FROM ${S}.workers w, (SELECT $1::text AS name) n
  WHERE ${isWorking('$2')} ORDER BY host, process`;

/** pipeline. */
export const READ_SCHEDULES_OF = /* sql */ `
  SELECT entry, seconds, expression, time_zone AS "timeZone", due_at AS "dueAt", problem
  FROM ${S}.schedules WHERE pipeline = $1 ORDER BY entry`;

export const TABLE_ORDERS = ['trouble', 'name', 'lag', 'duration', 'rows'] as const;
export type TableOrder = (typeof TABLE_ORDERS)[number];

const ORDER_BY: Readonly<Record<TableOrder, string>> = {
  trouble: `s.trouble NULLS LAST, array_position(ARRAY['running', 'queued', 'paused', 'never_synced', 'ok', 'disabled'], s.state), s.table_name`,
  name: 's.table_name',
  lag: 's.lag DESC NULLS FIRST, s.table_name',
  duration: 'd.p95 DESC NULLS LAST, s.table_name',
  rows: 'd.rows DESC NULLS LAST, s.table_name',
};

/**
 * pipeline, search, state (empty for all), number, offset. Durations are of the syncs with work of the last 24 hours.
 */
export const readTables = (order: TableOrder): string => /* sql */ `
  WITH ${STATES},
  durations AS MATERIALIZED (
    SELECT table_name, count(*)::int AS syncs,
      percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at))::float8 AS p50,
      percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at))::float8 AS p95,
      sum(o.rows)::float8 AS rows
    FROM ${S}.attempts a
    LEFT JOIN LATERAL (
      SELECT sum((x ->> 'rows_inserted')::bigint + (x ->> 'rows_updated')::bigint + (x ->> 'rows_deleted')::bigint) AS rows
      FROM jsonb_array_elements(a.outcome -> 'tables') x WHERE x ->> 'name' = a.table_name) o ON true
    WHERE a.pipeline = $1 AND a.table_name IS NOT NULL AND a.state = 'done' AND a.started_at > now() - interval '24 hours'
    GROUP BY 1)
  SELECT ${STATE_FIELDS}, t.outcome, t.entry, t.settings, d.syncs, d.p50, d.p95, d.rows, count(*) OVER ()::int AS found,
    (SELECT min(c.due_at) FROM ${S}.schedules c WHERE c.pipeline = $1 AND c.entry = t.entry AND c.problem IS NULL) AS "nextDue"
  FROM states s JOIN ${S}.tables t USING (pipeline, table_name) LEFT JOIN durations d USING (table_name)
  WHERE s.pipeline = $1 AND ($2 = '' OR strpos(lower(s.table_name), lower($2)) > 0) AND ($3 = '' OR s.state = $3)
  ORDER BY ${ORDER_BY[order]} LIMIT $4 OFFSET $5`;

/** pipeline: the number of its tables in each state. */
export const READ_STATE_COUNTS = /* sql */ `
  WITH ${STATES}
  SELECT state, count(*)::int AS count FROM states WHERE pipeline = $1 GROUP BY 1`;

/** pipeline, table. */
export const READ_TABLE_STATE = /* sql */ `
  WITH ${STATES}
  SELECT ${STATE_FIELDS}, s.behind_after AS "behindAfter", s.stale_after AS "staleAfter", t.settings, t.outcome, t.entry,
    t.crashes, t.last_attempt_at AS "lastAttemptAt", now() AS now
  FROM states s JOIN ${S}.tables t USING (pipeline, table_name) WHERE s.pipeline = $1 AND s.table_name = $2`;

/** pipeline, table: of the last 24 hours. */
export const READ_LAGS = /* sql */ `
  SELECT period AS at, seconds, ended_at AS "endedAt" FROM ${S}.lags
  WHERE pipeline = $1 AND table_name = $2 AND period > now() - interval '24 hours' ORDER BY period`;

const RUN_FIELDS = /* sql */ `
  r.id, r.pipeline, r.entry, r.tables, r.origin, r.requested_by AS by, r.requested_at AS "requestedAt", r.due_at AS "dueAt",
  r.kind, r.options, r.missed, r.state, r.started_at AS "startedAt", r.finished_at AS "finishedAt", r.quiet, r.error`;

/**
 * visible pipelines, pipeline (null for all), time before which (null for now), number, whether without quiet runs, run before
 * which (null for now).
 */
export const READ_RUNS = /* sql */ `
  SELECT ${RUN_FIELDS}, c.ok, c.failed, c.waiting, c.running
  FROM ${S}.runs r CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE t.state = 'ok')::int AS ok, count(*) FILTER (WHERE t.state = 'failed')::int AS failed,
      count(*) FILTER (WHERE t.state = 'queued')::int AS waiting, count(*) FILTER (WHERE t.state = 'running')::int AS running
    FROM ${S}.run_tables t WHERE t.run_id = r.id) c
  WHERE ${mayBeSeen('r.pipeline')} AND ($2::text IS NULL OR r.pipeline = $2)
    AND ($3::timestamptz IS NULL OR r.requested_at < $3)
    AND ($6::uuid IS NULL OR (r.requested_at, r.id) < (SELECT b.requested_at, b.id FROM ${S}.runs b WHERE b.id = $6))
    AND (NOT $5 OR r.state <> 'ok' OR c.ok > 0)
  ORDER BY r.requested_at DESC, r.id DESC LIMIT $4`;

/** run. */
export const READ_RUN = /* sql */ `
  SELECT ${RUN_FIELDS}, r.result, now() AS now FROM ${S}.runs r WHERE r.id = $1`;

/** run. */
export const READ_RUN_TABLES = /* sql */ `
  SELECT table_name AS "table", state, attempt_id::text AS attempt FROM ${S}.run_tables WHERE run_id = $1
  ORDER BY array_position(ARRAY['failed', 'running', 'queued', 'deferred', 'cancelled', 'ok'], state), table_name`;

/** visible pipelines, pipeline (null for all), id before which (null for now), number. */
export const READ_AUDIT = /* sql */ `
  SELECT id::text, at, actor, action, pipeline, table_name AS "table", status, detail FROM ${S}.audit
  WHERE ${mayBeSeen('pipeline')} AND ($2::text IS NULL OR pipeline = $2) AND ($3::bigint IS NULL OR id < $3)
  ORDER BY id DESC LIMIT $4`;

/** visible pipelines, pipeline (null for all), level (null for all), id before which (null for now), number. */
export const READ_EVENTS = /* sql */ `
  SELECT id::text, at, level, code, pipeline, table_name AS "table", attempt_id::text AS attempt, worker_id AS worker, detail
  FROM ${S}.events
  WHERE ${mayBeSeen('pipeline')} AND ($2::text IS NULL OR pipeline = $2)
    AND ($3::text IS NULL OR level = $3) AND ($4::bigint IS NULL OR id < $4)
  ORDER BY at DESC, id DESC LIMIT $5`;
