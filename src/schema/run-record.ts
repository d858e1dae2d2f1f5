/** The record of one run of one table in the history: a row of `_increp_runs`, or a line of `history.jsonl`. */
import * as z from 'zod';
import { capitalized } from '../format.ts';
import { conflictCountsSchema } from '../conflicts.ts';

const count = z.number().default(0);
const text = z.string().nullable().default(null);

/** Fields with the default value may be absent. */
export const runRecordSchema = z.object({
  run_id: z.string(),
  pipeline: z.string(),
  /**
   * The destination table, with its schema in front if that is not DEST_SCHEMA. Null if the record is about `tables`.
   * In the destination the name is empty then.
   */
  table_name: text.transform((name) => (name === '' ? null : name)),
  status: z.enum(['ok', 'failed']).default('ok'),
  action: z.string().default('incremental'),
  reason: z.string().default(''),
  /** RFC 3339. */
  started_at: z.string(),
  duration_s: count,
  rows_read: count,
  rows_inserted: count,
  rows_updated: count,
  rows_unchanged: count,
  rows_deleted: count,
  /** Null in rows of older versions. */
  rows_newer: z
    .number()
    .nullable()
    .default(0)
    .transform((rows) => rows ?? 0),
  /** Null if the table does not record conflicts, or if no rows were merged. Absent in rows of older versions. */
  conflicts: conflictCountsSchema.nullable().default(null),
  bytes: count,
  cursor_before: text,
  cursor_after: text,
  warnings: z.array(z.string()).readonly().default([]),
  /** Which of `tables` have a warning of `warnings`. A warning that is not in it is about all of them. */
  warned_tables: z.record(z.string(), z.array(z.string()).readonly()).readonly().nullable().default(null),
  error_code: text,
  error_message: text,
  error_hint: text,
  sqlstate: text,
  /**
   * If the run is ok, the tables without changes, which share one record. If the run was killed or failed outside of a table,
   * the tables that it did not start; only the files have that record. Null in rows of single tables.
   */
  tables: z
    .array(z.string())
    .readonly()
    .nullable()
    .default([])
    .transform((names) => names ?? []),
  /** The process was killed, so it could not report anything itself. Only the files have that record. */
  was_killed: z.boolean().default(false),
});
export type RunRecord = Readonly<z.infer<typeof runRecordSchema>>;

/** The record with the warnings of one of its `tables` alone. */
export const recordFor = (record: RunRecord, table: string): RunRecord =>
  record.warned_tables === null
    ? record
    : { ...record, warnings: record.warnings.filter((warning) => concerns(record, warning, table)) };

const concerns = ({ warned_tables: tables }: RunRecord, warning: string, table: string): boolean =>
  tables?.[warning]?.includes(table) ?? true;

/** Rows of the destination table that a run has changed. */
export const rowsChanged = (record: RunRecord): number =>
  record.rows_inserted + record.rows_updated + record.rows_deleted;

/** Sessions that an error named have probably ended, and other sessions may have their numbers. */
const PAST_HINTS: ReadonlyMap<string, string> = new Map([
  ['LOCK_TIMEOUT', 'Run the sync again. If the table is still locked, the error names the session.'],
  ['RUN_LOCKED', 'Run the sync again. If another run still has the table, the error names that run.'],
]);

/** The next step of an error that was recorded earlier. */
export const pastHint = (code: string, hint: string): string => PAST_HINTS.get(code) ?? hint;

/** The error of a failed record. */
export const failureIn = (
  record: Pick<RunRecord, 'error_code' | 'error_message' | 'error_hint' | 'sqlstate'>,
) => ({
  code: record.error_code ?? '',
  sqlstate: record.sqlstate,
  message: record.error_message ?? '',
  hint: pastHint(record.error_code ?? '', record.error_hint ?? ''),
});

