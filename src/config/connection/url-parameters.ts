/** Parameters of a connection URL other than the address and TLS, with the meaning that libpq gives them. */
import type { AuthMethod, SessionParameters } from '../settings.ts';
import type { Conninfo } from './conninfo.ts';
import { isOfNeon, optionsFault } from './server-options.ts';

export const NO_PARAMETERS: SessionParameters = {
  connectTimeoutSeconds: undefined,
  applicationName: undefined,
  channelBinding: undefined,
  requireAuth: undefined,
  sslNegotiation: 'postgres',
  minTls: undefined,
  maxTls: undefined,
  isHostSent: true,
  options: undefined,
  passfile: undefined,
  isShuffled: false,
  targetSession: 'any',
  keepAliveIdleSeconds: undefined,
  onlyForDump: [],
  ignored: [],
};

const WORDS = {
  channel_binding: ['disable', 'prefer', 'require'],
  sslnegotiation: ['postgres', 'direct'],
  target_session_attrs: ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'],
  keepalives: ['0', '1'],
  sslsni: ['0', '1'],
  sslcertmode: ['allow', 'disable'],
  load_balance_hosts: ['disable', 'random'],
  ssl_min_protocol_version: ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'],
  ssl_max_protocol_version: ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'],
} as const;

/**
 * Parameters of poolers, frameworks and providers. They have no meaning for a client of Postgres, and none of them
 * concerns security.
 */
const IGNORED_PARAMETERS: readonly string[] = [
  // Prisma.
  'pgbouncer',
  'connection_limit',
  'pool_timeout',
  'socket_timeout',
  'schema',
  'statement_cache_size',
  // Supabase.
  'supa',
  'workaround',
  // SQLAlchemy, Django, Rails, Doctrine.
  'pool_size',
  'max_overflow',
  'pool_recycle',
  'pool_pre_ping',
  'conn_max_age',
  'pool',
  'prepared_statements',
  'encoding',
  'charset',
  'serverVersion',
  // pgx, asyncpg, node-postgres and JDBC.
  'pool_max_conns',
  'pool_min_conns',
  'pool_max_conn_lifetime',
  'pool_max_conn_idle_time',
  'default_query_exec_mode',
  'statement_cache_capacity',
  'prepared_statement_cache_size',
  'binary_parameters',
  'uselibpqcompat',
  'prepareThreshold',
  'currentSchema',
];

/**
 * Network parameters of libpq that the driver cannot set, so only pg_dump gets them. The connections of increp use the
 * values of the system, and STALL_TIMEOUT.
 */
const NETWORK_PARAMETERS: readonly string[] = ['keepalives_interval', 'keepalives_count', 'tcp_user_timeout'];

/** Parameters of libpq for GSSAPI, or for what increp sets itself. */
const WITHOUT_EFFECT: readonly string[] = [
  'client_encoding',
  'sslcompression',
  'krbsrvname',
  'gsslib',
  'gssdelegation',
];

/** Their values are checked elsewhere, or have no form. */
const FREE_TEXTS: readonly string[] = [
  'application_name',
  'fallback_application_name',
  'passfile',
  'hostaddr',
];

/** Parameters of other clients that concern security, and what to write instead. */
const FOREIGN_PARAMETERS: Readonly<Record<string, string>> = {
  service:
    'is read only from a variable such as SOURCE_URL; write the settings of that service (host, dbname, user and others)',
  servicefile:
    'is read only from a variable such as SOURCE_URL; write the settings of the service (host, dbname, user and others)',
  requirepeer: 'cannot be checked by increp; protect the directory of the socket instead, and remove it',
  sslcrldir: 'is not supported; join the files of that directory and name the result in sslcrl',
  sslkeylogfile: 'is not supported; remove it',
  replication: 'starts a replication connection, which increp does not use; remove it',
  sslaccept: 'is of Prisma; write sslmode=verify-full for "strict", or sslmode=require',
  sslidentity: 'is of Prisma; write sslcert and sslkey, with files in PEM form',
  sslinline: 'is of Go; write sslrootcert, sslcert and sslkey, with the names of files',
  ssl_mode: 'is of MySQL; write sslmode=require',
  sslrootcertificate: 'is unknown; write sslrootcert',
  sslfactory: 'is of JDBC; write sslmode=require or sslmode=verify-full',
  authenticator: 'is unknown; increp logs in with a password or a client certificate',
};

