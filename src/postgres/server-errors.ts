/** What a server or a socket says, as an error that a person can act on. */
import { IncrepError, type ErrorCode } from '../errors.ts';
import { shellWord } from '../shell-word.ts';
import { endpointOf, type Endpoint } from './endpoint.ts';
import { isMissingInside } from './usual-path.ts';
import { SQLSTATE } from './sqlstate.ts';

interface Verdict {
  readonly code: ErrorCode;
  readonly next: (endpoint: Endpoint, message: string) => string;
}

const networkAndLog = ({ side }: Endpoint): string =>
  `Look at the log of the ${side}'s server and at the network in between, then run increp again: it continues where the last run ended.`;
const variable = ({ side }: Endpoint): string => (side === 'source' ? 'SOURCE' : 'DEST');

/** The functions of the server that make an entry of an index, and of a B-tree. */
const keyTooLong: Verdict = {
  code: 'QUERY_FAILED',
  next: () =>
    'A value of unique_cols is too long for an index, which takes about 2,700 bytes. Name shorter columns in unique_cols. Or let a query compute a hash of that column and name the hash (docs/selection.md), or read the table in mode "full-refresh" without unique_cols.',
};

const unknownDatabase: Verdict = {
  code: 'CONNECTION_FAILED',
  next: (endpoint) =>
    `Correct ${variable(endpoint)}_DB, or create that database. To list those that are there: psql -l ${endpoint.door} -U ${shellWord(endpoint.role)}`,
};
const noIdentity: Verdict = {
  code: 'NO_REPLICA_IDENTITY',
  next: () => 'At the destination, run: ALTER TABLE ... REPLICA IDENTITY FULL, with the name of that table.',
};
const badLogin: Verdict = {
  code: 'AUTHENTICATION_FAILED',
  next: (endpoint, message) =>
    /no encryption/.test(message)
      ? `Set ${variable(endpoint)}_SSLMODE to "require" or more, or look at pg_hba.conf on that server.`
      : /client certificate/.test(message)
        ? `Set ${variable(endpoint)}_SSLCERT and ${variable(endpoint)}_SSLKEY, and look at pg_hba.conf on that server.`
        : `Check ${variable(endpoint)}_USERNAME and ${variable(endpoint)}_PASSWORD (or its URL), and pg_hba.conf on that server. To try them: psql ${endpoint.login}`,
};

/** Never altered to something that fits: a copy with question marks in it would look complete. */
const unwritableText: Verdict = {
  code: 'ENCODING_MISMATCH',
  next: ({ side }) =>
    side === 'destination'
      ? 'Nothing was changed. Make the destination database with ENCODING UTF8, or correct that text at the source.'
      : 'Nothing was changed. Correct that text at the source: it has no meaning in Unicode.',
};

/** Of a table below a view, which the catalog does not show; of the table itself the plan says it earlier. */
const hiddenRows: Verdict = {
  code: 'ROW_SECURITY',
  next: ({ role }) =>
    `A copy without those rows would look complete. Give BYPASSRLS to the role that reads that table: "${role}", or the owner of a view over it.`,
};

/** What a standby says to whoever is in the way of what it replays; also to pg_dump. */
export const RECOVERY_CONFLICT = /conflict with recovery/;
const recoveryConflict: Verdict = {
  code: 'CONFLICT',
  next: () =>
    'Raise max_standby_streaming_delay on that standby or set hot_standby_feedback = on, then run increp again.',
};

/** For a name that is not found in a function of people: SQLSTATEs as in usual-path.ts. */
export const NAME_INSIDE =
  'A function of that database uses a name without a schema, and the search_path of the role does not have it. Give the function a path of its own: ALTER FUNCTION ... SET search_path = public. Triggers, event triggers, indexes, checks and views may call it.';

