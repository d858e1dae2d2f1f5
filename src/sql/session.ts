/** Begins transactions that behave the same with any settings of the role, the database or a pooler. */
import { literal } from './identifiers.ts';
import { MAY_MARK } from './reader-mark.ts';
import { PINNED_PATH } from './search-path.ts';

/**
 * How values print and parse. Both sides have the same settings, so text from one side is read back unchanged by the
 * other.
 */
const OUTPUT_SETTINGS = {
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  TimeZone: 'UTC',
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  extra_float_digits: '3',
  bytea_output: 'hex',
  lc_monetary: 'C',
  xmloption: 'content',
  // If it is off, NULL in an array is read as a word.
  array_nulls: 'on',
  // If it is on, format_type() quotes type names, which increp compares.
  quote_all_identifiers: 'off',
} as const;

const GUARD_SETTINGS = {
  // At debug5, the server would send more messages than rows.
  client_min_messages: 'warning',
  // If row-level security filters rows, this raises an error. Otherwise rows would be missing.
  row_security: 'off',
  // Ends a long COPY if the peer is dead (with the check below), because FIRST removes all other limits.
  tcp_keepalives_idle: '30',
  tcp_keepalives_interval: '10',
  tcp_keepalives_count: '3',
  // The catalogs are asked with long statements over few rows. Their estimates are high enough for the compiler, which then
  // takes seconds. It gains nothing for the statements over many rows, which wait for the network or hash.
  jit: 'off',
  // This limit would also count the time during which the other side is slow.
  tcp_user_timeout: '0',
} as const;

/** Features of servers later than version 14. */
export interface ServerTraits {
  /** server_version_num, e.g. 150018. */
  readonly version: number;
  readonly isLinux: boolean;
}

function guards({ version, isLinux }: ServerTraits): Record<string, string> {
  return {
    ...GUARD_SETTINGS,
    // A backend in a long statement notices that its client is gone. Only some platforms support this (PostgreSQL
    // 14).
    ...(isLinux ? { client_connection_check_interval: '1s' } : {}),
    ...(version >= 170000 ? { transaction_timeout: '0' } : {}),
  };
}

/** Comes before everything else. Time limits of the role would end a long copy, and can cancel any statement. */
const FIRST = /* sql */ `SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
  ${PINNED_PATH}`;

/** SET LOCAL, never SET: with transaction pooling, the next transaction may use another backend. */
const setLocal = (settings: Record<string, string>): string =>
  Object.entries(settings)
    .map(([name, value]) => /* sql */ `SET LOCAL ${name} = ${literal(value)}`)
    .join('; ');

const settings = (traits: ServerTraits, lockTimeoutSeconds: number): string =>
  `${FIRST}; ${setLocal({
    ...guards(traits),
    ...OUTPUT_SETTINGS,
    lock_timeout: `${Math.round(lockTimeoutSeconds * 1000)}ms`,
  })}`;

/** For a statement outside a transaction block, one setting each. */
export const aloneSettings = (
  { isLinux }: Pick<ServerTraits, 'isLinux'>,
  lockSeconds: number,
): readonly { readonly set: string; readonly reset: string }[] =>
  Object.entries({
    statement_timeout: '0',
    lock_timeout: `${Math.round(lockSeconds * 1000)}ms`,
    search_path: 'pg_catalog, pg_temp',
    ...(isLinux && { client_connection_check_interval: '1s' }),
  }).map(([name, value]) => ({
    set: /* sql */ `SET ${name} = ${name === 'search_path' ? value : literal(value)}`,
    reset: /* sql */ `RESET ${name}`,
  }));

const NO_LIMITS = { statement_timeout: '0', idle_in_transaction_session_timeout: '0' };

/** The same for a program that opens its own session: PGOPTIONS of libpq. */
export const startupOptions = (traits: ServerTraits): string =>
  Object.entries({ ...NO_LIMITS, search_path: '', ...guards(traits), ...OUTPUT_SETTINGS })
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');

/** Each statement sees the data that is committed when it starts. */
export const beginReading = (traits: ServerTraits, lockTimeoutSeconds: number): string =>
  /* sql */ `BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; ${settings(traits, lockTimeoutSeconds)}`;

/** Every statement sees the data that was committed when the first one started. */
export const beginSnapshot = (traits: ServerTraits, lockTimeoutSeconds: number): string =>
  /* sql */ `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${settings(traits, lockTimeoutSeconds)}`;

/** Directly after the BEGIN of a snapshot. The transaction sees the snapshot that was exported with this name. */
export const importSnapshot = (name: string): string => /* sql */ `SET TRANSACTION SNAPSHOT ${literal(name)}`;

export const EXPORT_SNAPSHOT = /* sql */ `SELECT pg_export_snapshot() AS snapshot`;

/**
 * Not READ WRITE. Administrators and some providers set default_transaction_read_only to stop all writes, for example
 * if a disk is full. increp must not override that.
 */
export const beginWriting = (traits: ServerTraits, lockTimeoutSeconds: number): string =>
  /* sql */ `BEGIN ISOLATION LEVEL READ COMMITTED; ${settings(traits, lockTimeoutSeconds)}`;

/**
 * The default time zone for sessions that write: the setting of the database, then of all roles. A setting of the
 * role of increp says nothing about other sessions, and hides that of the server. Then log_timezone is used, because
 * initdb sets both to the same value. Run it after RESET_TIME_ZONE.
 */
