/** What the errors of a server mean for increp: the code of increp and the next step, by SQLSTATE. */
import type { ErrorCode } from '../errors.ts';
import { ident, qualified } from '../sql/identifiers.ts';
import { shellWord } from '../shell-word.ts';
import { privilegeAdvice } from './refusal-advice.ts';
import { loginParts, partOf, prefixOf, sslModePart, type Endpoint } from './endpoint.ts';
import { SQLSTATE } from './sqlstate.ts';

export interface ServerSaid {
  readonly code?: unknown;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly routine?: string;
}

interface ErrorAdvice {
  readonly code: ErrorCode;
  readonly next: (endpoint: Endpoint, message: string, refused: RefusedPlace) => string;
}

/** The fields of an error of the server that name what refused a row. */
export interface RefusedPlace {
  readonly schema?: string | undefined;
  readonly table?: string | undefined;
  readonly column?: string | undefined;
  readonly constraint?: string | undefined;
  /** The context of the error. */
  readonly where?: string | undefined;
}

export const networkAndLog = ({ side }: Endpoint): string =>
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
export const badLogin: ErrorAdvice = {
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

export const isSqlstate = (code: unknown): code is string =>
  typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code);

/** Undefined if no rule knows the error, or if no server sent it. */
export function verdictOf(
  { code, message, routine }: ServerSaid,
  isConnecting: boolean,
): ErrorAdvice | undefined {
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