/** Errors that a plan usually finds, too. */
const FORESEEN: ReadonlySet<string | null> = new Set([
  ...['CONNECTION_FAILED', 'SSH_FAILED', 'TLS_FAILED', 'AUTHENTICATION_FAILED', 'PRIVILEGE_MISSING'],
  ...['TABLE_NOT_FOUND', 'COLUMN_NOT_FOUND', 'KEY_TYPE_UNSUPPORTED', 'TYPE_UNSUPPORTED', 'SQL_INVALID'],
  ...['STATE_MISMATCH', 'DESTINATION_NOT_OURS', 'STAGING_NAME_CONFLICT', 'SCHEMA_CHANGE_REFUSED'],
  'DEPENDENT_OBJECTS',
]);

/** Errors that a plan decides. If it has none of them, a sync has none either. */
const DECIDED: ReadonlySet<string> = new Set([
  ...['SCHEMA_CHANGE_REFUSED', 'STATE_MISMATCH', 'DESTINATION_NOT_OURS', 'KEY_TYPE_UNSUPPORTED'],
]);

/** A plan decides these for the table itself, but not for a deletion log. */
const DECIDED_FOR_TABLE: ReadonlySet<string> = new Set([
  'TABLE_NOT_FOUND',
  'COLUMN_NOT_FOUND',
  'SQL_INVALID',
]);

/** The server itself refuses what no plan tries, such as a function in a trigger. Its errors have an SQLSTATE. */
const isRightOfTable = ({ code, sqlstate }: ReturnType<typeof failureIn>): boolean =>
  code === 'PRIVILEGE_MISSING' && sqlstate === null;

const CONNECTING: ReadonlySet<string> = new Set([
  ...['CONNECTION_FAILED', 'SSH_FAILED', 'TLS_FAILED', 'AUTHENTICATION_FAILED', 'TOO_MANY_CONNECTIONS'],
  'NOT_POSTGRES',
]);

/** The server is starting or stopping. */
const CANNOT_CONNECT_NOW = '57P03';

/**
 * What is known since the failure: a plan of the table has no error, or has none but did not read the deletion log, or answers
 * the failure; the load that failed is due for another reason; a comparison found the table equal; both servers answer for the table, or only for others; or the files of the
 * configuration changed.
 */
export type KnownSince =
  | 'planned'
  | 'planned-without-log'
  | 'settled'
  | 'loads-otherwise'
  | 'equal'
  | 'answered'
  | 'connected'
  | 'reconfigured';

interface Planned {
  readonly deletionLog: unknown;
  /** Whether the destination table needs no new shape. */
  readonly keepsShape: boolean;
  /** Whether increp may create the staging table. A plan of a table without changes does not ask. */
  readonly mayStage: boolean;
  /** Whether the plan is a load that `delete_limit` allows. */
  readonly mayLoad?: boolean;
  /** Why the table is loaded, if nothing shows how many rows that removes. */
  readonly loadsBecause?: string | undefined;
}

/** For a plan of the table without an error. */
export function plannedSince(
  { error_code: code, error_hint: hint, action }: Pick<RunRecord, 'error_code' | 'error_hint' | 'action'>,
  { deletionLog, keepsShape, mayStage, mayLoad = false, loadsBecause }: Planned,
): KnownSince {
  if (code === 'PRIVILEGE_MISSING' && !mayStage) return 'answered';
  if (code === 'DEPENDENT_OBJECTS' && keepsShape) return 'settled';
  if (code === 'DELETE_LIMIT_EXCEEDED' && action === 'reset') {
    // For example after a setting was put back.
    if (keepsShape || mayLoad) return 'settled';
    if (loadsBecause !== undefined && hint?.includes(loadsBecause) !== true) return 'loads-otherwise';
  }
  return deletionLog === undefined ? 'planned' : 'planned-without-log';
}

/** Whether a later comparison has found none of the rows that the sync refused to remove. @param equalAt RFC 3339 */
export const isEqualSince = (
  { error_code: code, started_at }: Pick<RunRecord, 'error_code' | 'started_at'>,
  equalAt: string | undefined,
): boolean =>
  code === 'DELETE_LIMIT_EXCEEDED' && equalAt !== undefined && new Date(equalAt) > new Date(started_at);

