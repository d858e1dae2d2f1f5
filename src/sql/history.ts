/** Queries of `_increp_runs`. Pipelines with the same destination schema share the table. */
import { RESOLUTIONS } from '../conflicts.ts';
import { qualified } from './identifiers.ts';
import { knownTables, runsTable } from './state.ts';

/** If another run held the lock, or a signal ended the run, this is not a failure of the table. */
const IS_FAILURE = /* sql */ `status = 'failed' AND coalesce(error_code, '') NOT IN ('RUN_LOCKED', 'INTERRUPTED')`;

/**
 * The newest of these records say when each table was last found without changes. An older record can matter only for a
 * table whose syncs have failed since then, and then its last sync counts.
 */
const QUIET_RECORDS = 100;

/** As JSON, because tables of earlier versions lack the column until the next run. */
const tablesOf = (row: string): string => `(to_jsonb(${row}) -> 'tables')`;

const lastQuiet = (schema: string): string => /* sql */ `
  quiet AS MATERIALIZED (
    SELECT DISTINCT ON (name) name, q.run_id, q.started_at, q."hasWarnings" FROM (
      SELECT r.run_id, r.started_at, ${tablesOf('r')} AS tables, r.warnings <> '{}' AS "hasWarnings" FROM ${qualified(runsTable(schema))} r
      WHERE r.table_name = '' AND r.pipeline = $2 AND r.status = 'ok'
      ORDER BY r.started_at DESC LIMIT ${QUIET_RECORDS}) q, jsonb_array_elements_text(q.tables) name
    ORDER BY name, q.started_at DESC)`;

/**
 * $1 a JSON array of `{ table, successAt }`: destination tables, and their last success in other records. $2
 * pipeline. $3 the time from which changed rows are counted. Returns for each table the newest run, the newest
 * success, the newest failure, the newest run that did not fail (`latestOk`, if the newest run failed), the number of failures since the success, and the rows. `quietRun` and
 * `quietAt`: the last run that found no changes. `hasQuietWarnings`: whether the record of that run has warnings.
 */
export const latestRuns = (schema: string): string => /* sql */ `
  WITH ${lastQuiet(schema)}
  SELECT t."table", to_json(latest) AS latest, quiet.run_id AS "quietRun", quiet.started_at AS "quietAt", coalesce(quiet."hasWarnings", false) AS "hasQuietWarnings", to_json(failure) AS "lastFailure", to_json(sound) AS "latestOk", success.at AS "lastSuccessAt",
         (SELECT count(*)::int FROM ${qualified(runsTable(schema))} f
          WHERE f.table_name = t."table" AND f.pipeline = $2 AND ${IS_FAILURE}
            AND f.started_at > coalesce(success.at, '-infinity')) AS failures,
         (SELECT coalesce(sum(d.rows_inserted + d.rows_updated + d.rows_deleted), 0)::float8
          FROM ${qualified(runsTable(schema))} d
          WHERE d.table_name = t."table" AND d.pipeline = $2 AND d.started_at > $3) AS "rowsLastDay",
         (SELECT jsonb_build_object(${RESOLUTIONS.map((name) => `'${name}', sum((to_jsonb(d) #>> '{conflicts,${name}}')::float8)`).join(', ')})
          FROM ${qualified(runsTable(schema))} d
          WHERE d.table_name = t."table" AND d.pipeline = $2 AND d.started_at > $3 AND to_jsonb(d) -> 'conflicts' <> 'null'
          HAVING count(*) > 0) AS "conflictsLastDay"
  FROM jsonb_to_recordset($1) t("table" text, "successAt" timestamptz)
  LEFT JOIN quiet ON quiet.name = t."table"
  LEFT JOIN LATERAL (SELECT * FROM ${qualified(runsTable(schema))} r
                     WHERE r.table_name = t."table" AND r.pipeline = $2
                     ORDER BY r.started_at DESC LIMIT 1) latest ON true
  LEFT JOIN LATERAL (SELECT * FROM ${qualified(runsTable(schema))} r
                     WHERE r.table_name = t."table" AND r.pipeline = $2 AND ${IS_FAILURE}
                     ORDER BY r.started_at DESC LIMIT 1) failure ON true
  LEFT JOIN LATERAL (SELECT * FROM ${qualified(runsTable(schema))} r
                     WHERE latest.status = 'failed' AND r.table_name = t."table" AND r.pipeline = $2 AND r.status = 'ok'
                     ORDER BY r.started_at DESC LIMIT 1) sound ON true
  LEFT JOIN LATERAL (SELECT greatest(t."successAt", quiet.started_at, (
                       SELECT r.started_at FROM ${qualified(runsTable(schema))} r
                       WHERE r.table_name = t."table" AND r.pipeline = $2 AND r.status = 'ok'
                       ORDER BY r.started_at DESC LIMIT 1)) AS at) success ON true`;

/** $1 a JSON array of `{ run_id, table_name }`. Returns the runs that are not in it. */
export const missingRuns = (schema: string): string => /* sql */ `
  SELECT c.run_id, c.table_name FROM jsonb_to_recordset($1) c(run_id text, table_name text)
  WHERE NOT EXISTS (SELECT FROM ${qualified(runsTable(schema))} r
                    WHERE r.run_id = c.run_id AND r.table_name = c.table_name)`;

/**
 * $1 destination tables, or null for all; $2 pipeline; $3 start time, or null; $4 only failures; $5 limit. Newest
 * first.
 */
export const newestRuns = (schema: string): string => /* sql */ `
  ${knownTables(schema)}
  SELECT runs.run_id AS id
  FROM known, LATERAL (
    SELECT r.run_id, r.started_at FROM ${qualified(runsTable(schema))} r
    WHERE r.table_name = known.name AND r.pipeline = $2 AND r.started_at >= coalesce($3::timestamptz, '-infinity')
      AND (${IS_FAILURE} OR NOT $4::boolean)
      AND (known.name <> '' OR $1::text[] IS NULL OR ${tablesOf('r')} ?| $1::text[])
    ORDER BY r.started_at DESC LIMIT $5) runs
  WHERE $1::text[] IS NULL OR known.name = '' OR known.name = ANY ($1::text[])
  GROUP BY runs.run_id ORDER BY max(runs.started_at) DESC LIMIT $5`;

/** $1 run ids. The records of their tables without changes. */
export const readQuietRuns = (schema: string): string => /* sql */ `
  SELECT to_json(r) AS record FROM ${qualified(runsTable(schema))} r WHERE r.run_id = ANY ($1::text[]) AND r.table_name = ''`;

/** $1 run ids, $2 destination tables, or null for all. */
export const readRuns = (schema: string): string => /* sql */ `
  SELECT to_json(r) AS record FROM ${qualified(runsTable(schema))} r
  WHERE r.run_id = ANY ($1::text[]) AND ($2::text[] IS NULL OR r.table_name = ANY ($2::text[]) OR r.table_name = '' AND ${tablesOf('r')} ?| $2::text[])`;

/**
 * $1 names of tables, $2 pipeline. Returns the last run of each table, whatever its result; null if there is none.
 */
export const readAttempts = (schema: string): string => /* sql */ `
  SELECT t.name AS "table", (
    SELECT r.started_at FROM ${qualified(runsTable(schema))} r
    WHERE r.table_name = t.name AND r.pipeline = $2 ORDER BY r.started_at DESC LIMIT 1) AS at
  FROM unnest($1::text[]) t(name)`;
