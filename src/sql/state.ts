/**
 * The tables of increp in the destination schema: the state, which is committed with the data, and the history of
 * runs.
 */
import { bySchema, type TableName } from '../schema/names.ts';
import type { StateRecord } from '../schema/state-record.ts';
import { literal, qualified, textArray } from './identifiers.ts';

export const stateTable = (schema: string): TableName => ({ schema, table: '_increp_state' });
export const runsTable = (schema: string): TableName => ({ schema, table: '_increp_runs' });

export const CONFLICTS_TABLE = '_increp_conflicts';
export const conflictsTable = (schema: string): TableName => ({ schema, table: CONFLICTS_TABLE });

export const OWN_TABLES: readonly string[] = [
  '_increp_state',
  '_increp_runs',
  '_increp_loads',
  '_increp_chunks',
  CONFLICTS_TABLE,
];

/** Whether any schema has a state table. */
export const HAS_STATE_TABLE = /* sql */ `
  SELECT EXISTS (SELECT FROM pg_class WHERE relname = '_increp_state' AND relkind = 'r') AS is_there`;

/** The schemas with a state table. A table of the user may have the same name, but not these columns. */
export const STATE_TABLES = /* sql */ `
  SELECT n.nspname AS schema,
         has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS "canRead"
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relname = '_increp_state' AND c.relkind = 'r' AND 2 = (
    SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
      AND (a.attname, a.atttypid) IN (('pipeline', 'text'::regtype), ('record', 'jsonb'::regtype)))`;

/** The pipelines of these schemas, and the databases that they read from. A table that was reset has no state. */
export const sourcesOfStates = (schemas: readonly string[]): string =>
  schemas
    .map(
      (schema) => /* sql */ `
  SELECT DISTINCT pipeline, record #>> '{source,database}' AS database,
         record #>> '{sourceLife,systemIdentifier}' AS "systemIdentifier"
  FROM ${qualified(stateTable(schema))} WHERE record -> 'reset' IS NULL`,
    )
    .join(' UNION ');

/** The pipelines of these schemas that fill `table` from a table of another database. */
export const pipelinesInto = (
  schemas: readonly string[],
  table: TableName,
  from: { readonly table: TableName; readonly database: string; readonly systemIdentifier: string },
): string =>
  schemas
    .map(
      (schema) => /* sql */ `
  SELECT DISTINCT pipeline FROM ${qualified(stateTable(schema))}
  WHERE record @> ${literal(
    JSON.stringify({
      destination: table,
      source: { database: from.database, ...from.table },
      sourceLife: { systemIdentifier: from.systemIdentifier },
    }),
  )}::jsonb`,
    )
    .join(' UNION ');

/** The tables that pipelines of these schemas fill from a database. */
export const tablesFilledFrom = (
  schemas: readonly string[],
  from: { readonly database: string; readonly systemIdentifier: string },
): string =>
  schemas
    .map(
      (schema) => /* sql */ `
  SELECT record #>> '{destination,schema}' AS schema, record #>> '{destination,table}' AS "table"
  FROM ${qualified(stateTable(schema))}
  WHERE record @> ${literal(
    JSON.stringify({
      source: { database: from.database },
      sourceLife: { systemIdentifier: from.systemIdentifier },
    }),
  )}::jsonb`,
    )
    .join(' UNION ');

/** The tables that the pipeline has filled from these sources and that still exist. The latest is the last. */
export const formerTablesOf = (
  schemas: readonly string[],
  pipeline: string,
  sources: readonly TableName[],
): string =>
  schemas
    .map(
      (schema) => /* sql */ `
  SELECT record -> 'source' AS source, record -> 'destination' AS destination, updated_at
  FROM ${qualified(stateTable(schema))} JOIN pg_namespace n ON n.nspname = ${literal(schema)}
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = record #>> '{destination,table}'
  WHERE pipeline = ${literal(pipeline)} AND record -> 'reset' IS NULL
    AND (record #>> '{source,schema}', record #>> '{source,table}') IN (
      SELECT * FROM unnest(${textArray(sources.map((each) => each.schema))}, ${textArray(sources.map(({ table }) => table))}))`,
    )
    .join(' UNION ALL ') + ' ORDER BY updated_at';

export const createStateTable = (schema: string): string => /* sql */ `
  CREATE TABLE IF NOT EXISTS ${qualified(stateTable(schema))} (
    table_name text PRIMARY KEY,
    pipeline text NOT NULL,
    source_table text NOT NULL,
    replication_key text NOT NULL,
    cursor text,
    generation bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    record jsonb NOT NULL);
  COMMENT ON TABLE ${qualified(stateTable(schema))} IS 'increp: how far each table of this schema is replicated'`;

