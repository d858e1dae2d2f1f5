/** Converts errors of a server or a socket to errors that the operator can act on. */
import { IncrepError, type ErrorCode } from '../errors.ts';
import { ident, qualified } from '../sql/identifiers.ts';
import { shellWord } from '../shell-word.ts';
import { connectFault } from '../system-fault.ts';
import { functionAdvice, privilegeAdvice } from './refusal-advice.ts';
import {
  addressParts,
  endpointOf,
  loginParts,
  partOf,
  prefixOf,
  sslModePart,
  withTunnel,
  type Endpoint,
} from './endpoint.ts';
import { isMissingInside } from './user-search-path.ts';
import { SQLSTATE } from './sqlstate.ts';

interface ErrorAdvice {
  readonly code: ErrorCode;
  readonly next: (endpoint: Endpoint, message: string, refused: RefusedPlace) => string;
}

/** The fields of an error of the server that name what refused a row. */
interface RefusedPlace {
  readonly schema?: string | undefined;
  readonly table?: string | undefined;
  readonly column?: string | undefined;
  readonly constraint?: string | undefined;
  /** The context of the error. */
  readonly where?: string | undefined;
}

const networkAndLog = ({ side }: Endpoint): string =>
  `Check the log of the ${side} server and the network. Then run increp again; it continues where the last run ended.`;

/** The functions of the server that build an index entry, and an entry of a B-tree. */
const keyTooLong: ErrorAdvice = {
  code: 'QUERY_FAILED',
  next: () =>
    'A value of unique_cols is too long for an index, which takes about 2,700 bytes. Name shorter columns in unique_cols. Or compute a hash of that column in a query and name the hash ("increp help selection"). Or use mode "full-refresh" without unique_cols.',
};

const unknownDatabase: ErrorAdvice = {
  code: 'CONNECTION_FAILED',
  next: (endpoint) =>
    `Correct ${partOf(endpoint, 'DB', 'the database')}, or create that database. To list the databases: psql -l ${endpoint.door} -U ${shellWord(endpoint.role)}`,
};
/** ALLOW_CONNECTIONS of the database is false. An administrator may have closed it for some time. */
const closedDatabase: ErrorAdvice = {
  code: 'CONNECTION_FAILED',
  next: ({ side }, message) => {
    const name = /^database "(.+)" /.exec(message)?.[1];
    return `The database allows no connections. In another database of the ${side} server, run as a superuser: ALTER DATABASE ${name === undefined ? '...' : ident(name)} ALLOW_CONNECTIONS true`;
  },
};
/** increp reads many tables in batches, so the locks of other sessions or of the partitions of one table fill it. */
const lockTableFull: ErrorAdvice = {
  code: 'QUERY_FAILED',
  next: ({ side }) =>
    `The lock table of the ${side} server is full. Raise max_locks_per_transaction there, and restart that server. To see the locks: SELECT pid, count(*) FROM pg_locks GROUP BY pid`,
};
const refusedRow: ErrorAdvice = {
  code: 'CONSTRAINT_VIOLATED',
  next: ({ side }, _message, place) => {
    const drop = dropRefusal(place);
    return `Nothing was changed. Correct the row at the source, or drop the constraint at the ${side}${drop === undefined ? '' : `: ${drop}`}. Then run increp again.`;
  },
};

