/** Pipelines that no worker can serve, and the runs that wait for one. Parameters are in the order of the comments. */
import { CONTROL_SCHEMA as S } from './schema.ts';
import { isWorking } from './workers.ts';

/** seconds until a silent worker is lost. */
export const MARK_UNSERVED = /* sql */ `
  WITH served AS (SELECT unnest(w.serves) AS name FROM ${S}.workers w WHERE ${isWorking('$1')}),
  now_served AS (
    SELECT name, removed_at IS NOT NULL OR name IN (SELECT name FROM served) AS is_served FROM ${S}.pipelines)
  UPDATE ${S}.pipelines p SET unserved_since = CASE WHEN n.is_served THEN NULL ELSE now() END FROM now_served n
  WHERE n.name = p.name AND n.is_served <> (p.unserved_since IS NULL)`;

/** Fields of a pipeline `p` as in \`troubledPipeline\`. */
const TROUBLE = (seconds: string): string => /* sql */ `
  p.name AS pipeline, p.problem, p.unserved_since AS since, NULL::text AS "scheduleProblem",
  EXISTS (SELECT FROM ${S}.workers w WHERE ${isWorking(seconds)} AND p.name = ANY (w.serves)) AS "isServed",
  (SELECT count(*)::int FROM ${S}.workers w WHERE ${isWorking(seconds)}) AS workers,
  (SELECT coalesce(json_agg(json_build_object('host', host, 'process', process, 'lacks', lacks ->> p.name)
    ORDER BY host, process), '[]') FROM ${S}.workers w WHERE ${isWorking(seconds)} AND lacks ? p.name) AS lacks`;

/** pipeline, seconds until a silent worker is lost. */
export const READ_TROUBLE = /* sql */ `
  SELECT ${TROUBLE('$2')} FROM ${S}.pipelines p WHERE p.name = $1 AND p.removed_at IS NULL`;

/** A run of a preview belongs to no pipeline. */
const HAS_WAITED = `r.finished_at IS NULL AND r.definition IS NULL AND r.requested_at < now() - make_interval(secs => $2)`;

/**
 * seconds until a silent worker is lost, seconds that a run waits: pipelines with runs that have waited longer, while a worker
 * was there. After an outage of all workers, the one that serves the pipeline may start later than others.
 */
export const UNSERVED_WITH_RUNS = /* sql */ `
  SELECT ${TROUBLE('$1')} FROM ${S}.pipelines p
  WHERE p.removed_at IS NULL AND p.unserved_since < now() - make_interval(secs => $2)
    AND EXISTS (SELECT FROM ${S}.workers w WHERE ${isWorking('$1')} AND w.started_at < now() - make_interval(secs => $2))
    AND EXISTS (SELECT FROM ${S}.runs r WHERE r.pipeline = p.name AND ${HAS_WAITED}
      AND (r.state = 'queued' OR EXISTS (SELECT FROM ${S}.run_tables t WHERE t.run_id = r.id AND t.state = 'queued')))`;

/** pipeline, seconds that a run waits: tables whose look is done. */
export const FAIL_WAITING_TABLES = /* sql */ `
  UPDATE ${S}.run_tables t SET state = 'failed' FROM ${S}.runs r
  WHERE r.id = t.run_id AND r.pipeline = $1 AND t.state = 'queued' AND ${HAS_WAITED} RETURNING t.run_id`;

/** pipeline, seconds that a run waits, error. */
export const FAIL_WAITING_RUNS = /* sql */ `
  UPDATE ${S}.runs r SET state = 'failed', error = $3, finished_at = now()
  WHERE r.pipeline = $1 AND r.state = 'queued' AND ${HAS_WAITED}`;

/** runs, error: of runs whose tables have failed because they waited. */
export const SAVE_RUN_ERROR = /* sql */ `UPDATE ${S}.runs SET error = $2 WHERE id = ANY ($1::uuid[])`;
