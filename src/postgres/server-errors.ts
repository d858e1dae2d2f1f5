/** Converts errors of a server or a socket to errors that the operator can act on. */
import { IncrepError, type ErrorCode } from '../errors.ts';
import { connectFault } from '../system-fault.ts';
import { functionAdvice } from './refusal-advice.ts';
import { addressParts, endpointOf, prefixOf, withTunnel, type Endpoint } from './endpoint.ts';
import {
  badLogin,
  isSqlstate,
  NAME_INSIDE,
  networkAndLog,
  verdictOf,
  type RefusedPlace,
  type ServerSaid,
} from './server-verdicts.ts';
import { isMissingInside } from './user-search-path.ts';

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

/** The function of the server behind RAISE in PL/pgSQL. */
const RAISE = 'exec_stmt_raise';
/** Raised by a function, these are rules of that function. No GRANT and no dropped constraint changes them. */
const RULES: readonly ErrorCode[] = ['CONSTRAINT_VIOLATED', 'PRIVILEGE_MISSING'];

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
