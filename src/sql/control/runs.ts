/** Runs, schedules, pipelines and workers of the service. Parameters are in the order of the comments. */
import { SMALL_STEP } from './clock.ts';
import { CONTROL_SCHEMA as S, QUEUE_SCHEMA as Q } from './schema.ts';
import { isWorking } from './workers.ts';

/** pipeline, entry, tables, origin, by, due time, missed, kind, options, definition. */
export const ADD_RUN = /* sql */ `
  INSERT INTO ${S}.runs (pipeline, entry, tables, origin, requested_by, due_at, missed, kind, options, definition)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id`;

/**
 * pipeline, entry, due time, missed: the last run that still waits stands for this due time, too. A run whose look was lost
 * may wait before it.
 */
export const JOIN_WAITING_RUN = /* sql */ `
  UPDATE ${S}.runs SET due_at = $3, missed = missed + 1 + $4
  WHERE id = (SELECT id FROM ${S}.runs WHERE pipeline = $1 AND entry = $2 AND origin = 'schedule' AND state = 'queued'
    ORDER BY due_at DESC LIMIT 1 FOR UPDATE) AND state = 'queued' RETURNING id`;

/** run, pipeline, tables. Nothing for a run that was cancelled. */
export const ADD_RUN_TABLES = /* sql */ `
  INSERT INTO ${S}.run_tables (run_id, pipeline, table_name)
  SELECT r.id, $2, unnest($3::text[]) FROM (SELECT id FROM ${S}.runs WHERE id = $1 AND state = 'looking' FOR UPDATE) r`;

/** run, quiet tables, error. Without tables that have work, the run ends here. */
export const END_LOOK = /* sql */ `
  UPDATE ${S}.runs r SET quiet = $2, error = $3,
    state = CASE WHEN $3::jsonb IS NOT NULL THEN 'failed' WHEN w.found THEN 'running' ELSE 'ok' END,
    finished_at = CASE WHEN $3::jsonb IS NULL AND w.found THEN NULL ELSE now() END
  FROM (SELECT EXISTS (SELECT FROM ${S}.run_tables WHERE run_id = $1) AS found) w
  WHERE r.id = $1 AND r.state = 'looking'`;

/**
 * runs: two tables of a run may end at the same time. Neither transaction would see the end of the other table, and the run
 * would never end.
 */
export const LOCK_RUNS = /* sql */ `SELECT FROM ${S}.runs WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE`;

/** runs: ends those whose last table has ended. */
export const END_RUNS = /* sql */ `
  UPDATE ${S}.runs r SET finished_at = now(),
    state = CASE WHEN w.failed + w.left_out = 0 THEN 'ok' WHEN w.failed = w.total AND r.quiet = 0 THEN 'failed' ELSE 'partial' END
  FROM (SELECT run_id, count(*) AS total, count(*) FILTER (WHERE state = 'failed') AS failed,
               count(*) FILTER (WHERE state IN ('deferred', 'cancelled')) AS left_out,
               count(*) FILTER (WHERE state IN ('queued', 'running')) AS waiting
        FROM ${S}.run_tables WHERE run_id = ANY ($1::uuid[]) GROUP BY run_id) w
  WHERE r.id = w.run_id AND w.waiting = 0 AND r.state = 'running'`;

/** pipeline, table: fails the waiting requests for a table at which workers crash. */
export const END_WAITING_TABLE = /* sql */ `
  UPDATE ${S}.run_tables SET state = 'failed'
  WHERE pipeline = $1 AND table_name = $2 AND state IN ('queued', 'running') RETURNING run_id`;

/** pipeline, table: cancels the waiting requests for a table that a person paused. */
export const CANCEL_WAITING_TABLE = /* sql */ `
  UPDATE ${S}.run_tables SET state = 'cancelled'
  WHERE pipeline = $1 AND table_name = $2 AND state = 'queued' RETURNING run_id`;

/** run, state, result, error. */
export const END_COMMAND = /* sql */ `
  UPDATE ${S}.runs SET state = $2, result = $3, error = $4, finished_at = now() WHERE id = $1 AND state = 'running'`;

/** run, error. */
export const FAIL_COMMAND = /* sql */ `
  UPDATE ${S}.runs SET state = 'failed', error = $2, finished_at = now() WHERE id = $1 AND finished_at IS NULL`;

/** run: the attempts of a command that were lost. */
export const COUNT_LOST_COMMANDS = /* sql */ `
  SELECT count(*)::int AS crashes FROM ${S}.attempts WHERE run_id = $1 AND state = 'crashed'`;

