/** Every environment variable. The loader, the check for misspelt names and the documentation read this table. */

/** In the directory of the pipeline, unless STATE_DIR names another place. */
export const STATE_DIRECTORY = 'sync-state';

export type Prefix = 'SOURCE' | 'DEST';
/** Of the variables of any connection; the third one is that of the service. */
export type ConnectionPrefix = Prefix | 'SERVE_DATABASE';
export type TlsField = 'SSLMODE' | 'SSLROOTCERT' | 'SSLCERT' | 'SSLKEY' | 'SSLPASSWORD' | 'SSLCRL';
/** Parameters of libpq with the same name in lower case. */
export type SessionField = 'CONNECT_TIMEOUT' | 'CHANNEL_BINDING' | 'REQUIRE_AUTH' | 'TARGET_SESSION_ATTRS';
export type PasswordField = 'PASSWORD_COMMAND' | 'PASSWORD_TTL';
export type SshField = 'SSH' | 'SSH_COMMAND';
export type AddressField = 'HOST' | 'PORT' | 'USERNAME' | 'PASSWORD' | 'DB';

export type VariableName =
  | `${ConnectionPrefix}_${'URL' | 'SCHEMA' | AddressField | PasswordField | SshField | TlsField | SessionField}`
  | 'DEST_URLS'
  | 'SERVE_HOOK_KEY'
  | 'PIPELINE_NAME'
  | 'STATE_DIR'
  | 'STALL_TIMEOUT'
  | 'RETRY_ATTEMPTS'
  | 'RETRY_DELAY'
  | `WEBHOOK_${'URL' | 'SECRET' | 'EVENTS' | 'FORMAT'}`
  | 'LOG_LEVEL'
  | 'LOG_FORMAT'
  | 'METRICS_TEXTFILE'
  | 'HEALTHCHECK_URL';

export interface Variable {
  readonly name: VariableName;
  readonly meaning: string;
  readonly default?: string;
  /** The default in words, if it depends on another setting. */
  readonly defaultInWords?: string;
  readonly example?: string;
  readonly isRequired?: true;
  readonly isSecret?: true;
}

interface SideVariables {
  readonly prefix: ConnectionPrefix;
  readonly word: string;
  readonly examples: Readonly<Record<'host' | 'user' | 'database', string>>;
  readonly schema: Pick<Variable, 'default' | 'defaultInWords'>;
}

const connection = ({ prefix, word, examples, schema }: SideVariables): readonly Variable[] => [
  {
    name: `${prefix}_HOST`,
    meaning: `Host of the ${word}, or the directory of its Unix socket.`,
    example: examples.host,
    isRequired: true,
  },
  { name: `${prefix}_PORT`, meaning: `Port of the ${word}.`, default: '5432' },
  {
    name: `${prefix}_USERNAME`,
    meaning: 'Role that increp logs in as.',
    example: examples.user,
    isRequired: true,
  },
  {
    name: `${prefix}_PASSWORD`,
    meaning: 'Password of that role. Not needed with `trust` or `peer`.',
    isSecret: true,
  },
  {
    name: `${prefix}_PASSWORD_COMMAND`,
    meaning:
      'Program that prints the password as its first line of output ([passwords](passwords.md#password-command)).',
    example: `pass show ${word}/${examples.user}`,
  },
  {
    name: `${prefix}_PASSWORD_TTL`,
    meaning: `Age at which the password of ${prefix}_PASSWORD_COMMAND is replaced. Without it, only a failed login replaces the password.`,
    example: '10m',
  },
  { name: `${prefix}_DB`, meaning: 'Name of the database.', example: examples.database, isRequired: true },
  { name: `${prefix}_SCHEMA`, meaning: 'Schema of the tables.', ...schema },
  {
    name: `${prefix}_URL`,
    meaning:
      'Host, port, role, password and database as a URL, or as `host=... dbname=...`. Set either this or the individual variables. A URL without a password can be combined with the password variables.',
    example: `postgresql://${examples.user}:secret@${examples.host}:5432/${examples.database}?sslmode=require`,
    isSecret: true,
  },
  {
    name: `${prefix}_SSLMODE`,
    meaning:
      '`disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`, with the meaning of libpq.',
    default: 'prefer',
  },
  {
    name: `${prefix}_SSLROOTCERT`,
    meaning:
      'PEM file with the root certificates to trust, or `system`. Required by `verify-ca` and `verify-full`.',
    example: `certs/${word}-ca.pem`,
  },
  {
    name: `${prefix}_SSLCERT`,
    meaning: `PEM file with a client certificate. Needs ${prefix}_SSLKEY.`,
    example: 'certs/client.pem',
  },
  {
    name: `${prefix}_SSLKEY`,
    meaning: 'PEM file with the private key of the client certificate.',
    example: 'certs/client.key',
  },
  {
    name: `${prefix}_SSLPASSWORD`,
    meaning: `Passphrase of ${prefix}_SSLKEY.`,
    isSecret: true,
  },
  {
    name: `${prefix}_SSLCRL`,
    meaning: 'PEM file with revoked certificates.',
    example: `certs/${word}-crl.pem`,
  },
  {
    name: `${prefix}_SSH`,
    meaning: `SSH server through which increp connects to the ${word}: a user, host and port, or a Host of ~/.ssh/config ([SSH tunnels](ssh.md)). \`none\` means no tunnel.`,
    example: 'deploy@bastion.example.com:22',
  },
  {
    name: `${prefix}_SSH_COMMAND`,
    meaning: `The program for ${prefix}_SSH, with options.`,
    defaultInWords: '`ssh`',
    example: 'ssh -F ssh_config',
  },
  {
    name: `${prefix}_CONNECT_TIMEOUT`,
    meaning: 'Longest time to connect to one address, in seconds. `0` means no limit.',
    default: '10',
  },
  {
    name: `${prefix}_CHANNEL_BINDING`,
    meaning: '`require`: send the password only to a server that supports channel binding.',
    example: 'require',
  },
  {
    name: `${prefix}_REQUIRE_AUTH`,
    meaning:
      'Authentication methods to accept, separated by commas: `scram-sha-256`, `md5`, `password`, `none`; or each with `!` to refuse it.',
    example: 'scram-sha-256',
  },
  {
    name: `${prefix}_TARGET_SESSION_ATTRS`,
    meaning:
      'Kind of server to accept: `any`, `read-write`, `read-only`, `primary`, `standby` or `prefer-standby`.',
    default: 'any',
  },
];