/** By SQLSTATE, longest prefix first (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const VERDICTS: Record<string, Verdict> = {
  '28': badLogin,
  '3D000': unknownDatabase,
  '42501': {
    code: 'PRIVILEGE_MISSING',
    next: (endpoint) =>
      `Grant it to role "${endpoint.role}" on the ${endpoint.side}; docs/setup.md lists what each side needs.`,
  },
  '53300': {
    code: 'TOO_MANY_CONNECTIONS',
    next: () =>
      'See who takes them (SELECT usename, application_name, count(*) FROM pg_stat_activity GROUP BY 1, 2), and raise max_connections or the CONNECTION LIMIT of the role or database. increp needs two or three on each side.',
  },
  '54000': {
    code: 'QUERY_FAILED',
    next: () =>
      'A row is too long for the server. Columns of types of your own are longer as text: set "types" to "native" for this table. Or leave long columns out with "exclude_columns".',
  },
  '53100': {
    code: 'DISK_FULL',
    next: () => 'Free some room on that server, then run increp again: nothing was lost.',
  },
  '53': { code: 'QUERY_FAILED', next: () => 'That server lacks a resource; see its log.' },
  '55P03': {
    code: 'LOCK_TIMEOUT',
    next: ({ side }) =>
      `Find the session that holds the lock at the ${side} (pg_locks, pg_stat_activity), or run increp again later.`,
  },
  '40': {
    code: 'CONFLICT',
    next: () =>
      "Another session works on the same rows: that server's log names it. Run increp again when it is done.",
  },
  '57014': {
    code: 'TIMEOUT',
    next: () =>
      "Nothing was committed. Someone cancelled it, or a limit did, as a pooler's query_timeout: increp lifts statement_timeout for itself. See that server's log, then run increp again.",
  },
  '57P': { code: 'CONNECTION_LOST', next: networkAndLog },
  '08': { code: 'CONNECTION_LOST', next: networkAndLog },
  // The session is gone, by a limit of the role that its transaction had not lifted yet.
  '25P03': { code: 'CONNECTION_LOST', next: networkAndLog },
  '25P04': { code: 'CONNECTION_LOST', next: networkAndLog },
  '25006': {
    code: 'READ_ONLY',
    next: () =>
      'Point DEST_HOST at the primary, or lift default_transaction_read_only there, then run increp again.',
  },
  '22021': unwritableText,
  '22P05': unwritableText,
  '2BP01': {
    code: 'DEPENDENT_OBJECTS',
    next: () => 'Drop or move those objects, run "increp sync" again, and create them anew.',
  },
};

/** A pooler has one SQLSTATE (08P01, protocol_violation) for all that it refuses, so its words are read. */
const POOLER_VERDICTS: readonly (Verdict & { readonly says: RegExp })[] = [
  {
    says: /not allowed in statement pooling mode/,
    code: 'NOT_SUPPORTED',
    next: () => 'Set pool_mode = transaction (or session) in that pooler: a sync is made of transactions.',
  },
  { says: /authentication failed|no such user/, ...badLogin },
  { says: /no such database/, ...unknownDatabase },
];

/** Not a server's word but the operating system's or the driver's. */
const isConnectionError = (error: Error & { code?: unknown }): boolean =>
  /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_AGAIN|ENOENT|EACCES|ERR_STREAM_PREMATURE_CLOSE|ERR_STREAM_DESTROYED|ABORT_ERR)/.test(
    String(error.code),
  ) ||
  /Connection terminated|connection is closed|not queryable|timeout expired|error establishing an SSL connection/i.test(
    error.message,
  );

/** `supposed`: where it came from, unless the error itself knows better. `isConnecting`: nothing was asked of the server yet. */
export function serverError(thrown: unknown, supposed: Endpoint, isConnecting = false): IncrepError {
  if (thrown instanceof IncrepError) return thrown;
  const endpoint = endpointOf(thrown) ?? supposed;
  const error: Error & ServerSaid & { detail?: string; where?: string } =
    thrown instanceof Error ? thrown : new Error(String(thrown));
  const said = `${endpoint.side} ${endpoint.address}: ${describe(error)}`;
  const verdict = verdictOf(error);
  if (verdict)
    return new IncrepError(verdict.code, {
      what: said,
      next: verdict.next(endpoint, error.message),
      sqlstate: String(error.code),
      cause: error,
    });
  if (isSqlstate(error.code)) {
    return new IncrepError('QUERY_FAILED', {
      what: said,
      next: isMissingInside(error)
        ? NAME_INSIDE
        : `The server of the ${endpoint.side} refuses that statement, which its log shows. Mend what it names there; "increp check" may know more.`,
      sqlstate: error.code,
      cause: error,
    });
  }
  // The driver's words for what goes wrong in its part of SCRAM, of which a password that is missing is the usual.
  if (isConnecting && error.message.startsWith('SASL: ')) return loginError(error, endpoint, said);
  if (isConnectionError(error)) {
    const code = isConnecting ? 'CONNECTION_FAILED' : 'CONNECTION_LOST';
    const next = isConnecting
      ? `Check ${variable(endpoint)}_HOST and ${variable(endpoint)}_PORT (or its URL), that the server is up, and that it can be reached from here. To try it: pg_isready ${endpoint.door}`
      : networkAndLog(endpoint);
    return new IncrepError(code, { what: said, next, cause: error });
  }
  return new IncrepError('INTERNAL', {
    what: said,
    next: 'This is a bug. Please report it with the output of the same command with -v.',
    cause: error,
  });
}