/** Undefined if the parameter is unknown. */
export function sessionFault(name: string, value: string): string[] | undefined {
  if (IGNORED_PARAMETERS.includes(name) || WITHOUT_EFFECT.includes(name) || FREE_TEXTS.includes(name))
    return [];
  const advice = FOREIGN_PARAMETERS[name];
  if (advice !== undefined) return [`the parameter "${name}" ${advice}`];
  const words: readonly string[] | undefined = Object.entries(WORDS).find(([key]) => key === name)?.[1];
  if (words) return words.includes(value) ? [] : [`"${name}" must be one of ${words.join(', ')}`];
  if (name === 'connect_timeout' || name === 'keepalives_idle')
    return /^\s*-?\d{1,6}\s*$/.test(value) ? [] : [`"${name}" must be a whole number of seconds`];
  if (NETWORK_PARAMETERS.includes(name))
    return /^\s*-?\d{1,9}\s*$/.test(value) ? [] : [`"${name}" must be a whole number`];
  if (name === 'require_auth') return methodsOf(value) ? [] : [NO_METHODS];
  if (name === 'gssencmode')
    return value === 'disable' || value === 'prefer'
      ? []
      : ['increp cannot encrypt with GSSAPI; remove "gssencmode" and set "sslmode"'];
  if (name === 'options') {
    const fault = optionsFault(value);
    return fault === undefined ? [] : [fault];
  }
  return undefined;
}

const METHODS = ['password', 'md5', 'scram-sha-256', 'none'] as const;
/** increp never uses these. A list may name them beside other methods. */
const OTHER_METHODS: readonly string[] = ['gss', 'sspi', 'oauth'];
const NO_METHODS = `"require_auth" must be a list such as scram-sha-256 or !md5,!password; the methods of increp are ${METHODS.join(', ')}`;

/** Undefined if the list is not valid, or allows no method of increp. */
function methodsOf(text: string): readonly AuthMethod[] | undefined {
  const words = text.split(',').map((word) => word.trim());
  const names = words.map((word) => word.replace(/^!/, ''));
  const isKnown = names.every((name) => [...METHODS, ...OTHER_METHODS].includes(name));
  const excluded = words.filter((word) => word.startsWith('!')).length;
  if (!isKnown || (excluded > 0 && excluded < words.length)) return undefined;
  const allowed = METHODS.filter((method) => names.includes(method) === (excluded === 0));
  return allowed.length > 0 ? allowed : undefined;
}

/** For a URL without faults. */
export function sessionParameters(params: Conninfo): SessionParameters {
  const word = <const T extends string>(name: string, words: readonly T[]): T | undefined =>
    words.find((candidate) => candidate === params.get(name));
  const seconds = (name: string) => (params.has(name) ? Math.max(0, Number(params.get(name))) : undefined);
  const versions = WORDS.ssl_min_protocol_version;
  const options = params.get('options');
  const auth = params.get('require_auth');
  const passwordFile = params.get('passfile');
  return {
    connectTimeoutSeconds: seconds('connect_timeout'),
    applicationName: params.get('application_name') ?? params.get('fallback_application_name'),
    channelBinding: word('channel_binding', WORDS.channel_binding),
    requireAuth: auth === undefined ? undefined : methodsOf(auth),
    sslNegotiation: word('sslnegotiation', WORDS.sslnegotiation) ?? 'postgres',
    minTls: word('ssl_min_protocol_version', versions),
    maxTls: word('ssl_max_protocol_version', versions),
    isHostSent: params.get('sslsni') !== '0',
    options: options === undefined || isOfNeon(options) ? undefined : options,
    passfile: passwordFile,
    isShuffled: params.get('load_balance_hosts') === 'random',
    targetSession: word('target_session_attrs', WORDS.target_session_attrs) ?? 'any',
    keepAliveIdleSeconds: params.get('keepalives') === '0' ? 0 : seconds('keepalives_idle') || undefined,
    onlyForDump: [...params].filter(([name]) => NETWORK_PARAMETERS.includes(name)),
    ignored: [...params].flatMap(([name, value]) => (hasNoEffect(name, value) ? [name] : [])),
  };
}

const hasNoEffect = (name: string, value: string): boolean =>
  IGNORED_PARAMETERS.includes(name) ||
  WITHOUT_EFFECT.includes(name) ||
  (name === 'options' && isOfNeon(value));
