/**
 * The two forms of a connection string, read by the rules of libpq: docs "34.1.1. Connection Strings", and
 * conninfo_uri_parse_options() and conninfo_parse() in fe-connect.c.
 */

/** The parameters by their names in libpq, in the order of the text. A parameter without a value is left out. */
export type Conninfo = ReadonlyMap<string, string>;

export interface ReadConninfo {
  readonly parameters: Conninfo;
  /** Parameters that occur several times with different values. The last value counts. */
  readonly repeated: readonly string[];
}

/** No fault repeats a piece of the text, because it may belong to a password. */
type ConninfoReading =
  | ReadConninfo
  /** `isPassword`: characters of a password must be encoded. */
  | { readonly fault: string; readonly isPassword: boolean };

/** The schemes of libpq. increp accepts them in capitals too. */
const SCHEME = /^postgres(?:ql)?:\/\//i;

/** Whether the text is a connection string, of this or another kind, and not a single value. */
export const isConninfo = (text: string): boolean => text.includes('://') || /^\s*\w+\s*=/.test(text);

class Unreadable extends Error {}

export function readConninfo(text: string): ConninfoReading {
  const trimmed = text.trim();
  try {
    const pairs = SCHEME.test(trimmed) ? pairsOfUrl(trimmed) : pairsOfKeywords(trimmed);
    const given = pairs.filter(([, value]) => value !== '');
    const parameters = new Map(given);
    const repeated = given.filter(([name, value]) => parameters.get(name) !== value).map(([name]) => name);
    return { parameters, repeated: [...new Set(repeated)] };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    const password = SCHEME.test(trimmed) ? encodingFault(trimmed.replace(SCHEME, '')) : undefined;
    return { fault: password ?? error.message, isPassword: password !== undefined };
  }
}

const ENCODED = [
  { character: '@', is: /@/, as: '%40' },
  { character: '/', is: /\//, as: '%2F' },
  { character: '%', is: /%(?![0-9a-f]{2})/i, as: '%25' },
  { character: '?', is: /\?/, as: '%3F' },
] as const;

/** Parameters of the right form, which may contain an "@". */
const PARAMETERS = /\?[\w.-]+=[^&]*(?:&[\w.-]+=[^&]*)*$/;

/** All characters at once that must be encoded in what is probably the password. A "?" alone is no fault in libpq. */
function encodingFault(rest: string): string | undefined {
  const [, password = ''] = /^[^:@/]*:([^]*)@/.exec(rest.replace(PARAMETERS, '')) ?? [];
  const found = ENCODED.filter(({ is }) => is.test(password));
  if (found.every(({ character }) => character === '?')) return undefined;
  const named = inWords(found.map(({ character }) => `"${character}"`));
  const them = found.length === 1 ? 'it' : 'them';
  return `a password in the URL contains ${named}; write ${them} as ${inWords(found.map(({ as }) => as))}`;
}

const inWords = (words: readonly string[]): string => words.join(', ').replace(/, ([^ ]*)$/, ' and $1');

type NamedText = readonly [name: string, value: string];

/**
 * The user ends at the first colon, and the password at the first @. Both end before a slash. A # has no meaning in
 * libpq.
 */
function pairsOfUrl(text: string): NamedText[] {
  const rest = text.replace(SCHEME, '');
  const [, user = '', password = '', others = ''] = /^([^@/:]*)(?::([^@/]*))?@([^]*)$/.exec(rest) ?? [
    '',
    '',
    '',
    rest,
  ];
  const split = /^((?:\[[^\]]*\]|[^/?[])*)(?:\/([^?]*))?(?:\?([^]*))?$/.exec(others);
  if (!split) throw new Unreadable(BRACKETS);
  const [, servers = '', database = '', query = ''] = split;
  // A slash ends the address, and an "@" the password. A later "@" shows that they were part of a password.
  if (servers.includes('@') || database.includes('@')) throw new Unreadable(LATER_AT);
  const addresses = servers.split(',').map(addressOf);
  const isPortGiven = addresses.some(({ port }) => port !== '');
  return [
    ['user', decoded(user)],
    ['password', decoded(password)],
    ['host', decoded(joined(addresses.map(({ host }) => host)))],
    ['port', isPortGiven ? decoded(addresses.map(({ port }) => port).join(',')) : ''],
    ['dbname', decoded(database)],
    ...pairsOfQuery(query),
  ];
}

const BRACKETS = 'an IPv6 address in the URL must be in square brackets, as in [2001:db8::1]:5432';
const LATER_AT = 'there is an "@" behind the host of the URL; write it as %40 if it belongs to a name';
const NO_NAME =
  'the parameters of the URL must have the form NAME=VALUE, separated by &; write & and ? in a password as %26 and %3F';
/** An empty list of hosts is no list. */
const joined = (hosts: readonly string[]): string =>
  hosts.every((host) => host === '') ? '' : hosts.join(',');

function addressOf(text: string): { readonly host: string; readonly port: string } {
  const [, bracketed, plain = '', port = ''] = /^(?:\[([^\]]+)\]|([^:[\]]*))(?::([^:]*))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === '' && port === '' && !/^:?$/.test(text)) throw new Unreadable(BRACKETS);
  return { host, port };
}

