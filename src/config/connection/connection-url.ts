/** Parses the connection string of one side: `postgresql://user:password@host:port/database?sslmode=...`, or keywords. */
import type { AddressField, TlsField } from '../environment/variables.ts';
import { formOf, readConninfo, type Conninfo, type ReadConninfo } from './conninfo.ts';
import { adviceFor } from './foreign-forms.ts';
import { sessionFault } from './url-parameters.ts';

export interface UrlParts {
  /** One, or a list with commas. */
  readonly host: string;
  /** The same for IP addresses. Empty if there is none. */
  readonly hostAddress: string;
  /** One, or a list. Empty if there is none. */
  readonly port: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly tls: Readonly<Partial<Record<TlsField, string>>>;
  /** The other parameters, as `sessionParameters` reads them. */
  readonly session: Conninfo;
  /** Parameters that occur several times with different values. The last value counts. */
  readonly repeated: readonly string[];
}

const TLS_PARAMETERS: Readonly<Record<string, TlsField>> = {
  sslmode: 'SSLMODE',
  sslrootcert: 'SSLROOTCERT',
  sslcert: 'SSLCERT',
  sslkey: 'SSLKEY',
  sslpassword: 'SSLPASSWORD',
  sslcrl: 'SSLCRL',
};

export const TLS_PARAMETER_FIELDS: readonly TlsField[] = Object.values(TLS_PARAMETERS);

/** The parameters that a URL has a place for. */
const ADDRESS_PARAMETERS: readonly string[] = ['host', 'port', 'user', 'password', 'dbname'];

const FORM = 'postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require';
const NOT_A_URL = `not a connection URL of the form ${FORM}; special characters in it must be percent-encoded`;

/**
 * Returns the parts or the faults. No message repeats a piece of the text that could belong to a password.
 * `otherwise`: how a password needs no encoding.
 */
export function parseConnectionUrl(
  text: string,
  otherwise = 'set the individual variables',
): UrlParts | { readonly faults: readonly string[] } {
  const read = parametersOf(text, otherwise);
  if ('faults' in read) return read;
  const faults = faultsOf(read.parameters, text);
  return faults.length > 0 ? { faults } : partsOf(read);
}

function parametersOf(text: string, otherwise = ''): ReadConninfo | { readonly faults: readonly string[] } {
  const advice = adviceFor(text);
  if (advice !== undefined) return { faults: [`not a connection URL of the form ${FORM}: it ${advice}`] };
  if (!/^\s*(postgres(ql)?:\/\/|\w+\s*=)/i.test(text)) return { faults: [NOT_A_URL] };
  const read = readConninfo(text);
  if (!('fault' in read)) return read;
  const way = read.isPassword ? `, or ${otherwise}` : '';
  return { faults: [`${read.fault}${way}; the form is ${formOf(text, FORM)}`] };
}

function faultsOf(read: Conninfo, text: string): string[] {
  const missing = [
    !read.has('user') && 'no user name',
    !read.has('host') && !read.has('hostaddr') && 'no host',
    !read.has('dbname') && 'no database',
  ].filter((fault) => fault !== false);
  const form = formOf(text, FORM);
  // A service names the missing parts, so they are not the fault.
  if (missing.length > 0 && (read.has('service') || read.has('servicefile')))
    return [...parameterFault('service', '')];
  // Without a user name, the rest may be part of a password. So no message names the parameters.
  if (missing.length > 0)
    return [`${missing.join(', ')} in the ${form === FORM ? 'URL' : 'text'}; its form is ${form}`];
  const names = [...read.keys()];
  return [...read].flatMap(([name, value], index) => {
    const fault = parameterFault(name, value);
    const before = names[index - 1] ?? '';
    // In the keyword form, white space ends a password.
    return fault.length > 0 && form !== FORM && before.endsWith('password') ? [behind(before)] : fault;
  });
}

const behind = (name: string): string =>
  `the keyword behind "${name}" is not valid; write a password with white space as ${name}='PASSWORD'`;

function parameterFault(name: string, value: string): string[] {
  if (name in TLS_PARAMETERS || ADDRESS_PARAMETERS.includes(name)) return [];
  if (name === 'ssl')
    return ['"ssl" can only be true; for other modes use "sslmode", such as sslmode=require'];
  return sessionFault(name, value) ?? [`the parameter "${name}" is unknown; correct it or remove it`];
}

function partsOf({ parameters: read, repeated }: ReadConninfo): UrlParts {
  const withoutClient = read.get('sslcertmode') === 'disable' ? ['sslcert', 'sslkey', 'sslpassword'] : [];
  const tls = Object.entries(TLS_PARAMETERS).flatMap(([parameter, field]) => {
    const value = withoutClient.includes(parameter) ? undefined : read.get(parameter);
    return value === undefined ? [] : [[field, value] as const];
  });
  return {
    host: read.get('host') ?? read.get('hostaddr') ?? '',
    hostAddress: read.get('hostaddr') ?? '',
    port: read.get('port') ?? '',
    user: read.get('user') ?? '',
    password: read.get('password'),
    database: read.get('dbname') ?? '',
    tls: Object.fromEntries(tls),
    session: new Map([...read].filter(([name]) => !ADDRESS_PARAMETERS.includes(name))),
    repeated: repeated.filter((name) => !ADDRESS_PARAMETERS.includes(name)),
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

/** A URL with another value of one part, or without it. Its other parameters stay. For a text without faults. */
export function withPart(text: string, field: ConnectionField, value: string): string {
  const read = parametersOf(text);
  if ('faults' in read) throw new Error('only a URL without faults has parts');
  const fields: Partial<Record<ConnectionField, string>> = { ...fieldsOfUrl(partsOf(read)), [field]: value };
  const { HOST = '', PORT = '', USERNAME = '', PASSWORD, DB = '' } = fields;
  const [changed] = Object.entries(TLS_PARAMETERS).find(([, each]) => each === field) ?? [];
  const parameters = new Map([...read.parameters].filter(([name]) => !ADDRESS_PARAMETERS.includes(name)));
  if (changed !== undefined && value === '') parameters.delete(changed);
  else if (changed !== undefined) parameters.set(changed, value);
  return connectionUrl(
    { host: HOST, port: PORT, user: USERNAME, password: PASSWORD, database: DB },
    parameters,
  );
}

type UrlAddress = Pick<UrlParts, 'host' | 'port' | 'user' | 'password' | 'database'>;

export function connectionUrl(
  { host, port, user, password, database }: UrlAddress,
  parameters: Iterable<readonly [name: string, value: string]> = [],
): string {
  const hosts = host.split(',');
  const ports = port.split(',');
  const isSocket = hosts.some((each) => each.startsWith('/'));
  const places = hosts.map((each, index) => {
    const written = ports[ports.length === 1 ? 0 : index] ?? '';
    return (isSocket ? '' : each.includes(':') ? `[${each}]` : each) + (written && `:${written}`);
  });
  const authority = isSocket && ports.length === 1 ? port && `:${port}` : places.join(',');
  const secret = password === undefined ? '' : `:${encoded(password)}`;
  const query = [...parameters, ...(isSocket ? [['host', host] as const] : [])]
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .join('&');
  return `postgresql://${encoded(user)}${secret}@${authority}/${encoded(database)}${query && `?${query}`}`;
}

/** Encodes more than a URL requires, because `.env` has special characters of its own. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