/** run. */
export const FIND_RUN = /* sql */ `
  SELECT pipeline, finished_at IS NOT NULL AS "hasEnded" FROM ${S}.runs WHERE id = $1 FOR UPDATE`;
export const CANCEL_RUN = /* sql */ `UPDATE ${S}.runs SET state = 'cancelled', finished_at = now() WHERE id = $1`;

/** run: stops the attempts that no other run waits for. */
export const CANCEL_RUN_TABLES = /* sql */ `
  WITH own AS (
    UPDATE ${S}.run_tables SET state = 'cancelled' WHERE run_id = $1 AND state IN ('queued', 'running') RETURNING attempt_id)
  UPDATE ${S}.attempts a SET cancelled_at = now()
  WHERE a.state = 'running' AND (a.run_id = $1 OR a.id IN (SELECT attempt_id FROM own))
    AND NOT EXISTS (SELECT FROM ${S}.run_tables t WHERE t.attempt_id = a.id AND t.run_id <> $1 AND t.state = 'running')`;

/** pipeline. */
export const FIND_PIPELINE = /* sql */ `
  SELECT queue, source, problem IS NOT NULL AS "hasProblem",
    (problem IS NULL AND described -> 'hasPatterns' = 'false' AND coalesce((described ->> 'version')::int, 0) = definition_version)
      IS TRUE AS "knowsTables", EXISTS (
    SELECT FROM ${S}.pauses z WHERE z.table_name IS NULL AND (z.pipeline IS NULL OR z.pipeline = p.name)
      AND (z.ends_at IS NULL OR z.ends_at > now())) AS "isPaused"
  FROM ${S}.pipelines p WHERE name = $1 AND removed_at IS NULL`;

/** pipeline, source. */
export const SAVE_SOURCE = /* sql */ `
  UPDATE ${S}.pipelines SET source = $2 WHERE name = $1 AND source IS DISTINCT FROM $2`;

/** name, queue, jobs, problem: of a directory. No row if a pipeline of the API has the name. */
export const SAVE_PIPELINE = /* sql */ `
  INSERT INTO ${S}.pipelines AS p (name, queue, jobs, problem) VALUES ($1, $2, $3, $4)
  ON CONFLICT (name) DO UPDATE SET jobs = excluded.jobs, problem = excluded.problem, removed_at = NULL, definition = NULL
  WHERE p.definition IS NULL OR p.removed_at IS NOT NULL RETURNING name`;

/** pipeline: with the time of the database. */
export const READ_SCHEDULES = /* sql */ `
  SELECT entry, kind, seconds, expression, time_zone AS "timeZone", due_at AS "dueAt", now() AS now
  FROM ${S}.schedules WHERE pipeline = $1 ORDER BY entry`;

/** pipeline, entry, kind, seconds, expression, time zone, due time, problem. */
export const SAVE_SCHEDULE = /* sql */ `
  INSERT INTO ${S}.schedules AS s (pipeline, entry, kind, seconds, expression, time_zone, due_at, problem)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
  ON CONFLICT (pipeline, entry) DO UPDATE SET kind = excluded.kind, seconds = excluded.seconds,
    expression = excluded.expression, time_zone = excluded.time_zone, due_at = excluded.due_at, problem = excluded.problem`;

/** pipeline, entries that stay. */
export const REMOVE_SCHEDULES = /* sql */ `
  DELETE FROM ${S}.schedules WHERE pipeline = $1 AND entry <> ALL ($2::text[])`;

export const DATABASE_TIME = /* sql */ `SELECT now() AS now`;

/**
 * The schedules that are due, by the clock of the database. Another \`serve\` skips them. An interval that seems to be due much
 * later than one interval from now is due, too: the clock was set back.
 */
export const DUE_SCHEDULES = /* sql */ `
  SELECT s.pipeline, s.entry, s.kind, s.seconds, s.expression, s.time_zone AS "timeZone", s.due_at AS "dueAt", now() AS now,
         EXISTS (SELECT FROM ${S}.pauses z WHERE z.table_name IS NULL AND (z.pipeline IS NULL OR z.pipeline = s.pipeline)
           AND (z.ends_at IS NULL OR z.ends_at > now())) AS "isPaused"
  FROM ${S}.schedules s
  WHERE s.problem IS NULL AND (s.due_at <= now() OR s.due_at > now() + make_interval(secs => s.seconds + least(s.seconds, ${SMALL_STEP})))
  ORDER BY s.due_at LIMIT 100 FOR UPDATE OF s SKIP LOCKED`;

/** pipeline, entry, due time. */
export const MOVE_SCHEDULE = /* sql */ `
  UPDATE ${S}.schedules SET due_at = $3 WHERE pipeline = $1 AND entry = $2`;