/** By the action of the plan. */
const nextSync = (action: string | undefined): string =>
  action === 'initial'
    ? 'loads the table'
    : action === 'reset' || action === 'full-refresh'
      ? 'loads the table again'
      : 'continues';

/** A message of several lines ends with an excerpt. */
function continued(message: string, sentence: string): string {
  const between = message.includes('\n') ? '\n' : /[.?]$/.test(message) ? ' ' : '; ';
  return `${message}${between}${between === '; ' ? sentence : capitalized(sentence)}`;
}

const NEXT_SYNC_SAYS = 'The next sync names the objects that are still there.';

/** The failure, with what is known since. `action` is that of the plan. */
export function failureBefore(
  record: Parameters<typeof failureIn>[0],
  known: KnownSince = 'answered',
  action?: string,
): ReturnType<typeof failureIn> {
  const failure = failureIn(record);
  const { code, sqlstate } = failure;
  const since = (sentence: string, hint = failure.hint) => ({
    ...failure,
    message: continued(failure.message, sentence),
    hint,
  });
  const isPlanned = known === 'planned' || known === 'planned-without-log';
  // Not "continues": the shape may have changed since the comparison.
  if (known === 'equal')
    return {
      ...failure,
      hint: 'A later comparison found the table equal, so the next successful sync ends this failure.',
    };
  if (
    known === 'settled' ||
    (isPlanned && DECIDED.has(code)) ||
    (known === 'planned' && (DECIDED_FOR_TABLE.has(code) || isRightOfTable(failure)))
  )
    return since(`the cause no longer applies, so the next sync ${nextSync(action)}`, '');
  if (known === 'loads-otherwise')
    return since(
      'the next sync loads the table for another reason',
      'To see what it removes, run "increp plan".',
    );
  if (known === 'reconfigured')
    return FORESEEN.has(code)
      ? since('the configuration changed after this failure, so the cause may be fixed since')
      : failure;
  if (CONNECTING.has(code) || sqlstate === CANNOT_CONNECT_NOW) return since('both servers answer now', '');
  if (known === 'connected') return failure;
  if (!FORESEEN.has(code) && code !== 'LOCK_TIMEOUT') return failure;
  // A plan has no error, so the objects may be gone, and the statement would drop what is there now.
  const isSuperseded = isPlanned && code === 'DEPENDENT_OBJECTS';
  return since('the cause may be fixed since', isSuperseded ? NEXT_SYNC_SAYS : failure.hint);
}

/** Whether the table was reset after the failure, which answers it. */
export const isBeforeReset = (
  { started_at }: Pick<RunRecord, 'started_at'>,
  resetAt: Date | undefined,
): boolean => resetAt !== undefined && new Date(started_at) <= resetAt;

/** How a failed record is called: if another run held the table, or a signal ended the run, nothing has failed. */
export const failureWord = ({
  error_code: code,
  was_killed,
}: RunRecord): 'failed' | 'killed' | 'interrupted' | 'busy' =>
  code === 'RUN_LOCKED' ? 'busy' : was_killed ? 'killed' : code === 'INTERRUPTED' ? 'interrupted' : 'failed';

interface EndedRun {
  readonly status: 'ok' | 'partial' | 'failed';
  readonly tables: readonly RunRecord[];
  /** The failure of the run as a whole, otherwise of the first table that failed. */
  readonly failure: RunRecord | undefined;
  /** Whether it is still running. */
  readonly isRunning?: boolean;
}

export type RunWord = EndedRun['status'] | 'running' | Exclude<ReturnType<typeof failureWord>, 'failed'>;

/** The result of a run: the worst that happened in it. */
export function resultOf({ status, tables, failure, isRunning = false }: EndedRun): RunWord {
  if (isRunning) return 'running';
  const failures = [failure, ...tables.filter((table) => table.status === 'failed')];
  const words = new Set(failures.flatMap((record) => (record ? [failureWord(record)] : [])));
  if (words.has('failed')) return status;
  return (['killed', 'interrupted', 'busy'] as const).find((word) => words.has(word)) ?? status;
}