/** Names and types of `_increp_runs`. */
const RUN_COLUMNS = [
  ['run_id', 'text'],
  ['pipeline', 'text'],
  ['table_name', 'text'],
  ['status', 'text'],
  ['action', 'text'],
  ['reason', 'text'],
  ['started_at', 'timestamptz'],
  ['duration_s', 'double precision'],
  ['rows_read', 'bigint'],
  ['rows_inserted', 'bigint'],
  ['rows_updated', 'bigint'],
  ['rows_unchanged', 'bigint'],
  ['rows_deleted', 'bigint'],
  ['bytes', 'bigint'],
  ['cursor_before', 'text'],
  ['cursor_after', 'text'],
  ['warnings', 'text[]'],
  ['error_code', 'text'],
  ['error_message', 'text'],
  ['error_hint', 'text'],
  ['sqlstate', 'text'],
  ['rows_newer', 'bigint'],
  ['tables', 'text[]'],
  ['conflicts', 'jsonb'],
  ['warned_tables', 'jsonb'],
] as const;

type RunColumn = (typeof RUN_COLUMNS)[number][0];

const MAY_BE_NULL: readonly RunColumn[] = [
  'cursor_before',
  'cursor_after',
  'error_code',
  'error_message',
  'error_hint',
  'sqlstate',
  'rows_newer',
  'tables',
  'conflicts',
  'warned_tables',
];

export const createRunsTable = (schema: string): string => /* sql */ `
  CREATE TABLE IF NOT EXISTS ${qualified(runsTable(schema))} (
    ${RUN_COLUMNS.map(([name, type]) => `${name} ${type}${MAY_BE_NULL.includes(name) ? '' : ' NOT NULL'}`).join(', ')},
    PRIMARY KEY (run_id, table_name));
  CREATE INDEX IF NOT EXISTS _increp_runs_by_table ON ${qualified(runsTable(schema))} (table_name, started_at DESC);
  COMMENT ON TABLE ${qualified(runsTable(schema))} IS 'increp: what each run did to each table'`;

/** Columns that tables of earlier versions lack. */
export const addRunColumns = (schema: string): string =>
  /* sql */ `ALTER TABLE ${qualified(runsTable(schema))} ADD COLUMN IF NOT EXISTS rows_newer bigint, ADD COLUMN IF NOT EXISTS tables text[], ADD COLUMN IF NOT EXISTS conflicts jsonb, ADD COLUMN IF NOT EXISTS warned_tables jsonb`;

/**
 * The states of these destination tables, if the schema has a state table. Includes the names of
 * pipelines that share a table (`sharedName`). A row without a name shows that the pipeline has a state in the schema.
 */
export const readStates = (pipeline: string, tables: readonly TableName[]): string =>
  [...bySchema(tables)]
    .map(([schema, names]) => readStatesIn(schema, textArray(names), literal(pipeline)))
    .join(' UNION ALL ');

const readStatesIn = (schema: string, names: string, own: string): string => /* sql */ `
  SELECT ${literal(schema)} AS schema, table_name AS name, pipeline,
         CASE WHEN pipeline = ${own} OR table_name = ANY (${names}) THEN record END AS record
  FROM ${qualified(stateTable(schema))}
  WHERE table_name = ANY (${names})
     OR left(table_name, -length(pipeline) - 1) = ANY (${names}) AND right(table_name, length(pipeline) + 1) = '@' || pipeline
  UNION ALL (SELECT ${literal(schema)}, '', pipeline, NULL FROM ${qualified(stateTable(schema))} WHERE pipeline = ${own} LIMIT 1)`;

/** $1 pipeline. The source tables that have a state in these schemas. A table that was reset has none. */
export const sourcesOfPipeline = (schemas: readonly string[]): string =>
  schemas
    .map(
      (schema) => /* sql */ `
  SELECT record #>> '{source,schema}' AS schema, record #>> '{source,table}' AS "table"
  FROM ${qualified(stateTable(schema))} WHERE pipeline = $1 AND record -> 'reset' IS NULL`,
    )
    .join(' UNION ALL ');

