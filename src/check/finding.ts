/** One result of `check`. */
import type { ErrorCode, IncrepError } from '../errors.ts';

/** Beside the codes of errors. docs/check.md says what each means; a test compares. */
export const FINDING_CODES = [
  'APPLIED_ROWS',
  'BUILT_ON',
  'CHANGING_SQL',
  'CLOCKS',
  'CONFLICT_KEY',
  'CONFLICT_TRIGGER',
  'DESTINATION_CONSTRAINT',
  'DISABLED',
  'DRIFT',
  'EVENT_TRIGGER',
  'FUTURE_KEYS',
  'KEY_NOT_INDEXED',
  'KEYS_FAR_AHEAD',
  'LATE_ROWS',
  'LEGACY_STATE',
  'LOADER',
  'LOAD_REMOVES',
  'LOCAL_TIME',
  'LONG_TRANSACTION',
  'MERGE_KEY_NOT_ENFORCED',
  'METRICS_TEXTFILE',
  'NAME_CUT',
  'NOT_ENCRYPTED',
  'NOT_OWNER',
  'NOT_VERIFIED',
  'NULL_KEYS',
  'PATTERN_UNMATCHED',
  'PG_DUMP',
  'PREPARED_TRANSACTION',
  'PUBLISHED',
  'QUERY_COST',
  'ROW_SIZE',
  'SEES_INSERTS',
  'SEQUENCE_BEHIND',
  'SEQUENCE_CACHE',
  'SEQUENCE_POOL',
  'SERVERS',
  'SETTINGS',
  'SOURCE_ROLE_CAN_CREATE',
  'SOURCE_ROLE_CAN_WRITE',
  'SOURCE_ROLE_POWERFUL',
  'STANDBY',
  'STATE',
  'STATE_FILESYSTEM',
  'STATE_SPACE',
  'STATE_STRANGERS',
  'UNKNOWN_COPY',
  'URL_PARAMETER',
  'USABLE_KEY',
  'VERSIONS',
  'VERSION_UNTESTED',
  'WEBHOOK',
  'WEBHOOK_FAILED',
  'WHERE_KEEPS_ROWS',
  'WHOLE_DAYS',
] as const;

export type FindingCode = (typeof FINDING_CODES)[number];

export interface Finding {
  readonly level: 'error' | 'warning' | 'note';
  /** Stable, for scripts. */
  readonly code: FindingCode | ErrorCode;
  /** The table it is about; undefined for the pipeline as a whole. */
  readonly table: string | undefined;
  readonly message: string;
  /** What to do; undefined where nothing has to be done. */
  readonly action: string | undefined;
  /** What `check` exits with when this is the worst; set for errors. */
  readonly exitCode?: number | undefined;
  /** False for an error that does not keep a sync from working. */
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
