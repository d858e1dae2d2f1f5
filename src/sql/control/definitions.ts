/** Pipelines that the API creates, changes and deletes. Parameters are in the order of the comments. */
import { CONTROL_SCHEMA as S, QUEUE_SCHEMA as Q } from './schema.ts';
import { isWorking } from './workers.ts';

export const LIST_DEFINITIONS = /* sql */ `
  SELECT name, definition_version AS version FROM ${S}.pipelines
  WHERE definition IS NOT NULL AND removed_at IS NULL ORDER BY name`;

/** names. */
export const READ_DEFINITIONS = /* sql */ `
  SELECT name, definition_version AS version, definition FROM ${S}.pipelines
  WHERE name = ANY ($1::text[]) AND definition IS NOT NULL AND removed_at IS NULL`;

/** pipeline: the definition is null for a directory. */
export const FIND_DEFINITION = /* sql */ `
  SELECT name, definition_version AS version, definition FROM ${S}.pipelines WHERE name = $1 AND removed_at IS NULL`;

/** pipeline: its schedules come first. A schedule that is due waits for a claim, which may wait for a job that saves its source. */
export const LOCK_SCHEDULES = /* sql */ `SELECT FROM ${S}.schedules WHERE pipeline = $1 ORDER BY entry FOR UPDATE`;
export const LOCK_DEFINITION = /* sql */ `${FIND_DEFINITION} FOR UPDATE`;

/**
 * name, queue, jobs, definition. No row if the name is in use. A name whose pipeline is gone begins anew, but its version
 * does not: a change that somebody prepared before the deletion must not fit.
 */
export const CREATE_DEFINED = /* sql */ `
  INSERT INTO ${S}.pipelines AS p (name, queue, jobs, definition, definition_version) VALUES ($1, $2, $3, $4, 1)
  ON CONFLICT (name) DO UPDATE SET jobs = excluded.jobs, definition = excluded.definition,
    definition_version = p.definition_version + 1, problem = NULL, described = NULL, source = NULL, added_at = now(),
    removed_at = NULL
  WHERE p.removed_at IS NOT NULL RETURNING definition_version AS version`;

/** pipeline, jobs, definition. */
export const CHANGE_DEFINED = /* sql */ `
  UPDATE ${S}.pipelines SET jobs = $2, definition = $3, definition_version = definition_version + 1, problem = NULL
  WHERE name = $1 RETURNING definition_version AS version`;

/** pipeline, version, jobs, problem. No row if somebody has changed or deleted the pipeline. */
export const SAVE_DEFINED = /* sql */ `
  UPDATE ${S}.pipelines SET jobs = $3, problem = $4
  WHERE name = $1 AND definition_version = $2 AND definition IS NOT NULL AND removed_at IS NULL RETURNING name`;

/** pipeline. */
export const DELETE_DEFINED = /* sql */ `UPDATE ${S}.pipelines SET removed_at = now() WHERE name = $1`;

/** pipeline: what people have set for it. The tables of another pipeline with the same name begin anew. */
export const FORGET_PIPELINE = [
  /* sql */ `DELETE FROM ${S}.schedules WHERE pipeline = $1`,
  /* sql */ `DELETE FROM ${S}.schedule_overrides WHERE pipeline = $1`,
  /* sql */ `DELETE FROM ${S}.pauses WHERE pipeline = $1`,
  /* sql */ `UPDATE ${S}.hooks SET removed_at = now() WHERE pipeline = $1 AND removed_at IS NULL`,
  /* sql */ `DELETE FROM ${S}.tables WHERE pipeline = $1`,
] as const;

/** A preview is about a definition, and not about a pipeline that had the same name. */
const NO_PREVIEW = 'r.definition IS NULL';

/** With work that waits or runs: pipelines that the API has deleted, and directories that do not come back. */
export const DELETED_WITH_WORK = /* sql */ `
  SELECT p.name FROM ${S}.pipelines p
  WHERE (p.definition IS NOT NULL OR p.removed_at < now() - interval '1 hour') AND p.removed_at IS NOT NULL
    AND (EXISTS (SELECT FROM ${S}.runs r WHERE r.pipeline = p.name AND r.finished_at IS NULL AND ${NO_PREVIEW})
      OR EXISTS (SELECT FROM ${Q}.job j WHERE j.name = p.queue AND j.state < 'active'))`;

/** pipeline: in this order, which is that of a job that ends, so that the transactions do not wait for each other. */
export const CANCEL_WORK = [
  /* sql */ `DELETE FROM ${Q}.job WHERE state < 'active'
    AND name = (SELECT queue FROM ${S}.pipelines WHERE name = $1 AND removed_at IS NOT NULL)`,
  /* sql */ `UPDATE ${S}.attempts a SET cancelled_at = now() WHERE pipeline = $1 AND state = 'running' AND cancelled_at IS NULL
    AND NOT EXISTS (SELECT FROM ${S}.runs r WHERE r.id = a.run_id AND NOT ${NO_PREVIEW})`,
  /* sql */ `UPDATE ${S}.run_tables SET state = 'cancelled' WHERE pipeline = $1 AND state IN ('queued', 'running')`,
  /* sql */ `UPDATE ${S}.runs r SET state = 'cancelled', finished_at = now()
    WHERE pipeline = $1 AND finished_at IS NULL AND ${NO_PREVIEW}`,
] as const;

/** connections, seconds without a sign of life: those that no worker has. */
export const MISSING_CONNECTIONS = /* sql */ `
  SELECT c AS name FROM unnest($1::text[]) c
  WHERE NOT EXISTS (SELECT FROM ${S}.workers w WHERE ${isWorking('$2')} AND c = ANY (w.connections))`;