/** Undefined if the server names no table, as for a constraint of a domain. */
function dropRefusal({ schema, table, column, constraint }: RefusedPlace): string | undefined {
  if (schema === undefined || table === undefined) return undefined;
  const alter = `ALTER TABLE ${qualified({ schema, table })}`;
  // PostgreSQL 18 names the constraint of NOT NULL too.
  if (column !== undefined) return `${alter} ALTER COLUMN ${ident(column)} DROP NOT NULL`;
  return constraint === undefined ? undefined : `${alter} DROP CONSTRAINT ${ident(constraint)}`;
}
const noIdentity: ErrorAdvice = {
  code: 'NO_REPLICA_IDENTITY',
  next: () => 'At the destination, run: ALTER TABLE ... REPLICA IDENTITY FULL, with the name of that table.',
};
const badLogin: ErrorAdvice = {
  code: 'AUTHENTICATION_FAILED',
  next: (endpoint, message) =>
    /is not permitted to log in/.test(message)
      ? `If this pipeline was ended on purpose, remove its schedule. Otherwise, run as a superuser at the ${endpoint.side}: ALTER ROLE ${ident(endpoint.role)} LOGIN`
      : /no encryption/.test(message)
        ? `Set ${sslModePart(endpoint)} to "require" or stricter, or check pg_hba.conf on that server.`
        : /client certificate/.test(message)
          ? `Set ${prefixOf(endpoint)}_SSLCERT and ${prefixOf(endpoint)}_SSLKEY, and check pg_hba.conf on that server.`
          : `Check ${loginParts(endpoint)}. Also check pg_hba.conf on that server${/pg_hba/.test(message) ? '' : ', and whether the password of the role has expired (VALID UNTIL, rolvaliduntil in pg_roles)'}. To test the login: psql ${endpoint.login}`,
};

/** The path of a file in a tablespace has the oid of the tablespace. */
const diskAdvice = ({ side }: Endpoint, message: string): string =>
  `${freeSpace(side, message)}, then run increp again. No data was lost.`;

/** The beginning of the advice after a full disk. The rest of the sentence says what to run then. */
export function freeSpace(side: Endpoint['side'], message: string): string {
  const oid = /pg_tblspc\/(\d+)/.exec(message)?.[1];
  return oid === undefined
    ? 'Free some space on that server'
    : `The file system of a tablespace is full. To see its name and directory, run at the ${side}: SELECT spcname, pg_tablespace_location(oid) FROM pg_tablespace WHERE oid = ${oid}. Free some space there`;
}

/** The text is never replaced by text that fits. A destination table with question marks would look complete. */
const unwritableText: ErrorAdvice = {
  code: 'ENCODING_MISMATCH',
  next: ({ side }) =>
    side === 'destination'
      ? 'Nothing was changed. Create the destination database with ENCODING UTF8, or correct that text at the source.'
      : 'Nothing was changed. Correct that text at the source; it is not valid in Unicode.',
};

/** A session imports a snapshot that another session of increp holds open, so the server must be another one. */
const otherServer: ErrorAdvice = {
  code: 'SERVER_CHANGED',
  next: (endpoint) =>
    `The address leads to several servers, and two connections of increp reached different ones. Set ${partOf(endpoint, 'HOST', 'the host')} to one server.`,
};

/** The function of the server that finds that row-level security hides rows. */
export const HIDES_ROWS = 'check_enable_rls';

/** The way without a superuser. */
export const VIEW_OF_ROWS =
  'Without a superuser, the owner of the table can create a view of the rows to copy and grant SELECT on it. Then configure the view as the table ("increp help ROW_SECURITY").';

/** For a table below a view, which the catalog does not show. For the table itself, the plan reports it earlier. */
const hiddenRows: ErrorAdvice = {
  code: 'ROW_SECURITY',
  next: ({ role }) =>
    `A destination table without those rows would look complete. Give BYPASSRLS to the role that reads that table: "${role}", or the owner of a view over it. ${VIEW_OF_ROWS}`,
};

/** The message of a standby that cancels a conflicting query during replay; pg_dump gets it too. */
export const RECOVERY_CONFLICT = /conflict with recovery/;
const recoveryConflict: ErrorAdvice = {
  code: 'CONFLICT',
  next: () =>
    'Raise max_standby_streaming_delay on that standby or set hot_standby_feedback = on, then run increp again.',
};

/** For a name that is not found inside a function of users. The SQLSTATEs are those of user-search-path.ts. */
export const NAME_INSIDE =
  'A function of that database uses a name without a schema that is not on the search_path of the role. Triggers, event triggers, indexes, checks and views may call it. Set its path: ALTER FUNCTION ... SET search_path = public.';

