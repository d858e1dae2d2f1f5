/** Parameters of a connection URL other than the address and TLS, with the meaning that libpq gives them. */
import type { SessionParameters } from '../settings.ts';
import type { Conninfo } from './conninfo.ts';

export const NO_PARAMETERS: SessionParameters = {
  connectTimeoutSeconds: undefined,
  applicationName: undefined,
  channelBinding: undefined,
  sslNegotiation: 'postgres',
  targetSession: 'any',
  keepAliveIdleSeconds: undefined,
  ignored: [],
};

const WORDS = {
  channel_binding: ['disable', 'prefer', 'require'],
  sslnegotiation: ['postgres', 'direct'],
  target_session_attrs: ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'],
  keepalives: ['0', '1'],
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

/** Network parameters of libpq. increp has its own limits: STALL_TIMEOUT, and keepalive probes. */
const NETWORK_PARAMETERS: readonly string[] = ['keepalives_interval', 'keepalives_count', 'tcp_user_timeout'];

/** Parameters of other clients that concern security, and what to write instead. */
const FOREIGN_PARAMETERS: Readonly<Record<string, string>> = {
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
  if (IGNORED_PARAMETERS.includes(name) || NETWORK_PARAMETERS.includes(name) || name === 'application_name')
    return [];
  const advice = FOREIGN_PARAMETERS[name];
  if (advice !== undefined) return [`the parameter "${name}" ${advice}`];
  const words: readonly string[] | undefined = Object.entries(WORDS).find(([key]) => key === name)?.[1];
  if (words) return words.includes(value) ? [] : [`"${name}" must be one of ${words.join(', ')}`];
  if (name === 'connect_timeout' || name === 'keepalives_idle')
    return /^\d{1,6}$/.test(value) ? [] : [`"${name}" must be a whole number of seconds`];
  if (name === 'gssencmode')
    return value === 'disable' || value === 'prefer'
      ? []
      : ['increp cannot encrypt with GSSAPI; remove "gssencmode" and set "sslmode"'];
  if (name === 'options')
    return isOfNeon(value)
      ? []
      : [
          '"options" supports only a Neon endpoint (endpoint=NAME); increp sets all other options of its sessions',
        ];
  return undefined;
}

/** The name of a Neon endpoint, for clients that do not send it in the TLS handshake. increp and pg_dump send it. */
const isOfNeon = (options: string): boolean => /^(endpoint|project)=[\w-]+$/.test(options);

/** For a URL without faults. */
export function sessionParameters(params: Conninfo): SessionParameters {
  const word = <const T extends string>(name: string, words: readonly T[]): T | undefined =>
    words.find((candidate) => candidate === params.get(name));
  const seconds = (name: string) => (params.has(name) ? Number(params.get(name)) : undefined);
  return {
    connectTimeoutSeconds: seconds('connect_timeout'),
    applicationName: params.get('application_name'),
    channelBinding: word('channel_binding', WORDS.channel_binding),
    sslNegotiation: word('sslnegotiation', WORDS.sslnegotiation) ?? 'postgres',
    targetSession: word('target_session_attrs', WORDS.target_session_attrs) ?? 'any',
    keepAliveIdleSeconds: params.get('keepalives') === '0' ? 0 : seconds('keepalives_idle'),
    ignored: [...params.keys()].filter(
      (name) => IGNORED_PARAMETERS.includes(name) || NETWORK_PARAMETERS.includes(name) || name === 'options',
    ),
  };
}
