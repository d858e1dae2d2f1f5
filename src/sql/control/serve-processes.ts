/** Each `increp serve` with the pipelines of its directory. Parameters are in the order of the comments. */
import { CONTROL_SCHEMA as S } from './schema.ts';

/** `seconds`: a parameter, the longest time since the last sign of life of the process `s`. */
const wasSeen = (seconds: string): string => `s.seen_at > now() - make_interval(secs => ${seconds})`;

/** id, host, directory: a former process there has ended. If it is alive, it registers again at its next look. */
export const FORGET_FORMER_PROCESS = /* sql */ `
  DELETE FROM ${S}.serve_processes WHERE id <> $1 AND host = $2 AND directory = $3`;

/** id, host, process, directory, pipelines. */
export const REGISTER_PROCESS = /* sql */ `
  INSERT INTO ${S}.serve_processes (id, host, process, directory, pipelines) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (id) DO UPDATE SET seen_at = now(), pipelines = excluded.pipelines`;

/** id, seconds until a silent process is lost, pipelines: the processes that have other pipelines than these. */
export const OTHER_PROCESSES = /* sql */ `
  SELECT s.id, s.host, s.process, s.directory, s.pipelines, s.seen_at AS "seenAt" FROM ${S}.serve_processes s
  WHERE s.id <> $1 AND ${wasSeen('$2')} AND NOT (s.pipelines <@ $3::text[] AND s.pipelines @> $3::text[]) ORDER BY s.host, s.process`;

/** seconds: removes the directories that no process had within this time. */
export const REMOVE_PIPELINES = /* sql */ `
  WITH gone AS (
    UPDATE ${S}.pipelines p SET removed_at = now()
    WHERE removed_at IS NULL AND definition IS NULL
      AND NOT EXISTS (SELECT FROM ${S}.serve_processes s WHERE ${wasSeen('$1')} AND p.name = ANY (s.pipelines)) RETURNING name),
  schedules AS (DELETE FROM ${S}.schedules WHERE pipeline IN (SELECT name FROM gone))
  SELECT name FROM gone ORDER BY name`;

export const PRESENT_PIPELINES = /* sql */ `SELECT name FROM ${S}.pipelines WHERE removed_at IS NULL`;
