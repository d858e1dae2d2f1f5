/** The errors of increp. Each code has an exit code and says whether a retry can help. */

interface ErrorClass {
  /**
   * The exit code of the process if a command ends with this error. The numbers follow sysexits.h where it has a
   * fitting name.
   */
  readonly exitCode: number;
  /** True if a retry may succeed a little later. */
  readonly isTransient: boolean;
  /** One sentence for the documentation. */
  readonly meaning: string;
}

const permanent = (exitCode: number, meaning: string): ErrorClass => ({
  exitCode,
  isTransient: false,
  meaning,
});
const transient = (exitCode: number, meaning: string): ErrorClass => ({
  exitCode,
  isTransient: true,
  meaning,
});

export const ERROR_CLASSES = {
  USAGE: permanent(64, 'The command line is not valid.'),
  CONFIG_INVALID: permanent(
    78,
    'A setting is missing, unknown or malformed, or contradicts another setting.',
  ),
  NOT_SUPPORTED: permanent(78, 'The server, a proxy or this machine is not supported.'),
  NOT_POSTGRES: permanent(78, 'The server speaks the protocol of PostgreSQL, but is another product.'),
  SAME_DATABASE: permanent(78, 'Source and destination are the same schema of the same database.'),
  TABLE_NOT_FOUND: permanent(78, 'A configured table does not exist at the source.'),
  COLUMN_NOT_FOUND: permanent(78, 'A configured column does not exist in its table.'),
  SQL_INVALID: permanent(78, 'The source cannot evaluate the SQL of a table: `where`, `transform`, `query`.'),
  KEY_TYPE_UNSUPPORTED: permanent(78, 'The replication key has a type that cannot order changes.'),
  TYPE_UNSUPPORTED: permanent(78, 'A column has a type that cannot be copied as configured.'),
  TYPE_MISMATCH: permanent(1, 'A type has different definitions at the source and the destination.'),
  CONNECTION_FAILED: transient(69, 'A database cannot be reached.'),
  SSH_FAILED: transient(69, 'An SSH tunnel to a database cannot be opened.'),
  TLS_FAILED: permanent(
    69,
    'A connection cannot be encrypted as sslmode requires, or a certificate was refused.',
  ),
  CONNECTION_LOST: transient(69, 'A database stopped answering during the run.'),
  COMMIT_UNCONFIRMED: permanent(69, 'No synchronous standby of the destination confirmed a commit.'),
  SERVER_CHANGED: transient(69, 'The server instance changed during the sync of the table.'),
  TOO_MANY_CONNECTIONS: transient(69, 'A database accepts no more connections.'),
  AUTHENTICATION_FAILED: permanent(
    77,
    'A database refused the user name or the password, or a password command failed.',
  ),
  PRIVILEGE_MISSING: permanent(77, 'A database role lacks a privilege that increp needs.'),
  ROW_SECURITY: permanent(77, 'Row-level security would hide rows of the source from increp.'),
  RUN_LOCKED: permanent(75, 'Another run holds the lock of the table.'),
  LOCK_TIMEOUT: transient(1, 'Another session held a lock on the table for too long.'),
  CONFLICT: transient(
    1,
    'The server cancelled the transaction of increp to resolve a deadlock or a conflict.',
  ),
  CONFLICT_LOG: permanent(1, 'The table `_increp_conflicts` cannot record the conflicts of a table.'),
  SCHEMA_CHANGED: transient(1, 'The source table or the destination table changed during its sync.'),
  TIMEOUT: permanent(1, 'A server cancelled a statement because of a time limit.'),
  STAGING_NAME_CONFLICT: permanent(1, 'Another table has the name of the staging table.'),
  DESTINATION_NOT_OURS: permanent(1, 'The destination table has rows that increp did not write.'),
  DEPENDENT_OBJECTS: permanent(
    1,
    'Objects that depend on the destination table would not survive the change.',
  ),
  CONSTRAINT_VIOLATED: permanent(1, 'A constraint of a destination table refuses rows of the source.'),
  NO_REPLICA_IDENTITY: permanent(1, 'The destination table is published and has no replica identity.'),
  SCHEMA_CHANGE_REFUSED: permanent(
    1,
    'The source table or a setting changed, and "on_schema_change" is "fail".',
  ),
  MERGE_KEY_NOT_UNIQUE: permanent(1, 'The unique key does not identify rows.'),
  STATE_MISMATCH: permanent(1, 'The saved state belongs to another pipeline, source or destination.'),
  STATE_NOT_WRITABLE: permanent(1, 'The state directory cannot be read or written.'),
  DUMP_FAILED: permanent(1, 'pg_dump or pg_restore failed.'),
  DELETE_LIMIT_EXCEEDED: permanent(1, 'A run would remove more rows than delete_limit allows.'),
  NOT_SYNCED: permanent(
    1,
    'This pipeline has not synced the destination table, so there is nothing to compare or set.',
  ),
  VERIFY_FAILED: permanent(2, 'The copied rows differ from the source.'),
  ENCODING_MISMATCH: permanent(1, 'A text cannot be represented in the encoding of the other database.'),
  ROW_COUNT_MISMATCH: permanent(1, 'Fewer rows arrived than the source sent.'),
  DISK_FULL: permanent(1, 'A server has no disk space left.'),
  READ_ONLY: permanent(1, 'The destination does not accept writes.'),
  QUERY_FAILED: permanent(1, 'A server refused a statement.'),
  INTERRUPTED: permanent(130, 'The run was stopped by a signal.'),
  INTERNAL: permanent(70, 'A bug in increp.'),
} as const satisfies Record<string, ErrorClass>;