/** By SQLSTATE, longest prefix first (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const VERDICTS: Record<string, ErrorAdvice> = {
  '28': badLogin,
  '3D000': unknownDatabase,
  '42501': {
    code: 'PRIVILEGE_MISSING',
    next: privilegeAdvice,
  },
  '53300': {
    code: 'TOO_MANY_CONNECTIONS',
    next: () =>
      'To see the connections: SELECT usename, application_name, count(*) FROM pg_stat_activity GROUP BY 1, 2. Raise max_connections, or the CONNECTION LIMIT of the role or database. increp needs two or three on each side, and more with several jobs.',
  },
  '54000': {
    code: 'QUERY_FAILED',
    next: () =>
      'A row is too long for the server. User-defined types are longer as text: set "types" to "native" for this table. Or exclude long columns with "exclude_columns".',
  },
  '53100': {
    code: 'DISK_FULL',
    next: diskAdvice,
  },
  '53': { code: 'QUERY_FAILED', next: () => 'That server lacks a resource. Check its log.' },
  '55P03': {
    code: 'LOCK_TIMEOUT',
    next: ({ side }) =>
      `Find the session that holds the lock at the ${side} (pg_locks, pg_stat_activity), or run increp again later.`,
  },
  '40': {
    code: 'CONFLICT',
    next: () =>
      'Another session changes the same rows. The log of that server names it. Run increp again when that session is done.',
  },
  '57014': {
    code: 'TIMEOUT',
    next: () =>
      'Nothing was committed. A user cancelled the statement, or a time limit such as query_timeout of a pooler. increp disables statement_timeout itself. Check the log of that server, then run increp again.',
  },
  [SQLSTATE.notNullViolation]: refusedRow,
  '23514': refusedRow,
  '57P': { code: 'CONNECTION_LOST', next: networkAndLog },
  '08': { code: 'CONNECTION_LOST', next: networkAndLog },
  // The session ended because of a time limit of the role, before the transaction could lift the limit.
  '25P03': { code: 'CONNECTION_LOST', next: networkAndLog },
  '25P04': { code: 'CONNECTION_LOST', next: networkAndLog },
  [SQLSTATE.readOnlyTransaction]: {
    code: 'READ_ONLY',
    next: (endpoint) =>
      `Set ${partOf(endpoint, 'HOST', 'the host')} to the primary, or reset default_transaction_read_only there, as the owner of the database or a superuser. If the server is being restored, wait for the end of recovery. To see where the parameter was set, run "increp check".`,
  },
  '22021': unwritableText,
  '22P05': unwritableText,
  '2BP01': {
    code: 'DEPENDENT_OBJECTS',
    next: () => 'Drop or move those objects. Then run "increp sync". Then create the objects again.',
  },
};

/**
 * A pooler uses one SQLSTATE (08P01, protocol_violation) for everything that it refuses, so the message is matched.
 */
const POOLER_VERDICTS: readonly (ErrorAdvice & { readonly says: RegExp })[] = [
  {
    says: /not allowed in statement pooling mode/,
    code: 'NOT_SUPPORTED',
    next: () => 'Set pool_mode = transaction (or session) in that pooler. increp needs transactions.',
  },
  { says: /authentication failed|no such user/, ...badLogin },
  { says: /no such database/, ...unknownDatabase },
];

/** An error of the operating system or of the driver, not of a server. */
const isConnectionError = (error: Error & { code?: unknown }): boolean =>
  /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_AGAIN|ENOENT|EACCES|ERR_STREAM_PREMATURE_CLOSE|ERR_STREAM_DESTROYED|ABORT_ERR)/.test(
    String(error.code),
  ) ||
  /Connection terminated|connection is closed|not queryable|timeout expired|error establishing an SSL connection/i.test(
    error.message,
  );

/**
 * `supposed` is the endpoint if the error itself does not know it. `isConnecting` means that no statement was sent
 * yet.
 */
