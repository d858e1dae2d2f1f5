/** How a worker takes a job, and what becomes of it. Parameters are in the order of the comments. */
import { CONTROL_SCHEMA as S, QUEUE_SCHEMA as Q } from './schema.ts';

/** The queue of previews, which belong to no pipeline. */
export const PREVIEWS = 'previews';

/**
 * All claims of all workers take turns, so each one sees what the others have taken. Otherwise two workers would both find
 * room for one more table of a source.
 */
export const LOCK_CLAIMS = /* sql */ `SELECT pg_advisory_xact_lock(hashtextextended('increp claims', 0))`;

/**
 * A transaction that sends jobs ends before the next claim, or begins after it. Otherwise a claim could take the waiting job
 * without the request that relies on it.
 */
export const LOCK_SENDS = /* sql */ `SELECT pg_advisory_xact_lock_shared(hashtextextended('increp claims', 0))`;

/** True for a pipeline `p` that is paused, or if everything is. */
const isPaused = (pipeline: string): string => /* sql */ `EXISTS (
  SELECT FROM ${S}.pauses z WHERE z.table_name IS NULL AND (z.pipeline IS NULL OR z.pipeline = ${pipeline})
    AND (z.ends_at IS NULL OR z.ends_at > now()))`;

/**
 * The next job for a worker that serves these pipelines ($1) and has these connections ($3), which previews need. A job that reads tables has the source as its group. It
 * waits while as many jobs of the source are active as the pipeline has jobs, and while its table is paused. A job
 * whose last attempt has not been settled waits, too, unless $2: the runs of that attempt wait for the next one.
 */
export const NEXT_JOB = /* sql */ `
  SELECT pipeline, queue, id, priority, version FROM ((
  SELECT p.name AS pipeline, p.queue, j.id, j.priority, j.created_on,
    CASE WHEN p.definition IS NOT NULL THEN p.definition_version END AS version
  FROM ${Q}.job j JOIN ${S}.pipelines p ON p.queue = j.name
  WHERE p.name = ANY ($1::text[]) AND j.state < 'active' AND NOT j.blocked AND j.start_after <= now()
    AND NOT ${isPaused('p.name')}
    AND NOT EXISTS (SELECT FROM ${S}.pauses z WHERE z.pipeline = p.name AND j.singleton_key = z.pipeline || '/' || z.table_name
      AND (z.ends_at IS NULL OR z.ends_at > now()))
    AND NOT EXISTS (SELECT FROM ${Q}.job a WHERE a.name = j.name AND a.state = 'active' AND a.singleton_key = j.singleton_key)
    AND ($2 OR NOT EXISTS (SELECT FROM ${S}.attempts a WHERE a.state = 'running' AND a.pipeline = p.name
      AND a.table_name IS NOT DISTINCT FROM j.data ->> 'table' AND a.run_id::text IS NOT DISTINCT FROM j.data ->> 'run'))
    AND (j.group_id IS NULL
      OR (SELECT count(*) FROM ${Q}.job a WHERE a.state = 'active' AND a.group_id = j.group_id) < p.jobs)
  ORDER BY j.priority DESC, j.created_on LIMIT 1
  ) UNION ALL (
  SELECT j.data ->> 'pipeline', j.name, j.id, j.priority, j.created_on, NULL
  FROM ${Q}.job j
  WHERE j.name = '${PREVIEWS}' AND j.state < 'active' AND NOT j.blocked AND j.start_after <= now()
    AND NOT ${isPaused('NULL')} AND j.data -> 'connections' <@ to_jsonb($3::text[])
    AND ($2 OR NOT EXISTS (SELECT FROM ${S}.attempts a WHERE a.state = 'running' AND a.run_id::text = j.data ->> 'run'))
  ORDER BY j.priority DESC, j.created_on LIMIT 1)) next
  ORDER BY priority DESC, created_on LIMIT 1`;

/** queue, job, priority. */
export const SET_PRIORITY = /* sql */ `UPDATE ${Q}.job SET priority = $3 WHERE name = $1 AND id = $2`;

/** pipeline, table, queue, job, attempt of the job, worker, program, run. */
export const BEGIN_ATTEMPT = /* sql */ `
  INSERT INTO ${S}.attempts (pipeline, table_name, queue, job_id, job_attempt, worker_id, program, run_id)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id::text`;

/** pipeline, table: their runs have no time left. */
export const DEFER_RUN_TABLES = /* sql */ `
  UPDATE ${S}.run_tables t SET state = 'deferred' FROM ${S}.runs r
  WHERE r.id = t.run_id AND t.pipeline = $1 AND t.table_name = $2 AND t.state = 'queued' AND r.deadline_at <= now()
  RETURNING t.run_id`;

/**
 * pipeline, table, attempt: every run that waits for this table gets its result. The sync does what any of them asks for, and
 * has as much time as the longest.
 */
export const TAKE_RUN_TABLES = /* sql */ `
  WITH taken AS (
    UPDATE ${S}.run_tables SET state = 'running', attempt_id = $3
    WHERE pipeline = $1 AND table_name = $2 AND state = 'queued' RETURNING run_id)
  SELECT coalesce(bool_or((r.options ->> 'full_refresh')::boolean), false) AS "isFullRefresh",
    coalesce(bool_or((r.options ->> 'deletes')::boolean), false) AS "areDeletesForced",
    coalesce(bool_or((r.options ->> 'verify')::boolean), false) AS "isVerified",
    CASE WHEN bool_and(r.deadline_at IS NOT NULL) THEN extract(epoch FROM max(r.deadline_at) - now())::float8 END AS "seconds"
  FROM taken JOIN ${S}.runs r ON r.id = taken.run_id HAVING count(*) > 0`;

