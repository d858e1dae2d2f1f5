/** Parses `postgresql://user:password@host:port/database?sslmode=...`, the form that libpq reads. */
import type { SessionParameters } from '../settings.ts';
import { sessionFault, sessionParameters } from './url-parameters.ts';
import type { AddressField, TlsField } from '../environment/variables.ts';

export interface UrlParts {
  readonly host: string;
  /** Empty if the URL has no host. */
  readonly port: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly tls: Readonly<Partial<Record<TlsField, string>>>;
  readonly parameters: SessionParameters;
}

const TLS_PARAMETERS: Readonly<Record<string, TlsField>> = {
  sslmode: 'SSLMODE',
  sslrootcert: 'SSLROOTCERT',
  sslcert: 'SSLCERT',
  sslkey: 'SSLKEY',
};

export const TLS_PARAMETER_FIELDS: readonly TlsField[] = Object.values(TLS_PARAMETERS);

const FORM = 'postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require';
const NOT_A_URL = `not a connection URL of the form ${FORM}; special characters in it must be percent-encoded`;

/** Returns the parts or the faults. No message repeats a piece of the URL that could belong to a password. */
export function parseConnectionUrl(text: string): UrlParts | { readonly faults: readonly string[] } {
  try {
    if (hasSeveralHosts(text)) return { faults: [SEVERAL_HOSTS] };
    const url = new URL(withHost(text));
    const faults = faultsOf(url);
    return faults.length > 0 ? { faults } : partsOf(url);
  } catch {
    return { faults: [NOT_A_URL] };
  }
}

/** A cursor is valid for one server only. With several hosts, the next run could reach another server. */
export const SEVERAL_HOSTS =
  'names several hosts, but increp connects to one; for a failover, use a name or address that moves with the primary';

/** Looks for a comma in the host, or in the parameter `host`. A comma before the @ may be part of a password. */
function hasSeveralHosts(text: string): boolean {
  const [, authority = ''] = /^[a-z]+:\/\/([^/?#]*)/i.exec(text) ?? [];
  return (
    authority.slice(authority.lastIndexOf('@') + 1).includes(',') || /[?&]host=[^&#]*(,|%2c)/i.test(text)
  );
}

const NOWHERE = 'nowhere.invalid';

/**
 * libpq reads `postgresql://user@/db?host=/run/postgresql`, but the URL standard requires a host after a user name.
 */
const withHost = (text: string) => text.replace(/^([a-z]+:\/\/[^/?#]*@)(?=[:/])/i, `$1${NOWHERE}`);

/** The parameter is the usual way to name a socket. It wins over the host of the URL, as in libpq. */
function hostOf({ searchParams, hostname }: URL): string {
  const authority = hostname === NOWHERE ? '' : decodeURIComponent(hostname).replace(/^\[(.*)\]$/, '$1');
  return searchParams.get('host') || authority;
}

function faultsOf(url: URL): string[] {
  const isPostgres = url.protocol === 'postgres:' || url.protocol === 'postgresql:';
  // An unencoded # in a password begins the fragment of the URL.
  if (!isPostgres || url.hash !== '') return [NOT_A_URL];
  const missing = [
    url.username === '' && 'no user name',
    hostOf(url) === '' && 'no host',
    url.pathname.length <= 1 && 'no database',
  ].filter((fault) => fault !== false);
  // Without a user name, the rest may be part of a password. So no message names the parameters.
  if (missing.length > 0) return [`${missing.join(', ')} in the URL; its form is ${FORM}`];
  return [...url.searchParams.keys()].flatMap((name) => parameterFault(url, name));
}

function parameterFault(url: URL, name: string): string[] {
  const { searchParams } = url;
  if (searchParams.getAll(name).length > 1) return [`the URL has the parameter "${name}" twice`];
  if (name in TLS_PARAMETERS || name === 'host') return [];
  const value = searchParams.get(name) ?? '';
  if (name === 'ssl')
    return value === 'true'
      ? []
      : ['"ssl" can only be true; for other modes use "sslmode", such as sslmode=require'];
  if (name === 'port') return url.port === '' ? [] : ['the URL has two ports'];
  if (name === 'schema')
    return ['a connection URL has no parameter "schema"; set SOURCE_SCHEMA or DEST_SCHEMA'];
  return sessionFault(name, value) ?? [`the parameter "${name}" is unknown; correct it or remove it`];
}

/** Throws a URIError if the percent-encoding is invalid. */
function partsOf(url: URL): UrlParts {
  const tls = Object.entries(TLS_PARAMETERS).flatMap(([parameter, field]) => {
    const value = url.searchParams.get(parameter);
    return value ? [[field, value] as const] : [];
  });
  return {
    host: hostOf(url),
    port: url.port || (url.searchParams.get('port') ?? ''),
    user: decodeURIComponent(url.username),
    password: url.password === '' ? undefined : decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
    tls: {
      ...(url.searchParams.get('ssl') === 'true' && { SSLMODE: 'require' }),
      ...Object.fromEntries(tls),
    },
    parameters: sessionParameters(url.searchParams),
  };
}

export type ConnectionField = AddressField | TlsField;

/** The parts as variables would set them. */
export const fieldsOfUrl = ({
  host,
  port,
  user,
  password,
  database,
  tls,
}: UrlParts): Partial<Record<ConnectionField, string>> => ({
  HOST: host,
  ...(port !== '' && { PORT: port }),
  USERNAME: user,
  ...(password !== undefined && { PASSWORD: password }),
  DB: database,
  ...tls,
});

/** The same URL with another value of one part, or without it. Its other parameters stay. For a URL without faults. */
export function withPart(text: string, field: ConnectionField, value: string): string {
  const parts = parseConnectionUrl(text);
  if ('faults' in parts) throw new Error('only a URL without faults has parts');
  const fields: Partial<Record<ConnectionField, string>> = { ...fieldsOfUrl(parts), [field]: value };
  const { HOST = '', PORT = '', USERNAME = '', PASSWORD, DB = '' } = fields;
  const { searchParams } = new URL(withHost(text));
  for (const name of ['host', 'port', ...(field === 'SSLMODE' ? ['ssl'] : [])]) searchParams.delete(name);
  const [parameter] = Object.entries(TLS_PARAMETERS).find(([, each]) => each === field) ?? [];
  if (parameter !== undefined && value === '') searchParams.delete(parameter);
  else if (parameter !== undefined) searchParams.set(parameter, value);
  return connectionUrl(
    { host: HOST, port: PORT, user: USERNAME, password: PASSWORD, database: DB },
    searchParams,
  );
}

type UrlAddress = Pick<UrlParts, 'host' | 'port' | 'user' | 'password' | 'database'>;

export function connectionUrl(
  { host, port, user, password, database }: UrlAddress,
  parameters: Iterable<readonly [name: string, value: string]> = [],
): string {
  const isSocket = host.startsWith('/');
  const authority = isSocket ? '' : host.includes(':') ? `[${host}]` : host;
  const secret = password === undefined ? '' : `:${encoded(password)}`;
  const query = [...parameters, ...(isSocket ? [['host', host] as const] : [])]
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .join('&');
  return `postgresql://${encoded(user)}${secret}@${authority}${port && `:${port}`}/${encoded(database)}${query && `?${query}`}`;
}

/** Encodes more than a URL requires, because `.env` has special characters of its own. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
