/** Questions to `_increp_runs`. Pipelines that share a destination schema share the table. */
import { qualified } from './identifiers.ts';
import { runsTable } from './state.ts';

/** Another run was at work on it: no failure of the table. */
const IS_FAILURE = /* sql */ `status = 'failed' AND error_code IS DISTINCT FROM 'RUN_LOCKED'`;

/**
 * $1 a JSON array of `{ table, successAt }`: destination tables, and when they last succeeded as far as is known elsewhere.
 * $2 pipeline. $3 the time from which changed rows are counted. Of each table the newest run, the newest success, the newest
 * failure, the failures since the success, and the rows.
 */
export const latestRuns = (schema: string): string => /* sql */ `
  SELECT t."table", to_json(latest) AS latest, to_json(failure) AS "lastFailure", success.at AS "lastSuccessAt",
         (SELECT count(*)::int FROM ${qualified(runsTable(schema))} f
          WHERE f.table_name = t."table" AND f.pipeline = $2 AND ${IS_FAILURE}
            AND f.started_at > coalesce(success.at, '-infinity')) AS failures,
         (SELECT coalesce(sum(d.rows_inserted + d.rows_updated + d.rows_deleted), 0)::float8
          FROM ${qualified(runsTable(schema))} d
          WHERE d.table_name = t."table" AND d.pipeline = $2 AND d.started_at > $3) AS "rowsLastDay"
  FROM jsonb_to_recordset($1) t("table" text, "successAt" timestamptz)
  LEFT JOIN LATERAL (SELECT * FROM ${qualified(runsTable(schema))} r
                     WHERE r.table_name = t."table" AND r.pipeline = $2
                     ORDER BY r.started_at DESC LIMIT 1) latest ON true
  LEFT JOIN LATERAL (SELECT * FROM ${qualified(runsTable(schema))} r
                     WHERE r.table_name = t."table" AND r.pipeline = $2 AND ${IS_FAILURE}
                     ORDER BY r.started_at DESC LIMIT 1) failure ON true
  LEFT JOIN LATERAL (SELECT greatest(t."successAt", (
                       SELECT r.started_at FROM ${qualified(runsTable(schema))} r
                       WHERE r.table_name = t."table" AND r.pipeline = $2 AND r.status = 'ok'
                       ORDER BY r.started_at DESC LIMIT 1)) AS at) success ON true`;

/** $1 a JSON array of `{ run_id, table_name }`: those that are not in it. */
export const missingRuns = (schema: string): string => /* sql */ `
  SELECT c.run_id, c.table_name FROM jsonb_to_recordset($1) c(run_id text, table_name text)
  WHERE NOT EXISTS (SELECT FROM ${qualified(runsTable(schema))} r
                    WHERE r.run_id = c.run_id AND r.table_name = c.table_name)`;