export const VARIABLES: readonly Variable[] = [
  ...connection({
    prefix: 'SOURCE',
    word: 'source',
    examples: { host: 'db.example.com', user: 'reader', database: 'shop' },
    schema: { default: 'public' },
  }),
  ...connection({
    prefix: 'DEST',
    word: 'destination',
    examples: { host: 'warehouse.example.com', user: 'writer', database: 'analytics' },
    schema: { defaultInWords: 'SOURCE_SCHEMA, or the `schema` of a table' },
  }),
  {
    name: 'DEST_URLS',
    meaning:
      'Several destinations instead of one, separated by white space, each as `NAME=URL`, `URL` or `NAME=host=... dbname=...`.',
    example: 'warehouse=postgresql://writer:secret@wh.example.com/analytics',
    isSecret: true,
  },
  {
    name: 'PIPELINE_NAME',
    meaning: 'Name of the pipeline in logs, locks, history and messages.',
    defaultInWords: 'the name of the directory',
    example: 'shop-to-analytics',
  },
  {
    name: 'STATE_DIR',
    meaning: 'Directory for cursors, the history of runs and counters.',
    default: STATE_DIRECTORY,
  },
  {
    name: 'STALL_TIMEOUT',
    meaning:
      'Longest silence of a server that must answer. After it, the connection counts as lost, unless the backend is still working.',
    default: '2m',
  },
  {
    name: 'RETRY_ATTEMPTS',
    meaning:
      'How often increp tries a table, or the work before the first table, if an error is temporary. `1` means no retry.',
    default: '4',
  },
  {
    name: 'RETRY_DELAY',
    meaning:
      'Longest wait before the first retry. It doubles with each attempt, up to 8 s. The wait is random, and at least half of this value.',
    default: '500ms',
  },
  {
    name: 'WEBHOOK_URL',
    meaning: 'URL that receives the result of each run as a POST request.',
    example: 'https://hooks.example.com/increp',
    isSecret: true,
  },
  {
    name: 'WEBHOOK_SECRET',
    meaning: 'Key that signs each request (Standard Webhooks): `whsec_` and base64, or any text.',
    isSecret: true,
  },
  {
    name: 'WEBHOOK_EVENTS',
    meaning: 'Events to send, separated by commas. You can add `table.synced` and `table.failed`.',
    default: 'run.succeeded,run.partial,run.failed',
  },
  {
    name: 'WEBHOOK_FORMAT',
    meaning: '`json`, or `slack` for a body that Slack accepts.',
    default: 'json',
  },
  {
    name: 'LOG_LEVEL',
    meaning: 'Lowest level to log: `trace`, `debug`, `info`, `warn`, `error` or `silent`.',
    default: 'info',
  },
  {
    name: 'LOG_FORMAT',
    meaning: '`pretty` or `json` lines on stderr. `auto` is `json` beside `--json`, and `pretty` otherwise.',
    default: 'auto',
  },
  {
    name: 'METRICS_TEXTFILE',
    meaning: 'File for Prometheus metrics, which node_exporter reads. Its name ends in `.prom`.',
    example: '/var/lib/prometheus/node-exporter/increp_shop.prom',
  },
  {
    name: 'HEALTHCHECK_URL',
    meaning:
      'URL of healthchecks.io or a compatible service. increp calls it at the start and end of each run.',
    example: 'https://hc-ping.com/00000000-0000-4000-8000-000000000000',
    isSecret: true,
  },
];

/** The URL of the control database names its server, role and database. */
const BESIDES_URL =
  /_(?:PASSWORD(?:_\w+)?|SSL\w+|CONNECT_TIMEOUT|CHANNEL_BINDING|REQUIRE_AUTH|TARGET_SESSION_ATTRS)$/;

/** The variables of `serve` and `work`. They are not about one pipeline, so `.env` has none of them. */
export const SERVICE_VARIABLES: readonly Variable[] = [
  {
    name: 'SERVE_DATABASE_URL',
    meaning:
      'The control database of `increp serve` and `increp work`, as a URL or as `host=... dbname=...`.',
    example: 'postgresql://increp:secret@db.example.com:5432/increp_control?sslmode=require',
    isRequired: true,
    isSecret: true,
  },
  ...connection({
    ...{ prefix: 'SERVE_DATABASE', word: 'control', schema: {} },
    examples: { host: 'db.example.com', user: 'increp', database: 'increp_control' },
  }).filter(({ name }) => BESIDES_URL.test(name)),
  {
    name: 'SERVE_HOOK_KEY',
    meaning:
      'Key from which the secrets of hooks are derived, at least 32 characters. Each `increp serve` needs the same.',
    isSecret: true,
  },
];

const byName: ReadonlyMap<string, Variable> = new Map(
  [...VARIABLES, ...SERVICE_VARIABLES].map((variable) => [variable.name, variable]),
);

export const variable = (name: string): Variable | undefined => byName.get(name);
