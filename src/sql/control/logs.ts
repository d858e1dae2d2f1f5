/** The logs of attempts. Parameters are in the order of the comments. */
import { mayBeSeen } from './read/states.ts';
import { CONTROL_SCHEMA as S } from './schema.ts';

/** attempt, pipeline, lines. */
export const ADD_LOG_LINES = /* sql */ `
  INSERT INTO ${S}.log_lines (attempt_id, pipeline, table_name, at, level, message, fields)
  SELECT $1, $2, l.table_name, l.at, l.level, l.message, l.fields
  FROM jsonb_to_recordset($3::jsonb) l(table_name text, at timestamptz, level text, message text, fields jsonb)`;

const LINE = /* sql */ `
  l.id::text, l.at, l.level, l.pipeline, l.table_name AS "table", l.attempt_id::text AS attempt, l.message, l.fields`;

const LEVELS = /* sql */ `ARRAY['debug', 'info', 'warn', 'error']`;
const isLevel = (parameter: string): string =>
  /* sql */ `array_position(${LEVELS}, l.level) >= array_position(${LEVELS}, ${parameter}::text)`;

/** visible pipelines, pipeline (null for all), lowest level, id before which (null for now), number. Newest first. */
export const READ_LOGS = /* sql */ `
  SELECT ${LINE} FROM ${S}.log_lines l
  WHERE ${mayBeSeen('l.pipeline')} AND ($2::text IS NULL OR l.pipeline = $2) AND ${isLevel('$3')}
    AND ($4::bigint IS NULL OR l.id < $4)
  ORDER BY l.id DESC LIMIT $5`;

/** run, lowest level, id before which (null for now), number. Newest first. */
export const READ_RUN_LOG = /* sql */ `
  SELECT ${LINE} FROM ${S}.log_lines l
  WHERE l.attempt_id IN (
      SELECT t.attempt_id FROM ${S}.run_tables t WHERE t.run_id = $1 AND t.attempt_id IS NOT NULL
      UNION SELECT r.looked_by FROM ${S}.runs r WHERE r.id = $1 AND r.looked_by IS NOT NULL)
    AND ${isLevel('$2')} AND ($3::bigint IS NULL OR l.id < $3)
  ORDER BY l.id DESC LIMIT $4`;
