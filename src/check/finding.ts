/** One result of `check`. */
import type { ErrorCode, IncrepError } from '../errors.ts';

/** The codes of findings that are not errors. docs/check.md explains each; a test compares. */
export const FINDING_CODES = [
  'APPLIED_ROWS',
  'CLOCK_SKEW',
  'COLUMN_REMOVED',
  'CONFLICTS',
  'CONFLICT_KEY',
  'CONFLICT_TRIGGER',
  'CONNECTIONS',
  'DELETED_ROWS',
  'DELETION_LOG_FILLED',
  'DELETION_LOG_NOT_INDEXED',
  'DESTINATION_CONSTRAINT',
  'DISABLED',
  'DRIFT',
  'EVENT_TRIGGER',
  'EXCLUDED_COLUMN_KEPT',
  'FUTURE_KEYS',
  'KEYS_FAR_AHEAD',
  'KEY_AVAILABLE',
  'KEY_DAY_GRANULARITY',
  'KEY_INSERT_ONLY',
  'KEY_IN_UNIQUE_COLS',
  'KEY_NOT_INDEXED',
  'KEY_WITHOUT_TRIGGER',
  'KEPT_ROWS',
  'LARGE_LOAD',
  'LARGE_OBJECTS',
  'LAST_SYNC_FAILED',
  'LATE_VISIBILITY',
  'LEGACY_STATE',
  'LOADER',
  'LOAD_REMOVES',
  'LOCAL_TIME',
  'LOCK_TABLE',
  'LONG_TRANSACTION',
  'MERGE_KEY_NOT_ENFORCED',
  'METRICS_TEXTFILE',
  'NAME_TRUNCATED',
  'NOT_ENCRYPTED',
  'NOT_OWNER',
  'NOT_VERIFIED',
  'NULL_KEYS',
  'OBJECT_LEFT_OUT',
  'OBJECT_MISSING',
  'PATTERN_UNMATCHED',
  'PG_DUMP',
  'PREPARED_TRANSACTION',
  'PUBLISHED',
  'QUERY_COST',
  'READ_AGAIN',
  'ROW_SIZE',
  'ROW_TRIGGER',
  'SCHEMA_MISSING',
  'SEQUENCE_BEHIND',
  'SEQUENCE_CACHE',
  'SEQUENCE_POOL',
  'SERVER_INFO',
  'SETTINGS',
  'SOURCE_ROLE_CAN_CREATE',
  'SOURCE_ROLE_CAN_WRITE',
  'SOURCE_ROLE_EXCESS_PRIVILEGES',
  'STANDBY',
  'STANDBY_REPLAY',
  'STATE',
  'STATE_FILESYSTEM',
  'STATE_SPACE',
  'STATE_UNKNOWN_FILES',
  'TABLE_NOT_MANAGED',
  'TRANSFORM_NAME',
  'URL_PARAMETER',
  'VERSIONS',
  'VERSION_UNTESTED',
  'VOLATILE_SQL',
  'WEBHOOK',
  'WEBHOOK_FAILED',
  'WHERE_LEAVES_ROWS',
] as const;

/** A predicted error may have a lower level than the error itself. */
export type FindingCode = (typeof FINDING_CODES)[number] | ErrorCode;

export interface Finding {
  readonly level: 'error' | 'warning' | 'note';
  /** Stable, for scripts. */
  readonly code: FindingCode;
  /** The table; undefined for the pipeline as a whole. */
  readonly table: string | undefined;
  readonly message: string;
  /** The fix; undefined if none is needed. */
  readonly action: string | undefined;
  /** The exit code of `check` if this is the worst finding. Set for errors. */
  readonly exitCode?: number | undefined;
  /** False for an error that does not stop a sync. */
  readonly stopsSync?: boolean | undefined;
}

export const warning = (
  code: FindingCode,
  table: string | undefined,
  message: string,
  action: string,
): Finding => ({ level: 'warning', code, table, message, action });

export const note = (
  code: FindingCode,
  table: string | undefined,
  message: string,
  action?: string,
): Finding => ({ level: 'note', code, table, message, action });

export const failureFinding = (error: IncrepError, table?: string): Finding => ({
  level: 'error',
  code: error.code,
  table,
  message: error.message,
  action: error.next,
  exitCode: error.exitCode,
});
