/** `postgresql://user:password@host:port/database?sslmode=...`, in the form that libpq understands. */
import type { SessionParameters } from '../settings.ts';
import { sessionFault, sessionParameters } from './url-parameters.ts';
import type { TlsField } from '../environment/variables.ts';

export interface UrlParts {
  readonly host: string;
  /** Empty where the URL has none. */
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

/** The parts, or what is wrong. No message repeats a piece of the URL that could belong to a password. */
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

/** A run that finds another server than the last one would go on with a cursor that is not its own. */
export const SEVERAL_HOSTS =
  'names several hosts, and increp goes to one; for a failover, give a name or address that moves with the primary';

/** In the authority behind the credentials, where a comma may be part of a password, or as the parameter. */
function hasSeveralHosts(text: string): boolean {
  const [, authority = ''] = /^[a-z]+:\/\/([^/?#]*)/i.exec(text) ?? [];
  return (
    authority.slice(authority.lastIndexOf('@') + 1).includes(',') || /[?&]host=[^&#]*(,|%2c)/i.test(text)
  );
}

const NOWHERE = 'nowhere.invalid';

/** libpq reads `postgresql://user@/db?host=/run/postgresql`; the URL standard wants a host after a user name. */
const withHost = (text: string) => text.replace(/^([a-z]+:\/\/[^/?#]*@)(?=[:/])/i, `$1${NOWHERE}`);

/** The parameter is how a URL usually names a socket; libpq, too, lets it win over the authority. */
function hostOf({ searchParams, hostname }: URL): string {
  const authority = hostname === NOWHERE ? '' : decodeURIComponent(hostname).replace(/^\[(.*)\]$/, '$1');
  return searchParams.get('host') || authority;
}

function faultsOf(url: URL): string[] {
  const isPostgres = url.protocol === 'postgres:' || url.protocol === 'postgresql:';
  // A # in a password that is not encoded begins the fragment.
  if (!isPostgres || url.hash !== '') return [NOT_A_URL];
  const missing = [
    url.username === '' && 'no user name',
    hostOf(url) === '' && 'no host',
    url.pathname.length <= 1 && 'no database',
  ].filter((fault) => fault !== false);
  // Without a user name what follows may be the rest of a password, so the parameters are not named.
  if (missing.length > 0) return [`${missing.join(', ')} in the URL; its form is ${FORM}`];
  return [...url.searchParams.keys()].flatMap((name) => parameterFault(url, name));
}

function parameterFault(url: URL, name: string): string[] {
  const { searchParams } = url;
  if (searchParams.getAll(name).length > 1) return [`the parameter "${name}" is given twice`];
  if (name in TLS_PARAMETERS || name === 'host') return [];
  const value = searchParams.get(name) ?? '';
  if (name === 'ssl')
    return value === 'true' ? [] : ['"ssl" can only be true; "sslmode" says more, as in sslmode=require'];
  if (name === 'port') return url.port === '' ? [] : ['the port is given twice'];
  if (name === 'schema') return ['a URL has no parameter "schema"; write it in the variable for the schema'];
  return sessionFault(name, value) ?? [`the parameter "${name}" is not known: correct it, or leave it out`];
}

/** Throws a URIError where the percent-encoding is broken. */
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
