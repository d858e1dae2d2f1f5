/** Pauses and schedules that people set. Parameters are in the order of the comments. */
import { CONTROL_SCHEMA as S } from './schema.ts';

const SCOPE = /* sql */ `pipeline IS NOT DISTINCT FROM $1 AND table_name IS NOT DISTINCT FROM $2`;

/** pipeline, table: a new pause replaces the one before. */
export const REMOVE_REQUESTED_PAUSE = /* sql */ `DELETE FROM ${S}.pauses WHERE ${SCOPE} AND NOT detail ? 'crashes'`;

/** pipeline, table. */
export const REMOVE_PAUSES = /* sql */ `DELETE FROM ${S}.pauses WHERE ${SCOPE} RETURNING reason`;

/** pipeline. */
export const LIST_TABLE_NAMES = /* sql */ `SELECT table_name AS name, settings ->> 'source_table' AS source FROM ${S}.tables WHERE pipeline = $1 ORDER BY 1`;

/** pipeline, table: the next crash is the first one again. */
export const FORGET_CRASHES = /* sql */ `
  UPDATE ${S}.tables SET crashes = 0, state_since = CASE WHEN state = 'crashed' THEN now() ELSE state_since END,
    state = CASE WHEN state = 'crashed' THEN 'failing' ELSE state END
  WHERE pipeline = $1 AND table_name = $2`;

/** pipeline, entry, schedule, by. */
export const SAVE_OVERRIDE = /* sql */ `
  INSERT INTO ${S}.schedule_overrides (pipeline, entry, schedule, made_by) VALUES ($1, $2, $3, $4)
  ON CONFLICT (pipeline, entry) DO UPDATE SET schedule = excluded.schedule, made_by = excluded.made_by, made_at = now()`;

/** pipeline, entry. */
export const REMOVE_OVERRIDE = /* sql */ `
  DELETE FROM ${S}.schedule_overrides WHERE pipeline = $1 AND entry = $2 RETURNING entry`;

export const LIST_OVERRIDES = /* sql */ `SELECT pipeline, entry, schedule FROM ${S}.schedule_overrides ORDER BY 1, 2`;