function loginError(error: Error, endpoint: Endpoint, said: string): IncrepError {
  const hasNone = error.message.includes('client password must be a');
  const name = variable(endpoint);
  return new IncrepError('AUTHENTICATION_FAILED', {
    what: hasNone
      ? `${endpoint.side} ${endpoint.address}: the server asks for the password of "${endpoint.role}", and none is set`
      : said,
    next: hasNone
      ? `Set ${name}_PASSWORD in .env (or ${name}_PASSWORD_FILE), or add a line for it to ~/.pgpass (mode 0600).`
      : badLogin.next(endpoint, error.message),
    cause: error,
  });
}

interface ServerSaid {
  readonly code?: unknown;
  readonly message: string;
  readonly routine?: string;
}

const isSqlstate = (code: unknown): code is string =>
  typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code);

function verdictOf({ code, message, routine }: ServerSaid): Verdict | undefined {
  if (!isSqlstate(code)) return undefined;
  // Its words may be translated; the function in the server's source that says them is not.
  if (code === SQLSTATE.insufficientPrivilege && routine === 'check_enable_rls') return hiddenRows;
  if (code === SQLSTATE.internalError && /invalid memory alloc request size/.test(message))
    return VERDICTS[SQLSTATE.programLimitExceeded];
  if (
    code === SQLSTATE.programLimitExceeded &&
    /^(index_form_tuple|_bt_check_third_page)/.test(routine ?? '')
  )
    return keyTooLong;
  if (code === SQLSTATE.objectNotInState && routine === 'CheckCmdReplicaIdentity') return noIdentity;
  if (code === SQLSTATE.serializationFailure && RECOVERY_CONFLICT.test(message)) return recoveryConflict;
  const pooler =
    code === SQLSTATE.protocolViolation && POOLER_VERDICTS.find(({ says }) => says.test(message));
  if (pooler) return pooler;
  return VERDICTS[code] ?? VERDICTS[code.slice(0, 3)] ?? VERDICTS[code.slice(0, 2)];
}

/** An AggregateError of a failed connect has an empty message of its own. */
function describe(error: Error & { detail?: string; where?: string }): string {
  const parts =
    error instanceof AggregateError
      ? error.errors.map((part) => (part instanceof Error ? part.message : String(part)))
      : [error.message];
  const detail = error.detail === undefined ? '' : ` (${error.detail})`;
  const where = error.where === undefined ? '' : ` [${error.where.split('\n')[0] ?? ''}]`;
  return parts.join('; ') + detail + where;
}

/** Codes that say something of the whole server or session, whichever statement met them. */
const OF_SESSION: readonly ErrorCode[] = [
  'AUTHENTICATION_FAILED',
  'CONNECTION_FAILED',
  'NOT_SUPPORTED',
  'READ_ONLY',
  'TOO_MANY_CONNECTIONS',
];

/**
 * Whether a server refused one statement and would answer the next one. A bug counts: it is about what one answer holds.
 * So does a connection that the server itself could not make, to the server of a foreign table.
 */
export const isAboutOneStatement = ({ code, sqlstate }: IncrepError): boolean =>
  code === 'INTERNAL' ||
  (sqlstate !== undefined && !OF_SESSION.includes(code) && !/^(57P|25P0[34])/.test(sqlstate));