export function serverError(thrown: unknown, supposed: Endpoint, isConnecting = false): IncrepError {
  if (thrown instanceof IncrepError) return thrown;
  const endpoint = endpointOf(thrown) ?? supposed;
  const error: Error & ServerSaid & RefusedPlace =
    thrown instanceof Error ? thrown : new Error(String(thrown));
  const verdict = verdictOf(error, isConnecting);
  const isRaised = error.routine === RAISE;
  const hint = verdict ? raisedHint(error) : error.hint;
  const { side } = endpoint;
  const said = `${side} ${endpoint.address}: ${serverMessage({ error, hint })}`;
  if (verdict)
    return new IncrepError(verdict.code, {
      what: said,
      next:
        (isRaised && RULES.includes(verdict.code)
          ? functionAdvice(endpoint, { code: String(error.code), where: error.where })
          : undefined) ?? withTunnel(verdict.next(endpoint, error.message, error), endpoint),
      sqlstate: String(error.code),
      side,
      cause: error,
    });
  if (isSqlstate(error.code)) {
    return new IncrepError('QUERY_FAILED', {
      what: said,
      next: isMissingInside(error)
        ? NAME_INSIDE
        : (functionAdvice(endpoint, { code: error.code, where: error.where }) ??
          refusedAdvice(endpoint, isConnecting)),
      sqlstate: error.code,
      side,
      cause: error,
    });
  }
  // A failure of SCRAM in the driver. The usual cause is a missing password.
  if (isConnecting && error.message.startsWith('SASL: ')) return loginError(error, endpoint, said);
  if (isConnectionError(error)) {
    const code = isConnecting ? 'CONNECTION_FAILED' : 'CONNECTION_LOST';
    const next = isConnecting
      ? `Check ${addressParts(endpoint)}. Check that the server is running, and that this machine can reach it. To test it: pg_isready ${endpoint.door}`
      : networkAndLog(endpoint);
    return new IncrepError(code, { what: said, next, side, cause: error });
  }
  return new IncrepError('INTERNAL', {
    what: said,
    next: 'This is a bug. Please report it with the output of the same command with -v.',
    side,
    cause: error,
  });
}

const refusedAdvice = ({ side }: Endpoint, isConnecting: boolean): string =>
  isConnecting
    ? `The ${side} server refuses the connection; its log may show why. Fix the reported problem.`
    : `The ${side} server refuses the statement; its log shows it. Fix the reported problem.`;

function loginError(error: Error, endpoint: Endpoint, said: string): IncrepError {
  const hasNone = error.message.includes('client password must be a');
  return new IncrepError('AUTHENTICATION_FAILED', {
    what: hasNone
      ? `${endpoint.side} ${endpoint.address}: the server asks for the password of "${endpoint.role}", but none is set`
      : said,
    next: hasNone
      ? `${passwordStep(endpoint)}, or add it to ~/.pgpass (mode 0600). If systemd has the password, export CREDENTIALS_DIRECTORY and STATE_DIR as its service sets them.`
      : withTunnel(badLogin.next(endpoint, error.message, {}), endpoint),
    side: endpoint.side,
    cause: error,
  });
}

/** A variable works beside a URL without a password. */
function passwordStep(endpoint: Endpoint): string {
  const prefix = prefixOf(endpoint);
  const variables = `set ${prefix}_PASSWORD (or ${prefix}_PASSWORD_FILE)`;
  if (endpoint.urlFrom === undefined) return `S${variables.slice(1)}`;
  const inUrl = `Write the password into ${endpoint.urlFrom}`;
  return endpoint.urlFrom === `${prefix}_URL` ? `${inUrl}, or ${variables}` : inUrl;
}

interface ServerSaid {
  readonly code?: unknown;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly routine?: string;
}

/** The function of the server behind RAISE in PL/pgSQL. */
const RAISE = 'exec_stmt_raise';
/** Raised by a function, these are rules of that function. No GRANT and no dropped constraint changes them. */
const RULES: readonly ErrorCode[] = ['CONSTRAINT_VIOLATED', 'PRIVILEGE_MISSING'];

const isSqlstate = (code: unknown): code is string =>
  typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code);