/** pipeline, attempt: this look answers all runs that wait for one. */
export const TAKE_RUNS = /* sql */ `
  UPDATE ${S}.runs SET state = 'looking', looked_by = $2, started_at = coalesce(started_at, now()),
    deadline_at = coalesce(deadline_at, now() + make_interval(secs => (options ->> 'max_duration_s')::float8))
  WHERE pipeline = $1 AND kind = 'sync' AND state = 'queued'
  RETURNING id, entry, tables, coalesce((options ->> 'full_refresh')::boolean OR (options ->> 'deletes')::boolean
    OR (options ->> 'verify')::boolean, false) AS "isForced"`;

/** run, attempt: no row if the run was cancelled. */
export const TAKE_COMMAND = /* sql */ `
  UPDATE ${S}.runs SET state = 'running', looked_by = $2, started_at = coalesce(started_at, now())
  WHERE id = $1 AND state = 'queued' RETURNING id, kind AS "command", tables, definition`;

/** attempt: no row if it was not. */
export const IS_CANCELLED = /* sql */ `SELECT FROM ${S}.attempts WHERE id = $1 AND cancelled_at IS NOT NULL`;

/** pipeline, table, attempt: the programs of earlier attempts that were lost. */
export const LOST_PROGRAMS = /* sql */ `
  SELECT DISTINCT program FROM ${S}.attempts
  WHERE pipeline = $1 AND table_name = $2 AND id <> $3 AND state IN ('crashed', 'superseded')
    AND started_at > now() - interval '2 days'`;

/** attempt, state, outcome, progress. No row if the attempt has ended already. */
export const END_ATTEMPT = /* sql */ `
  UPDATE ${S}.attempts SET state = $2, finished_at = now(), outcome = $3, progress = coalesce($4, progress)
  WHERE id = $1 AND state = 'running' RETURNING id`;

/** attempt, phase, progress. */
export const REPORT_PROGRESS = /* sql */ `
  UPDATE ${S}.attempts SET phase_at = CASE WHEN phase IS DISTINCT FROM $2 THEN now() ELSE phase_at END, phase = $2, progress = $3
  WHERE id = $1 AND state = 'running'`;

/** attempt: the runs wait for another attempt. */
export const REQUEUE_RUN_TABLES = /* sql */ `
  UPDATE ${S}.run_tables SET state = 'queued', attempt_id = NULL WHERE attempt_id = $1 AND state = 'running'`;
export const REQUEUE_RUNS = /* sql */ `
  UPDATE ${S}.runs SET state = 'queued', looked_by = NULL
  WHERE looked_by = $1 AND (state = 'looking' OR (kind <> 'sync' AND state = 'running'))`;

/** attempt, state. */
export const END_RUN_TABLES = /* sql */ `
  UPDATE ${S}.run_tables SET state = $2 WHERE attempt_id = $1 AND state = 'running' RETURNING run_id`;

/** Attempts whose jobs are no longer theirs: the queue has lost the sign of life of their workers. */
export const TAKE_LOST_ATTEMPTS = /* sql */ `
  UPDATE ${S}.attempts a SET state = 'crashed', finished_at = now()
  WHERE a.state = 'running' AND NOT EXISTS (
    SELECT FROM ${Q}.job j
    WHERE j.name = a.queue AND j.id = a.job_id AND j.state = 'active' AND j.retry_count = a.job_attempt)
  RETURNING a.id::text, a.pipeline, a.queue, a.table_name AS "table", a.worker_id AS worker, a.phase, a.run_id AS run`;

/** pipeline, table. A table that somebody continues after its last crash starts from one again. */
export const COUNT_CRASH = /* sql */ `
  INSERT INTO ${S}.tables AS t (pipeline, table_name, state, crashes, last_attempt_at) VALUES ($1, $2, 'failing', 1, now())
  ON CONFLICT (pipeline, table_name) DO UPDATE SET last_attempt_at = now(),
    crashes = CASE t.state WHEN 'crashed' THEN 1 ELSE t.crashes + 1 END,
    state = CASE t.state WHEN 'crashed' THEN 'failing' ELSE t.state END
  RETURNING crashes`;

/** pipeline, table. */
export const MARK_CRASHED = /* sql */ `
  UPDATE ${S}.tables SET state = 'crashed', state_since = now() WHERE pipeline = $1 AND table_name = $2`;

/** pipeline, table, reason, detail, by, end. No row if the end has passed. */
export const PAUSE = /* sql */ `
  INSERT INTO ${S}.pauses (pipeline, table_name, reason, detail, made_by, ends_at)
  SELECT $1, $2, $3, $4::jsonb, $5, $6::timestamptz WHERE $6::timestamptz IS NULL OR $6::timestamptz > now()
  RETURNING id::text, made_at AS "madeAt"`;

/** pipeline: its paused tables. */
export const PAUSED_TABLES = /* sql */ `
  SELECT z.table_name AS "table", coalesce(bool_or(t.state = 'crashed'), false) AS "hasCrashed"
  FROM ${S}.pauses z LEFT JOIN ${S}.tables t USING (pipeline, table_name)
  WHERE z.pipeline = $1 AND z.table_name IS NOT NULL AND (z.ends_at IS NULL OR z.ends_at > now()) GROUP BY 1`;

/** level, code, pipeline, table, attempt, worker, detail. */
export const RECORD_EVENT = /* sql */ `
  INSERT INTO ${S}.events (level, code, pipeline, table_name, attempt_id, worker_id, detail)
  VALUES ($1, $2, $3, $4, $5, $6, $7)`;
