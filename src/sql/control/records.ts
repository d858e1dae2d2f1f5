/** What the service knows about tables: their settings, their latest state, and a history for charts. */
import { CONTROL_SCHEMA as S } from './schema.ts';

/** Minutes of a period in `lags`. */
const LAG_MINUTES = 30;
/** Minutes of a period in `periods`. */
const PERIOD_MINUTES = 15;

const periodOf = (minutes: number): string =>
  `date_bin('${minutes} minutes', now(), timestamptz '2000-01-01 00:00:00Z')`;

/** pipeline, description. No row if `serve` does not know the pipeline yet. */
export const DESCRIBE_PIPELINE = /* sql */ `
  UPDATE ${S}.pipelines SET described = $2 WHERE name = $1`;

const LISTED = 'jsonb_to_recordset($2::jsonb)';
const LISTED_COLUMNS =
  'name text, is_enabled boolean, entry text, behind_after float8, stale_after float8, settings jsonb';

/** pipeline, tables: writes those that have changed. */
export const LIST_TABLES = /* sql */ `
  INSERT INTO ${S}.tables AS t (pipeline, table_name, state, is_enabled, entry, behind_after, stale_after, settings)
  SELECT $1, r.name, 'new', r.is_enabled, r.entry, r.behind_after, r.stale_after, r.settings
  FROM ${LISTED} r(${LISTED_COLUMNS})
  WHERE NOT EXISTS (
    SELECT FROM ${S}.tables o
    WHERE o.pipeline = $1 AND o.table_name = r.name
      AND (o.is_enabled, o.entry, o.behind_after, o.stale_after, o.settings)
        IS NOT DISTINCT FROM (r.is_enabled, r.entry, r.behind_after, r.stale_after, r.settings))
  ORDER BY 2
  ON CONFLICT (pipeline, table_name) DO UPDATE SET is_enabled = excluded.is_enabled, entry = excluded.entry,
    behind_after = excluded.behind_after, stale_after = excluded.stale_after, settings = excluded.settings`;

/** pipeline, names: the configuration no longer has the other tables. */
export const UNLIST_TABLES = /* sql */ `
  DELETE FROM ${S}.tables WHERE pipeline = $1 AND table_name <> ALL ($2::text[])`;

const RESULTS = 'jsonb_to_recordset($2::jsonb) r(name text, ok boolean, code text, outcome jsonb)';

/** pipeline, results: before RECORD_TABLES, which moves the time of the last success. */
export const RECORD_LAGS = /* sql */ `
  INSERT INTO ${S}.lags AS l (pipeline, table_name, period, seconds, ended_at)
  SELECT t.pipeline, t.table_name, ${periodOf(LAG_MINUTES)}, extract(epoch FROM now() - t.last_success_at), now()
  FROM ${RESULTS} JOIN ${S}.tables t ON t.pipeline = $1 AND t.table_name = r.name
  WHERE r.ok AND t.last_success_at < now() AND NOT EXISTS (
    SELECT FROM ${S}.lags o
    WHERE o.pipeline = t.pipeline AND o.table_name = t.table_name AND o.period = ${periodOf(LAG_MINUTES)}
      AND o.seconds >= extract(epoch FROM now() - t.last_success_at))
  ORDER BY 2
  ON CONFLICT (pipeline, table_name, period) DO UPDATE SET seconds = excluded.seconds, ended_at = excluded.ended_at
  WHERE l.seconds < excluded.seconds`;

/** pipeline, results. A sync without changes has no outcome, and keeps that of the last one with changes. */
export const RECORD_TABLES = /* sql */ `
  INSERT INTO ${S}.tables AS t (pipeline, table_name, state, last_success_at, last_attempt_at, error_code, outcome)
  SELECT $1, r.name, CASE WHEN r.ok THEN 'ok' ELSE 'failing' END, CASE WHEN r.ok THEN now() END, now(), r.code, r.outcome
  FROM ${RESULTS}
  ORDER BY 2
  ON CONFLICT (pipeline, table_name) DO UPDATE SET
    state = excluded.state, crashes = 0, last_attempt_at = excluded.last_attempt_at, error_code = excluded.error_code,
    outcome = coalesce(excluded.outcome, CASE WHEN t.state = 'ok' THEN t.outcome END),
    state_since = CASE WHEN t.state = excluded.state THEN t.state_since ELSE excluded.state_since END,
    last_success_at = coalesce(excluded.last_success_at, t.last_success_at),
    rows_waiting = CASE WHEN excluded.state = 'ok' THEN 0 ELSE t.rows_waiting END,
    is_waiting_more = excluded.state <> 'ok' AND t.is_waiting_more,
    waiting_at = coalesce(excluded.last_success_at, t.waiting_at)`;

/**
 * pipeline, counts, attempt of the look. The rows were counted after the look began. A sync that has succeeded since then
 * has read them.
 */
export const RECORD_WAITING = /* sql */ `
  UPDATE ${S}.tables t SET rows_waiting = r.counted, is_waiting_more = r.is_more, waiting_at = a.started_at
  FROM jsonb_to_recordset($2::jsonb) r("table" text, counted int, is_more boolean), ${S}.attempts a
  WHERE t.pipeline = $1 AND t.table_name = r."table" AND a.id = $3
    AND (t.last_success_at IS NULL OR t.last_success_at < a.started_at)`;

const COUNTED = [
  'synced',
  'failed',
  'rows_inserted',
  'rows_updated',
  'rows_deleted',
  'conflicts',
  'bytes',
] as const;
const COUNTS = COUNTED.join(', ');
const ADDED = COUNTED.map((column) => `${column} = p.${column} + excluded.${column}`).join(', ');

/** pipeline, synced, failed, inserted, updated, deleted, conflicts, bytes. */
export const RECORD_PERIOD = /* sql */ `
  WITH total AS (
    INSERT INTO ${S}.totals AS p (pipeline, ${COUNTS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (pipeline) DO UPDATE SET ${ADDED})
  INSERT INTO ${S}.periods AS p (pipeline, period, ${COUNTS})
  VALUES ($1, ${periodOf(PERIOD_MINUTES)}, $2, $3, $4, $5, $6, $7, $8)
  ON CONFLICT (pipeline, period) DO UPDATE SET ${ADDED}`;
