/** What workers do, and what waits for them. Parameters are in the order of the comments. */
import { CONTROL_SCHEMA as S, QUEUE_SCHEMA as Q } from '../schema.ts';
import { mayBeSeen } from './states.ts';

const ATTEMPT_FIELDS = /* sql */ `
  a.id::text, a.pipeline, a.table_name AS "table", a.state, a.started_at AS "startedAt", a.finished_at AS "finishedAt",
  a.job_attempt AS "jobAttempt", a.phase, a.phase_at AS "phaseAt", a.progress, a.outcome,
  a.worker_id AS worker, w.host, w.process`;
const ATTEMPTS = `${S}.attempts a LEFT JOIN ${S}.workers w ON w.id = a.worker_id`;

/** visible pipelines, pipeline (null for all), number. */
export const READ_RUNNING = /* sql */ `
  SELECT ${ATTEMPT_FIELDS} FROM ${ATTEMPTS}
  WHERE a.state = 'running' AND a.table_name IS NOT NULL AND ${mayBeSeen('a.pipeline')}
    AND ($2::text IS NULL OR a.pipeline = $2)
  ORDER BY a.started_at DESC, a.id DESC LIMIT $3`;

/** pipeline, table, number, id before which. */
export const READ_ATTEMPTS = /* sql */ `
  SELECT ${ATTEMPT_FIELDS} FROM ${ATTEMPTS}
  WHERE a.pipeline = $1 AND a.table_name = $2 AND ($4::bigint IS NULL OR a.id < $4)
  ORDER BY a.started_at DESC, a.id DESC LIMIT $3`;

/** run: the attempts that worked for it. */
export const READ_RUN_ATTEMPTS = /* sql */ `
  SELECT ${ATTEMPT_FIELDS} FROM ${ATTEMPTS}
  WHERE a.id IN (
    SELECT t.attempt_id FROM ${S}.run_tables t WHERE t.run_id = $1 AND t.attempt_id IS NOT NULL
    UNION SELECT r.looked_by FROM ${S}.runs r WHERE r.id = $1)`;

/** Seconds without a sign of life after which a worker is lost. The latest sign of life first. */
export const READ_WORKERS = /* sql */ `
  SELECT w.id, w.host, w.process, w.version, w.capacity, w.started_at AS "startedAt", w.seen_at AS "seenAt",
    CASE WHEN w.state = 'working' AND w.seen_at < now() - make_interval(secs => $1) THEN 'lost' ELSE w.state END AS state,
    w.serves, w.lacks, (SELECT count(*)::int FROM ${S}.attempts a WHERE a.worker_id = w.id AND a.state = 'running') AS running
  FROM ${S}.workers w
  WHERE w.seen_at > now() - interval '1 day'
  ORDER BY w.state = 'working' DESC, w.seen_at DESC LIMIT 100`;

/** visible pipelines. */
export const READ_QUEUE = /* sql */ `
  SELECT count(*) FILTER (WHERE j.state < 'active')::int AS waiting, count(*) FILTER (WHERE j.state = 'active')::int AS active,
    extract(epoch FROM now() - min(j.created_on) FILTER (WHERE j.state < 'active'))::float8 AS "oldestSeconds"
  FROM ${S}.pipelines p JOIN ${Q}.job j ON j.name = p.queue
  WHERE p.removed_at IS NULL AND ${mayBeSeen('p.name')} AND j.state <= 'active'`;

/** The pauses in effect, newest first. pipeline (null for all of them). */
export const READ_PAUSES = /* sql */ `
  SELECT id::text, pipeline, table_name AS "table", reason, detail, made_by AS by, made_at AS "madeAt", ends_at AS "endsAt"
  FROM ${S}.pauses WHERE (ends_at IS NULL OR ends_at > now()) AND ($1::text IS NULL OR pipeline IS NULL OR pipeline = $1)
  ORDER BY id DESC LIMIT 500`;