const LOCAL_TIME_ZONE = /* sql */ `(
           SELECT coalesce((array_agg(zone ORDER BY database DESC) FILTER (WHERE role = 0))[1],
             current_setting(CASE WHEN bool_or(role = quote_ident(session_user)::regrole) THEN 'log_timezone' ELSE 'TimeZone' END))
           FROM (SELECT r.setrole AS role, r.setdatabase AS database, substr(setting, strpos(setting, '=') + 1) AS zone
                 FROM pg_db_role_setting r, unnest(r.setconfig) setting WHERE lower(setting) LIKE 'timezone=%'
                   AND r.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))) zones)`;

/** The time zone at the start of the session. Another client of a pooler may have changed it. */
const RESET_TIME_ZONE = /* sql */ `SET LOCAL TimeZone TO DEFAULT`;

/** A synchronous standby that does not answer must not delay the record of a run, which is all that could be lost. */
export const COMMIT_HERE = /* sql */ `
  SELECT set_config('synchronous_commit', 'local', true) WHERE current_setting('synchronous_commit') NOT IN ('off', 'local')`;

/** For an optional statement. */
export const limitStatements = (seconds: number): string =>
  /* sql */ `SET LOCAL statement_timeout = '${Math.max(1, Math.round(seconds * 1000))}ms'`;

/** Its own transaction is in pg_locks. The fence finds all other transactions there. */
const SHOWS_TRANSACTIONS = /* sql */ `EXISTS (SELECT FROM pg_locks
           WHERE pid = pg_backend_pid() AND locktype = 'virtualxid' AND virtualxid IS NOT NULL)`;
const SHOWS_WRITERS = /* sql */ `(SELECT xmin IS NOT NULL FROM pg_class LIMIT 1)`;
const SHOWS_SNAPSHOTS = /* sql */ `pg_current_snapshot() IS NOT NULL`;
/** Not to_regclass(), which fails if the role may not use the schema. */
const HAS_DSQL_CATALOG = /* sql */ `EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = 'sys' AND c.relname = 'iam_pg_role_mappings')`;

/** Each is a statement of its own, for a server that refused SERVER_IDENTITY. */
export const VERSION_TEXT = /* sql */ `SELECT version() AS version`;
export const SERVER_SIGNS = {
  transactionsInLocks: /* sql */ `BEGIN READ ONLY; SELECT ${SHOWS_TRANSACTIONS} AS found; COMMIT`,
  rowTransactionIds: /* sql */ `SELECT ${SHOWS_WRITERS} AS found`,
  snapshots: /* sql */ `SELECT ${SHOWS_SNAPSHOTS} AS found`,
  dsqlCatalog: /* sql */ `SELECT ${HAS_DSQL_CATALOG} AS found`,
} as const;

/**
 * The identity of the server. After a change of the instance, saved transaction IDs have no meaning. The allowed
 * settings depend on the version, so this begins a transaction with the minimum. The caller must end it. Only the
 * source needs pg_locks.
 */
export const serverIdentity = (
  side: string,
): string => /* sql */ `BEGIN READ ONLY; ${FIRST}; ${RESET_TIME_ZONE};
  SELECT current_setting('server_version_num')::int AS version,
         version() AS "versionText",
         version() ~ 'linux' AS "isLinux",
         ${side === 'source' ? SHOWS_TRANSACTIONS : 'true'} AS "showsTransactions",
         ${SHOWS_WRITERS} AS "showsWriters",
         ${SHOWS_SNAPSHOTS} AS "showsSnapshots",
         ${HAS_DSQL_CATALOG} AS "hasDsqlCatalog",
         (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS "databaseOid",
         current_database() AS database,
         pg_is_in_recovery() AS "isStandby",
         ${LOCAL_TIME_ZONE} AS "timeZone",
         current_setting('server_encoding') AS encoding,
         CASE WHEN current_setting('default_transaction_read_only')::bool
           THEN (SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only') END AS "readOnlyFrom",
         pg_backend_pid() AS "backendPid",
         ${MAY_MARK} AS "canMark",
         has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
           AND has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE') AS "canReadControl"`;

interface Readable {
  readonly canReadControl: boolean;
  /** False if the server does not show its WAL. */
  readonly showsWal: boolean;
}

/**
 * On a primary, the WAL shows the timeline. The control file shows a new timeline only after the first checkpoint.
 */
const WAL_TIMELINE = /* sql */ `CASE WHEN NOT pg_is_in_recovery()
    THEN ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END`;

/** The server instance that answers. */
export const serverInstance = ({ canReadControl, showsWal }: Readable): string => /* sql */ `
  SELECT concat_ws('/', extract(epoch FROM pg_postmaster_start_time()),
                   (SELECT extract(epoch FROM stats_reset) FROM pg_stat_bgwriter)) AS "startedAt",
         ${canReadControl ? '(SELECT system_identifier::text FROM pg_control_system())' : 'NULL'} AS "systemIdentifier",
         coalesce(${showsWal ? WAL_TIMELINE : 'NULL'}, ${canReadControl ? '(SELECT timeline_id FROM pg_control_checkpoint())' : 'NULL'}) AS timeline,
         extract(epoch FROM clock_timestamp())::float8 AS clock`;

/** For a separate query, after the combined query was refused. */
export const BEGIN_PLAINLY = /* sql */ `BEGIN READ ONLY; ${FIRST}`;