export type ErrorCode = keyof typeof ERROR_CLASSES;

/** What a database is for increp, in the words of messages. */
export type DatabaseSide = 'source' | 'destination' | 'control database';

interface ErrorText {
  /** What happened, with the name of the object, in one sentence without a hint. */
  readonly what: string;
  /** What the operator should do next. */
  readonly next: string;
  /** SQLSTATE, if a server refused a statement. */
  readonly sqlstate?: string | undefined;
  /** The database of a server that failed or refused a statement. */
  readonly side?: DatabaseSide | undefined;
  /** The configured column that does not exist. */
  readonly column?: string | undefined;
  readonly cause?: unknown;
  /** Overrides the exit code of the class. Only signals use it (129, 130 or 143). */
  readonly exitCode?: number | undefined;
  /** False if increp has already retried long enough. */
  readonly isTransient?: false;
}

/** An error that the operator can act on. Any other thrown value is a bug. */
export class IncrepError extends Error {
  override readonly name = 'IncrepError';
  readonly code: ErrorCode;
  readonly next: string;
  readonly sqlstate: string | undefined;
  readonly side: DatabaseSide | undefined;
  readonly column: string | undefined;
  readonly exitCode: number;
  readonly isTransient: boolean;

  constructor(code: ErrorCode, text: ErrorText) {
    super(text.what, { cause: text.cause });
    this.code = code;
    this.next = text.next;
    this.sqlstate = text.sqlstate;
    this.side = text.side;
    this.column = text.column;
    this.exitCode = text.exitCode ?? ERROR_CLASSES[code].exitCode;
    this.isTransient = text.isTransient ?? ERROR_CLASSES[code].isTransient;
  }
}

/** The same error with another text. */
export const reworded = (
  { code, sqlstate, side, column, cause, exitCode, isTransient }: IncrepError,
  words: Pick<ErrorText, 'what' | 'next'> & { readonly cause?: unknown },
): IncrepError =>
  new IncrepError(code, {
    sqlstate,
    side,
    column,
    cause,
    exitCode,
    ...(!isTransient && { isTransient }),
    ...words,
  });

/** Converts any thrown value to an IncrepError. A value that is not an IncrepError is reported as a bug. */
export function asIncrepError(thrown: unknown): IncrepError {
  if (thrown instanceof IncrepError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new IncrepError('INTERNAL', {
    what: message,
    next: 'This is a bug. Please report it with the output of the same command with -v.',
    cause: thrown,
  });
}

/**
 * The exit code of a command over `total` tables: 3 if some of them failed. If all failed with one code, it is that code,
 * otherwise 1.
 */
export function exitCodeOfTables(failed: readonly number[], total: number): number {
  const [first = 0] = failed;
  if (failed.length < total) return failed.length === 0 ? 0 : 3;
  return new Set(failed).size > 1 ? 1 : first;
}

/** The result of work that may fail for one table, or one statement, without stopping the others. */
export type Attempted<T> =
  { readonly kind: 'done'; readonly value: T } | { readonly kind: 'failed'; readonly error: IncrepError };

export const done = <T>(value: T): Attempted<T> => ({ kind: 'done', value });
export const failedWith = (error: IncrepError): Attempted<never> => ({ kind: 'failed', error });

export async function attempt<T>(work: () => Promise<T>): Promise<Attempted<T>> {
  try {
    return done(await work());
  } catch (error) {
    return failedWith(asIncrepError(error));
  }
}
