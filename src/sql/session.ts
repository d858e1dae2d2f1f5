/** Transactions that behave the same whatever is set on the role, the database or a pooler in between. */
import { literal } from './identifiers.ts';

/** How values print and parse. Both sides get the same, so text that leaves one is read back alike by the other. */
const OUTPUT_SETTINGS = {
  search_path: '',
  TimeZone: 'UTC',
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  extra_float_digits: '3',
  bytea_output: 'hex',
  lc_monetary: 'C',
  xmloption: 'content',
} as const;

const GUARD_SETTINGS = {
  // A table whose rows are filtered for us is an error, never a short copy.
  row_security: 'off',
  // A role's own limits must not cut a long copy short; a dead peer ends it (tcp_* and the check below).
  statement_timeout: '0',
  idle_in_transaction_session_timeout: '0',
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

/** SET LOCAL, never SET: in transaction pooling the next transaction may be on another backend. */
const setLocal = (settings: Record<string, string>): string =>
  Object.entries(settings)
    .map(([name, value]) => /* sql */ `SET LOCAL ${name} = ${literal(value)}`)
    .join('; ');

const settings = (traits: ServerTraits, lockTimeoutSeconds: number): string =>
  setLocal({
    ...OUTPUT_SETTINGS,
    ...guards(traits),
    lock_timeout: `${Math.round(lockTimeoutSeconds * 1000)}ms`,
  });

/** Each statement sees what is committed when it starts. */
export const beginReading = (traits: ServerTraits, lockTimeoutSeconds: number): string =>
  /* sql */ `BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; ${settings(traits, lockTimeoutSeconds)}`;

/** Every statement sees what was committed when the first one started. */
export const beginSnapshot = (traits: ServerTraits, lockTimeoutSeconds: number): string =>
  /* sql */ `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${settings(traits, lockTimeoutSeconds)}`;

export const beginWriting = (traits: ServerTraits, lockTimeoutSeconds: number): string =>
  /* sql */ `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; ${settings(traits, lockTimeoutSeconds)}`;

/** Who the server is. A changed incarnation means that transaction names from before mean nothing. */
export const SERVER_IDENTITY = /* sql */ `
  SELECT current_setting('server_version_num')::int AS version,
         version() ~ 'linux' AS "isLinux",
         (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS "databaseOid",
         current_database() AS database,
         pg_is_in_recovery() AS "isStandby",
         current_setting('default_transaction_read_only') = 'on' AS "isReadOnly",
         concat_ws('/', extract(epoch FROM pg_postmaster_start_time()),
                   (SELECT extract(epoch FROM stats_reset) FROM pg_stat_bgwriter)) AS "startedAt",
         (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone') AS "timeZone",
         current_setting('server_encoding') AS encoding,
         has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
           AND has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE') AS "canReadControl"`;

export const CONTROL_DATA = /* sql */ `
  SELECT (SELECT system_identifier::text FROM pg_control_system()) AS "systemIdentifier",
         (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline`;