function verdictOf({ code, message, routine }: ServerSaid, isConnecting: boolean): ErrorAdvice | undefined {
  if (!isSqlstate(code)) return undefined;
  if (isConnecting && code === SQLSTATE.objectNotInState) return closedDatabase;
  // The message may be translated. The name of the function in the server is not.
  if (code === SQLSTATE.insufficientPrivilege && routine === HIDES_ROWS) return hiddenRows;
  if (code === SQLSTATE.internalError && /invalid memory alloc request size/.test(message))
    return VERDICTS[SQLSTATE.programLimitExceeded];
  if (
    code === SQLSTATE.programLimitExceeded &&
    /^(index_form_tuple|_bt_check_third_page)/.test(routine ?? '')
  )
    return keyTooLong;
  if (code === SQLSTATE.objectNotInState && routine === 'CheckCmdReplicaIdentity') return noIdentity;
  if (code === SQLSTATE.serializationFailure && RECOVERY_CONFLICT.test(message)) return recoveryConflict;
  if (code === SQLSTATE.outOfMemory && /Lock/.test(routine ?? '')) return lockTableFull;
  if (routine === 'ImportSnapshot') return otherServer;
  const pooler =
    code === SQLSTATE.protocolViolation && POOLER_VERDICTS.find(({ says }) => says.test(message));
  if (pooler) return pooler;
  return VERDICTS[code] ?? VERDICTS[code.slice(0, 3)] ?? VERDICTS[code.slice(0, 2)];
}

/** Other hints of the server may propose what increp must not do, such as DROP ... CASCADE. */
export const raisedHint = ({ routine, hint }: Pick<ServerSaid, 'routine' | 'hint'>): string | undefined =>
  routine === RAISE ? hint : undefined;

export const hintText = (hint: string | undefined): string =>
  hint === undefined ? '' : ` (hint: ${hint.replaceAll(/\s*\n\s*/g, ' ')})`;

interface SaidWithHint {
  readonly error: Error & ServerSaid & RefusedPlace;
  readonly hint: string | undefined;
}

/**
 * The message of the server, or a plain description of a failed connection. An AggregateError of several addresses
 * has no message.
 */
function serverMessage({ error, hint }: SaidWithHint): string {
  const parts =
    error instanceof AggregateError ? [...new Set(error.errors.map(plainMessage))] : [plainMessage(error)];
  const detail = error.detail === undefined ? '' : ` (${error.detail})`;
  const where = error.where === undefined ? '' : ` [${error.where.split('\n')[0] ?? ''}]`;
  return parts.join('; ') + detail + hintText(hint) + where;
}

/** Messages of the driver about a connection that ended, and their plain form. */
const DRIVER_FAULTS: readonly (readonly [RegExp, string])[] = [
  [/^timeout expired$|due to connection timeout/, 'no answer in time'],
  [/terminated unexpectedly|disconnected before secure TLS/, 'the connection was closed by the other side'],
  [/^Connection terminated|is not queryable|connection is closed/, 'the connection was closed'],
  [/error establishing an SSL connection/, 'the server ended the TLS negotiation'],
];

function plainMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const driver = DRIVER_FAULTS.find(([says]) => says.test(error.message));
  return driver ? driver[1] : (connectFault(error) ?? error.message);
}

/** Codes that concern the whole server or session, whatever the statement was. */
const OF_SESSION: readonly ErrorCode[] = [
  'AUTHENTICATION_FAILED',
  'CONNECTION_FAILED',
  'NOT_POSTGRES',
  'NOT_SUPPORTED',
  'READ_ONLY',
  'TOO_MANY_CONNECTIONS',
];

/**
 * Whether a server refused one statement and would answer the next one. A bug counts, because it concerns one answer.
 * So does a connection that the server itself could not open, to the server of a foreign table.
 */
export const isAboutOneStatement = ({ code, sqlstate }: IncrepError): boolean =>
  code === 'INTERNAL' ||
  (sqlstate !== undefined && !OF_SESSION.includes(code) && !/^(57P|25P0[34])/.test(sqlstate));