/** By the name of a state. Without parameters, because it is sent with BEGIN. */
export const readGeneration = ({ schema, table }: TableName): string => /* sql */ `
  SELECT generation::text, record ->> 'runId' AS "runId", record -> 'reset' IS NOT NULL AS "isReset" FROM ${qualified(stateTable(schema))}
  WHERE table_name = ${literal(table)}`;

const oidOf = (table: TableName): string => `to_regclass(${literal(qualified(table))})::oid::text`;

/** By the name of a state. Without parameters, because it is sent with COMMIT. */
export const writeState = (name: TableName, record: StateRecord): string => /* sql */ `
  INSERT INTO ${qualified(stateTable(name.schema))} AS state
    (table_name, pipeline, source_table, replication_key, cursor, generation, record)
  VALUES (${[
    name.table,
    record.pipeline,
    `${record.source.schema}.${record.source.table}`,
    // The column is NOT NULL, but a table may have no replication key.
    record.replicationKey ?? '',
    record.cursor,
    String(record.generation),
  ]
    .map(literal)
    .join(
      ', ',
    )}, ${literal(JSON.stringify(record))}::jsonb || jsonb_build_object('writtenTo', jsonb_build_object(
      'table', ${oidOf(record.destination)}, 'stateTable', ${oidOf(stateTable(name.schema))})))
  ON CONFLICT (table_name) DO UPDATE SET pipeline = excluded.pipeline, source_table = excluded.source_table,
    replication_key = excluded.replication_key, cursor = excluded.cursor, generation = excluded.generation,
    record = excluded.record, updated_at = clock_timestamp()`;

/** $1 name of a state. */
export const forgetState = (schema: string): string => /* sql */ `
  DELETE FROM ${qualified(stateTable(schema))} WHERE table_name = $1`;

/**
 * $1 name of a state, $2 all names that it may have had, $3 pipeline, $4 source table, $5 generation of the state
 * file, 0 if there is none, $6 a `ResetRecord` without its generation. The new generation is higher than all earlier
 * ones.
 */
export const writeReset = (schema: string): string => /* sql */ `
  INSERT INTO ${qualified(stateTable(schema))} AS state
    (table_name, pipeline, source_table, replication_key, cursor, generation, record)
  SELECT $1, $3, $4, '', NULL, next.generation, $6::jsonb || jsonb_build_object('generation', next.generation)
  FROM (SELECT greatest(coalesce(max(generation), 0), $5::bigint) + 1 AS generation
        FROM ${qualified(stateTable(schema))} WHERE table_name = ANY ($2::text[])) next
  ON CONFLICT (table_name) DO UPDATE SET pipeline = excluded.pipeline, source_table = excluded.source_table,
    replication_key = excluded.replication_key, cursor = excluded.cursor, generation = excluded.generation,
    record = excluded.record, updated_at = clock_timestamp()`;

/** $1 names of states. */
export const readRecords = (schema: string): string => /* sql */ `
  SELECT table_name AS name, pipeline, record FROM ${qualified(stateTable(schema))} WHERE table_name = ANY ($1::text[])`;

/** $1 name of a state, $2 pipeline. */
export const forgetOwnState = (schema: string): string => /* sql */ `
  DELETE FROM ${qualified(stateTable(schema))} WHERE table_name = $1 AND pipeline = $2`;

/** $1 a JSON array of objects with these keys. */
export const recordRuns = (schema: string, rows: string): string => /* sql */ `
  INSERT INTO ${qualified(runsTable(schema))} (${RUN_COLUMNS.map(([name]) => name).join(', ')})
  SELECT ${RUN_COLUMNS.map(([name]) => name).join(', ')}
  FROM jsonb_to_recordset(${literal(rows)}::jsonb) r(${RUN_COLUMNS.map((column) => column.join(' ')).join(', ')})
  ON CONFLICT (run_id, table_name) DO NOTHING`;

/**
 * A CTE of the tables with runs, and a null. It jumps from name to name through the index, because there may be
 * millions of rows but only hundreds of tables.
 */
export const knownTables = (schema: string): string => /* sql */ `
  WITH RECURSIVE known (name) AS (
    (SELECT table_name FROM ${qualified(runsTable(schema))} ORDER BY table_name LIMIT 1)
    UNION ALL
    SELECT (SELECT r.table_name FROM ${qualified(runsTable(schema))} r WHERE r.table_name > known.name
            ORDER BY r.table_name LIMIT 1)
    FROM known WHERE known.name IS NOT NULL)`;

