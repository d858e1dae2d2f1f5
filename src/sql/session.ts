/** Transactions that behave the same whatever is set on the role, the database or a pooler in between. */
import { literal } from './identifiers.ts';
import { MAY_MARK } from './reader-mark.ts';
import { PINNED_PATH } from './search-path.ts';

/** How values print and parse. Both sides get the same, so text that leaves one is read back alike by the other. */
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
  // Switched off, an array's NULL is read as the word.
  array_nulls: 'on',
  // Switched on, format_type() quotes names of types that are compared with ours.
  quote_all_identifiers: 'off',
} as const;

const GUARD_SETTINGS = {
  // At debug5 the server would say more than the table holds.
  client_min_messages: 'warning',
  // A table whose rows are filtered for us is an error, never a short copy.
  row_security: 'off',
  // A dead peer ends a long copy (and the check below), where FIRST leaves no other limit.
  tcp_keepalives_idle: '30',
  tcp_keepalives_interval: '10',
  tcp_keepalives_count: '3',
  // It would also count against us the time for which the other side makes us wait.
  tcp_user_timeout: '0',
} as const;

/** What a server offers beyond version 14. */
export interface ServerTraits {
  /** server_version_num, e.g. 150018. */
  readonly version: number;
  readonly isLinux: boolean;
}

function guards({ version, isLinux }: ServerTraits): Record<string, string> {
  return {
    ...GUARD_SETTINGS,
    // A backend in a long statement notices that we are gone. Only some platforms can (PostgreSQL 14).
    ...(isLinux ? { client_connection_check_interval: '1s' } : {}),
    ...(version >= 170000 ? { transaction_timeout: '0' } : {}),
  };
}

/**
 * In front of everything else: a role's own limits, which must not cut a long copy short, may endanger every statement.
 */
const FIRST = /* sql */ `SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
  ${PINNED_PATH}`;

/** SET LOCAL, never SET: in transaction pooling the next transaction may be on another backend. */
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

const NO_LIMITS = { statement_timeout: '0', idle_in_transaction_session_timeout: '0' };

/** The same for a program that opens a session of its own: libpq's PGOPTIONS. */
export const startupOptions = (traits: ServerTraits): string =>
  Object.entries({ ...NO_LIMITS, search_path: '', ...guards(traits), ...OUTPUT_SETTINGS })
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');

/** Each statement sees what is committed when it starts. */
export const beginReading = (traits: ServerTraits, lockTimeoutSeconds: number): string =>
  /* sql */ `BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; ${settings(traits, lockTimeoutSeconds)}`;

/** Every statement sees what was committed when the first one started. */
export const beginSnapshot = (traits: ServerTraits, lockTimeoutSeconds: number): string =>
  /* sql */ `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${settings(traits, lockTimeoutSeconds)}`;

/** Right behind the BEGIN of a snapshot: it sees what the one sees that was exported by this name. */
export const importSnapshot = (name: string): string => /* sql */ `SET TRANSACTION SNAPSHOT ${literal(name)}`;

export const EXPORT_SNAPSHOT = /* sql */ `SELECT pg_export_snapshot() AS snapshot`;

/**
 * Not READ WRITE: default_transaction_read_only is how people, and some providers when a disk fills up, ask everybody
 * to stop writing. A brake is not ours to lift.
 */
export const beginWriting = (traits: ServerTraits, lockTimeoutSeconds: number): string =>
  /* sql */ `BEGIN ISOLATION LEVEL READ COMMITTED; ${settings(traits, lockTimeoutSeconds)}`;

/**
 * Of those who write to the database: its own setting, then the one for all roles. A setting of our role is nobody's clock,
 * and hides that of the server. Then the zone of the server's log tells: initdb gives both the same. Behind RESET_TIME_ZONE.
 */
const LOCAL_TIME_ZONE = /* sql */ `(
           SELECT coalesce((array_agg(zone ORDER BY database DESC) FILTER (WHERE role = 0))[1],
             current_setting(CASE WHEN bool_or(role = quote_ident(session_user)::regrole) THEN 'log_timezone' ELSE 'TimeZone' END))
           FROM (SELECT r.setrole AS role, r.setdatabase AS database, substr(setting, strpos(setting, '=') + 1) AS zone
                 FROM pg_db_role_setting r, unnest(r.setconfig) setting WHERE lower(setting) LIKE 'timezone=%'
                   AND r.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))) zones)`;

/** The time zone that the session began with. Another client of a pooler may have set a different one. */
const RESET_TIME_ZONE = /* sql */ `SET LOCAL TimeZone TO DEFAULT`;

/** A synchronous standby that does not answer is not worth waiting for where the record of a run is all that could be lost. */
export const COMMIT_HERE = /* sql */ `
  SELECT set_config('synchronous_commit', 'local', true) WHERE current_setting('synchronous_commit') NOT IN ('off', 'local')`;

/** For what may be left undone. */
export const limitStatements = (seconds: number): string =>
  /* sql */ `SET LOCAL statement_timeout = '${Math.max(1, Math.round(seconds * 1000))}ms'`;

/**
 * Who the server is. A changed incarnation means that transaction names from before mean nothing. What one may set
 * depends on the version, so this begins a transaction with the least; whoever asks has to end it.
 */
export const SERVER_IDENTITY = /* sql */ `BEGIN READ ONLY; ${FIRST}; ${RESET_TIME_ZONE};
  SELECT current_setting('server_version_num')::int AS version,
         version() ~ 'linux' AS "isLinux",
         (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS "databaseOid",
         current_database() AS database,
         pg_is_in_recovery() AS "isStandby",
         ${LOCAL_TIME_ZONE} AS "timeZone",
         current_setting('server_encoding') AS encoding,
         current_setting('default_transaction_read_only')::bool AS "isReadOnly",
         pg_backend_pid() AS "backendPid",
         ${MAY_MARK} AS "canMark",
         has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
           AND has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE') AS "canReadControl"`;

interface Readable {
  readonly canReadControl: boolean;
  /** False where the server has no WAL that it shows. */
  readonly showsWal: boolean;
}

/** Of a primary the WAL tells; the control file names a new timeline only with the first checkpoint after a promotion. */
const WAL_TIMELINE = /* sql */ `CASE WHEN NOT pg_is_in_recovery()
    THEN ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END`;

/** Which instance of a server answers. */
export const serverInstance = ({ canReadControl, showsWal }: Readable): string => /* sql */ `
  SELECT concat_ws('/', extract(epoch FROM pg_postmaster_start_time()),
                   (SELECT extract(epoch FROM stats_reset) FROM pg_stat_bgwriter)) AS "startedAt",
         ${canReadControl ? '(SELECT system_identifier::text FROM pg_control_system())' : 'NULL'} AS "systemIdentifier",
         coalesce(${showsWal ? WAL_TIMELINE : 'NULL'}, ${canReadControl ? '(SELECT timeline_id FROM pg_control_checkpoint())' : 'NULL'}) AS timeline`;

/** For a question of its own, where the one above was refused. */
export const BEGIN_PLAINLY = /* sql */ `BEGIN READ ONLY; ${FIRST}`;