/** id, host, process, version, capacity, state, serves, lacks, connections. */
export const SAVE_WORKER = /* sql */ `
  INSERT INTO ${S}.workers AS w (id, host, process, version, capacity, state, serves, lacks, connections)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
  ON CONFLICT (id) DO UPDATE SET seen_at = now(), state = excluded.state, serves = excluded.serves, lacks = excluded.lacks,
    connections = excluded.connections`;

/** Old records. A run without work says only that there was none. */
export const PRUNE = [
  /* sql */ `UPDATE ${S}.runs SET definition = NULL WHERE definition IS NOT NULL AND finished_at IS NOT NULL`,
  /* sql */ `DELETE FROM ${S}.runs WHERE requested_at < now() - interval '30 days'
    OR (requested_at < now() - interval '2 days' AND state = 'ok' AND NOT EXISTS (SELECT FROM ${S}.run_tables t WHERE t.run_id = runs.id))`,
  /* sql */ `DELETE FROM ${S}.attempts WHERE state <> 'running' AND (started_at < now() - interval '30 days'
    OR (table_name IS NULL AND started_at < now() - interval '2 days'))`,
  /* sql */ `DELETE FROM ${S}.events WHERE at < now() - interval '30 days'`,
  /* sql */ `DELETE FROM ${S}.lags WHERE period < now() - interval '25 hours'`,
  /* sql */ `DELETE FROM ${S}.periods WHERE period < now() - interval '7 days'`,
  /* sql */ `DELETE FROM ${S}.audit WHERE at < now() - interval '400 days'`,
  /* sql */ `DELETE FROM ${S}.hook_messages WHERE at < now() - interval '2 days'`,
  /* sql */ `DELETE FROM ${S}.log_lines WHERE at < now() - interval '7 days' OR id < (SELECT max(id) FROM ${S}.log_lines) - 500000`,
  /* sql */ `DELETE FROM ${S}.sessions WHERE expires_at < now()`,
  /* sql */ `DELETE FROM ${S}.audit WHERE at < now() - interval '400 days'`,
  /* sql */ `DELETE FROM ${S}.workers WHERE seen_at < now() - interval '7 days'`,
  /* sql */ `DELETE FROM ${S}.serve_processes WHERE seen_at < now() - interval '7 days'`,
] as const;

/** For the metrics, one row for each pipeline. Seconds until a silent worker is lost. */
export const PIPELINE_METRICS = /* sql */ `
  SELECT p.name AS pipeline, p.problem IS NOT NULL AS "hasProblem",
    EXISTS (SELECT FROM ${S}.workers w WHERE ${isWorking('$1')} AND p.name = ANY (w.serves)) AS "isServed",
    (SELECT count(*)::int FROM ${Q}.job j WHERE j.name = p.queue AND j.state < 'active') AS queued,
    (SELECT count(*)::int FROM ${Q}.job j WHERE j.name = p.queue AND j.state = 'active') AS running,
    (SELECT extract(epoch FROM now() - min(j.created_on))::float8 FROM ${Q}.job j
      WHERE j.name = p.queue AND j.state < 'active') AS "queueAge"
  FROM ${S}.pipelines p WHERE p.removed_at IS NULL ORDER BY p.name`;

export const TABLE_METRICS = /* sql */ `
  SELECT pipeline, table_name AS "table", state, crashes,
    extract(epoch FROM last_success_at)::float8 AS "lastSuccess", extract(epoch FROM now() - last_success_at)::float8 AS lag,
    rows_waiting AS "rowsWaiting"
  FROM ${S}.tables ORDER BY 1, 2`;

export const TOTAL_METRICS = /* sql */ `
  SELECT t.pipeline, t.synced::float8, t.failed::float8, t.rows_inserted::float8 AS inserted, t.rows_updated::float8 AS updated,
    t.rows_deleted::float8 AS deleted, t.conflicts::float8, t.bytes::float8
  FROM ${S}.totals t JOIN ${S}.pipelines p ON p.name = t.pipeline WHERE p.removed_at IS NULL ORDER BY 1`;

export const ERROR_METRICS = /* sql */ `
  SELECT pipeline, coalesce(error_code, 'crashed') AS code, count(*)::int AS tables
  FROM ${S}.tables WHERE state IN ('failing', 'crashed') GROUP BY 1, 2 ORDER BY 1, 2`;

/** Seconds without a sign of life after which a worker does not count. */
export const WORKER_METRICS = /* sql */ `
  SELECT count(*)::int AS workers, coalesce(sum(capacity), 0)::int AS capacity
  FROM ${S}.workers w WHERE ${isWorking('$1')}`;