/** Uses the index for each table, because most runs have nothing to remove. */
export const pruneRuns = (
  schema: string,
  kept: { readonly days: number; readonly quietDays: number },
): string => /* sql */ `
  ${knownTables(schema)}
  DELETE FROM ${qualified(runsTable(schema))} r USING known
  WHERE r.table_name = known.name AND r.started_at < now() - make_interval(days =>
    CASE known.name WHEN '' THEN ${kept.quietDays} ELSE ${kept.days} END)`;

/**
 * The lock of one destination table, or of the rows of one pipeline in it, by the name of its state. It is held until
 * the transaction ends. `taken` is false if another session holds it.
 */
export const tryLock = (table: TableName, runSeconds?: number): string => /* sql */ `
  SELECT pg_try_advisory_xact_lock(${lockKey(table)}) AS taken${runSeconds === undefined ? '' : `, ${markStart(runSeconds)}`}`;

/** "incs" in ASCII. The shared lock with this first key says in its second key when the run of a session started. */
const START_MARK = 0x69_6e_63_73;
/** A second key has 31 bits without a sign: seconds since 2020. */
const MARK_EPOCH = 1_577_836_800;

const markStart = (runSeconds: number): string =>
  `pg_try_advisory_xact_lock_shared(${START_MARK}, (extract(epoch FROM clock_timestamp()) - ${MARK_EPOCH + Math.round(runSeconds)})::int)`;

/** The holder of the lock. pg_locks shows an advisory lock on one bigint as classid and objid, with objsubid 1. */
export const lockHolder = (table: TableName): string => /* sql */ `
  SELECT ${RUN_SESSION},
         coalesce(a.wait_event = 'SyncRep', false) AS "waitsForStandby"
  FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE ${holdsLock(table)}`;

/** The session of a run, and a session that it waits for, from pg_locks l and pg_stat_activity a. */
const RUN_SESSION = /* sql */ `l.pid, a.application_name AS application, host(a.client_addr) AS host,
         extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds,
         (SELECT greatest(extract(epoch FROM clock_timestamp()) - ${MARK_EPOCH} - m.objid::bigint, 0)::float8 FROM pg_locks m
          WHERE m.pid = l.pid AND m.locktype = 'advisory' AND m.classid = ${START_MARK} AND m.objsubid = 2 LIMIT 1) AS "runSeconds",
         (SELECT json_build_object('pid', b.pid, 'application', b.application_name, 'user', b.usename)
          FROM pg_stat_activity b WHERE b.pid = ANY (pg_blocking_pids(l.pid)) AND b.pid <> pg_backend_pid() ORDER BY b.backend_start LIMIT 1) AS blocker`;

const holdsLock = (table: TableName): string => holdsKey(lockKey(table));

/** `key` is an expression. */
const holdsKey = (key: string): string => /* sql */ `
  l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.classid = ((${key} >> 32) & 4294967295)::oid AND l.objid = (${key} & 4294967295)::oid`;

/**
 * Ends the session that holds the lock, if it belongs to one of these programs, and their sessions that write chunks of a load
 * to the staging table. Those would block the same chunk of another run.
 */
export const endLostHolder = (
  table: TableName,
  staging: TableName | undefined,
  programs: readonly string[],
): string => /* sql */ `
  SELECT pg_terminate_backend(l.pid)
  FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE l.pid <> pg_backend_pid() AND a.application_name IN (${programs.map(literal).join(', ')})
    AND ((${holdsLock(table)})${staging ? ` OR (${isWriting(staging)})` : ''})`;

const isWriting = (table: TableName): string => /* sql */ `
  l.locktype = 'relation' AND l.granted AND l.mode = 'RowExclusiveLock'
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.relation = to_regclass(${literal(qualified(table))})`;

/** The destination tables whose lock is held. */
export const lockedAmong = (tables: readonly TableName[]): string => /* sql */ `
  SELECT DISTINCT ON (k.key) k.schema, k.name AS "table", ${RUN_SESSION}
  FROM (VALUES ${tables.map((table) => `(${literal(table.schema)}, ${literal(table.table)}, ${lockKey(table)})`).join(', ')}) k(schema, name, key)
  JOIN pg_locks l ON ${holdsKey('k.key')}
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
  ORDER BY k.key`;

const lockKey = (table: TableName): string =>
  `hashtextextended(${literal(`increp ${JSON.stringify([table.schema, table.table])}`)}, 0)`;

/** Waits until the lock is free, up to the lock_timeout of the transaction. */
export const waitForLock = (table: TableName): string =>
  /* sql */ `SELECT pg_advisory_xact_lock(${lockKey(table)})`;
