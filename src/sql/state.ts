/** Our tables in the destination schema: the state, committed with the data, and the history of runs. */
import type { TableName } from '../schema/names.ts';
import { literal, qualified } from './identifiers.ts';

export const stateTable = (schema: string): TableName => ({ schema, table: '_increp_state' });
export const runsTable = (schema: string): TableName => ({ schema, table: '_increp_runs' });

export const OWN_TABLES: readonly string[] = [
  '_increp_state',
  '_increp_runs',
  '_increp_loads',
  '_increp_chunks',
];

export const createStateTable = (schema: string): string => /* sql */ `
  CREATE TABLE IF NOT EXISTS ${qualified(stateTable(schema))} (
    table_name text PRIMARY KEY,
    pipeline text NOT NULL,
    source_table text NOT NULL,
    replication_key text NOT NULL,
    cursor text,
    generation bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    record jsonb NOT NULL);
  COMMENT ON TABLE ${qualified(stateTable(schema))} IS 'increp: how far each table of this schema is replicated'`;

export const createRunsTable = (schema: string): string => /* sql */ `
  CREATE TABLE IF NOT EXISTS ${qualified(runsTable(schema))} (
    run_id text NOT NULL,
    pipeline text NOT NULL,
    table_name text NOT NULL,
    status text NOT NULL,
    action text NOT NULL,
    reason text NOT NULL,
    started_at timestamptz NOT NULL,
    duration_s double precision NOT NULL,
    rows_read bigint NOT NULL,
    rows_inserted bigint NOT NULL,
    rows_updated bigint NOT NULL,
    rows_unchanged bigint NOT NULL,
    rows_deleted bigint NOT NULL,
    bytes bigint NOT NULL,
    cursor_before text,
    cursor_after text,
    warnings text[] NOT NULL,
    error_code text,
    error_message text,
    error_hint text,
    sqlstate text,
    PRIMARY KEY (run_id, table_name));
  CREATE INDEX IF NOT EXISTS _increp_runs_by_table ON ${qualified(runsTable(schema))} (table_name, started_at DESC);
  COMMENT ON TABLE ${qualified(runsTable(schema))} IS 'increp: what each run did to each table'`;

/** $1 destination table names. */
export const readState = (schema: string): string => /* sql */ `
  SELECT table_name AS "table", record FROM ${qualified(stateTable(schema))} WHERE table_name = ANY ($1::text[])`;

/** $1 destination table name. */
export const readGeneration = (schema: string): string => /* sql */ `
  SELECT generation::text, record ->> 'runId' AS "runId" FROM ${qualified(stateTable(schema))} WHERE table_name = $1`;

export const writeState = (schema: string): string => /* sql */ `
  INSERT INTO ${qualified(stateTable(schema))} AS state
    (table_name, pipeline, source_table, replication_key, cursor, generation, record)
  VALUES ($1, $2, $3, $4, $5, $6, $7)
  ON CONFLICT (table_name) DO UPDATE SET pipeline = excluded.pipeline, source_table = excluded.source_table,
    replication_key = excluded.replication_key, cursor = excluded.cursor, generation = excluded.generation,
    record = excluded.record, updated_at = clock_timestamp()`;

export const forgetState = (schema: string): string => /* sql */ `
  DELETE FROM ${qualified(stateTable(schema))} WHERE table_name = $1`;

export const recordRun = (schema: string): string => /* sql */ `
  INSERT INTO ${qualified(runsTable(schema))} (run_id, pipeline, table_name, status, action, reason, started_at,
    duration_s, rows_read, rows_inserted, rows_updated, rows_unchanged, rows_deleted, bytes, cursor_before,
    cursor_after, warnings, error_code, error_message, error_hint, sqlstate)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
  ON CONFLICT (run_id, table_name) DO NOTHING`;

/** $1 days to keep. */
export const pruneRuns = (schema: string): string => /* sql */ `
  DELETE FROM ${qualified(runsTable(schema))} WHERE started_at < now() - make_interval(days => $1)`;

/** $1 destination table names: of each, the newest run, the newest success, and failures since. */
export const latestRuns = (schema: string): string => /* sql */ `
  SELECT t.name AS "table", to_json(latest) AS latest, success.started_at AS "lastSuccessAt",
         (SELECT count(*)::int FROM ${qualified(runsTable(schema))} f
          WHERE f.table_name = t.name AND f.status = 'failed'
            AND f.started_at > coalesce(success.started_at, '-infinity')) AS "failuresSince"
  FROM unnest($1::text[]) t(name)
  LEFT JOIN LATERAL (SELECT * FROM ${qualified(runsTable(schema))} r WHERE r.table_name = t.name
                     ORDER BY r.started_at DESC LIMIT 1) latest ON true
  LEFT JOIN LATERAL (SELECT r.started_at FROM ${qualified(runsTable(schema))} r
                     WHERE r.table_name = t.name AND r.status = 'ok'
                     ORDER BY r.started_at DESC LIMIT 1) success ON true`;

/** The lock of one destination table, held until the transaction ends; `taken` is false when another holds it. */
export const tryLock = (table: TableName): string => /* sql */ `
  SELECT pg_try_advisory_xact_lock(${lockKey(table)}) AS taken`;

/** Who holds it. Advisory locks on one bigint show its halves as classid and objid, with objsubid 1. */
export const lockHolder = (table: TableName): string => /* sql */ `
  SELECT l.pid, a.application_name AS application, host(a.client_addr) AS host, a.xact_start AS since
  FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.classid = ((${lockKey(table)} >> 32) & 4294967295)::oid AND l.objid = (${lockKey(table)} & 4294967295)::oid`;

const lockKey = (table: TableName): string =>
  `hashtextextended(${literal(`increp ${JSON.stringify([table.schema, table.table])}`)}, 0)`;

/** Waits (up to the transaction's lock_timeout) until nobody holds the lock. */
export const waitForLock = (table: TableName): string =>
  /* sql */ `SELECT pg_advisory_xact_lock(${lockKey(table)})`;