/** Unlike in a form of a web page, + stays +. */
const pairsOfQuery = (query: string): NamedText[] =>
  query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair): NamedText => {
      const [, name = '', value = ''] = /^([^=]*)=?([^]*)$/.exec(pair) ?? [];
      // The name of a parameter may be shown. Anything else may be the rest of a password.
      if (!/^[\w.-]+$/.test(name)) throw new Unreadable(NO_NAME);
      return [name, decoded(value)];
    })
    .map(([name, value]): NamedText =>
      name === 'ssl' && value === 'true' ? ['sslmode', 'require'] : [name, value],
    );

function decoded(text: string): string {
  if (/%00/.test(text)) throw new Unreadable('the URL contains %00, which no value can contain');
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Unreadable(
      'the URL contains a "%" that begins no percent-encoding; write % as %25, also in a password',
    );
  }
}

/** `host=db dbname='my shop'`. A backslash escapes the next character. */
function pairsOfKeywords(text: string): NamedText[] {
  const pairs: NamedText[] = [];
  const pattern =
    /\s*([^\s=]+)\s*=\s*(?:'((?:\\[^]|[^'\\])*)'|((?:\\[^]|[^\s'\\])(?:\\[^]|[^\s\\])*)?)(?=\s|$)/gy;
  while (pattern.lastIndex < text.length) {
    const [, name, quoted, bare = ''] = pattern.exec(text) ?? [];
    if (name === undefined) throw new Unreadable(NO_KEYWORDS);
    if (!/^\w+$/.test(name)) throw new Unreadable(NO_KEYWORDS);
    pairs.push([name, (quoted ?? bare).replaceAll(/\\([^])/g, '$1')]);
  }
  return pairs;
}

const NO_KEYWORDS = String.raw`expected KEYWORD=VALUE, separated by white space; write a value with white space as 'VALUE', and ' and \ in it as \' and \\`;

/** All parameters of libpq. */
const KEYWORDS: readonly string[] =
  `service servicefile user password passfile channel_binding connect_timeout dbname host hostaddr port client_encoding options
  application_name fallback_application_name keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout
  sslmode sslnegotiation sslcompression sslcert sslkey sslcertmode sslpassword sslrootcert sslcrl sslcrldir sslsni sslkeylogfile
  requirepeer require_auth min_protocol_version max_protocol_version ssl_min_protocol_version ssl_max_protocol_version gssencmode
  krbsrvname gsslib gssdelegation replication target_session_attrs load_balance_hosts scram_client_key scram_server_key
  oauth_issuer oauth_client_id oauth_client_secret oauth_scope`.split(/\s+/);

export const isKeyword = (name: string): boolean => KEYWORDS.includes(name);

/** The keyword form of these parameters. */
export const keywordsOf = (parameters: Conninfo): string =>
  [...parameters]
    .map(([name, value]) => `${name}='${value.replaceAll(/['\\]/g, String.raw`\$&`)}'`)
    .join(' ');

const KEYWORD_FORM = 'host=HOST port=PORT dbname=DATABASE user=USER password=PASSWORD';

/** Writes the keyword form or a URL. */
export const formOf = (text: string, urlForm: string): string =>
  SCHEME.test(text.trim()) || !/^\s*\w+\s*=/.test(text) ? urlForm : KEYWORD_FORM;
