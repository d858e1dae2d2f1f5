/** Connection strings as providers and frameworks show them: psql, increp and pg_dump come to the same verdict. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect } from 'vitest';
import { loadSettings } from '../../src/config/load.ts';
import type { ConnectionSettings } from '../../src/config/settings.ts';
import { Database } from '../../src/postgres/database.ts';
import { libpqEnvironment, serviceOf } from '../../src/postgres/dump.ts';
import { withPassfile } from '../../src/postgres/passfile.ts';
import { DEFAULT_TIMING } from '../../src/timing.ts';
import { certificateMaker, type Certificate, type CertificateMaker } from '../support/certificates.ts';
import { SOCKET_DIRECTORY, startTlsServer, type TlsServer } from '../support/tls-server.ts';
import { canTestTls, testWithTls } from '../support/tls-test.ts';
import { oneIn } from '../support/tier.ts';

let maker: CertificateMaker;
let tls: TlsServer;
let ca: Certificate;
let home: string;
/** A port that refuses connections. */
let closed: number;

beforeAll(async () => {
  if (!canTestTls) return;
  maker = await certificateMaker();
  ca = await maker.make({ name: 'ca', commonName: 'ca', isAuthority: true });
  tls = await startTlsServer(ca);
  await tls.show(
    await maker.make({
      name: 'server',
      commonName: 'server',
      issuer: ca,
      alternatives: 'DNS:localhost,IP:127.0.0.1',
    }),
  );
  home = await mkdtemp(join(tmpdir(), 'increp-strings-'));
  const { server } = tls;
  await writeFile(join(home, 'pass'), `*:*:*:*:${server.password}\n`, { mode: 0o600 });
  await writeFile(join(home, 'services'), servicesOf(server));
  await mkdir(join(home, 'pipeline'));
  await writeFile(
    join(home, 'pipeline', 'tables-config.json'),
    '[{ "name": "t", "replication_key": "a", "unique_cols": ["b"] }]',
  );
  const listener = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
  closed = (listener.address() as AddressInfo).port;
  await new Promise((resolve) => listener.close(resolve));
});

afterAll(async () => {
  await tls?.[Symbol.asyncDispose]();
  await maker?.[Symbol.asyncDispose]();
  if (home) await rm(home, { recursive: true });
});

type Written = (parts: {
  user: string;
  secret: string;
  password: string;
  port: number;
  place: string;
}) => string;

const DATABASE = 'anyhow';

const servicesOf = ({ port, user, password }: TlsServer['server']): string => `
# a comment
[full]
  # with spaces around, and a second port that does not count
\thost=127.0.0.1  \nport=${port}\nport=1
dbname=${DATABASE}
user=${user}
password=${password}
[stranger]
host=127.0.0.1
port=${port}
dbname=${DATABASE}
user=nobody_here
password=wrong
[nested]
service=full
[unknown]
host=127.0.0.1
nonsense=1
[malformed]
host 127.0.0.1
[other]
user=nobody_here
`;

/** `yes`: everybody connects. `no`: nobody does. `increp`: increp alone accepts it, with a note. */
const STRINGS: readonly (readonly [title: string, verdict: 'yes' | 'no' | 'increp', write: Written])[] = [
  ['plain', 'yes', ({ user, secret, place }) => `postgresql://${user}:${secret}@${place}/${DATABASE}`],
  [
    'with the other scheme',
    'yes',
    ({ user, secret, place }) => `postgres://${user}:${secret}@${place}/${DATABASE}`,
  ],
  [
    'of Neon',
    'yes',
    ({ user, secret, place }) =>
      `postgresql://${user}:${secret}@${place}/${DATABASE}?sslmode=require&channel_binding=require`,
  ],
  [
    'of Heroku',
    'yes',
    ({ user, secret, place }) => `postgres://${user}:${secret}@${place}/${DATABASE}?ssl=true`,
  ],
  [
    'of Cloud SQL',
    'yes',
    ({ user, secret, port }) =>
      `postgresql://${user}:${secret}@localhost/${DATABASE}?host=${SOCKET_DIRECTORY}&port=${port}`,
  ],
  [
    'of a socket',
    'yes',
    ({ user, secret, port }) => `postgresql://${user}:${secret}@%2Ftmp:${port}/${DATABASE}`,
  ],
  [
    'of Azure, as keywords',
    'yes',
    ({ user, password, port }) =>
      `host=localhost port=${port} dbname=${DATABASE} user=${user} password='${password}' sslmode=require`,
  ],
  [
    'with everything as parameters',
    'yes',
    ({ user, secret, port }) =>
      `postgresql:///?host=127.0.0.1&port=${port}&dbname=${DATABASE}&user=${user}&password=${secret}`,
  ],
  [
    'with hostaddr',
    'yes',
    ({ user, secret, port }) =>
      `postgresql://${user}:${secret}@nowhere.invalid:${port}/${DATABASE}?hostaddr=127.0.0.1`,
  ],
  [
    'with hostaddr, verified for another name',
    'no',
    ({ user, secret, port }) =>
      `postgresql://${user}:${secret}@nowhere.invalid:${port}/${DATABASE}?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert=${ca.cert}`,
  ],
  [
    'with hostaddr, verified for its name',
    'yes',
    ({ user, secret, port }) =>
      `postgresql://${user}:${secret}@localhost:${port}/${DATABASE}?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert=${ca.cert}`,
  ],
  [
    'with several hosts, the first closed',
    'yes',
    ({ user, secret, place }) => `postgresql://${user}:${secret}@127.0.0.1:${closed},${place}/${DATABASE}`,
  ],
  [
    'with several hosts in random order',
    'yes',
    ({ user, secret, place }) =>
      `postgresql://${user}:${secret}@${place},${place}/${DATABASE}?load_balance_hosts=disable`,
  ],
  [
    'with several hosts and one port',
    'yes',
    ({ user, secret, port }) =>
      `host=nowhere.invalid,127.0.0.1 port=${port} dbname=${DATABASE} user=${user} password=${secret}`,
  ],
  [
    'with more ports than hosts',
    'no',
    ({ user, secret, port }) =>
      `host=127.0.0.1 port=${port},${port} dbname=${DATABASE} user=${user} password=${secret}`,
  ],
  [
    'for a primary',
    'yes',
    ({ user, secret, place }) =>
      `postgresql://${user}:${secret}@${place}/${DATABASE}?target_session_attrs=read-write`,
  ],
  [
    'for a standby',
    'no',
    ({ user, secret, place }) =>
      `postgresql://${user}:${secret}@${place}/${DATABASE}?target_session_attrs=standby`,
  ],
  [
    'for a standby if there is one',
    'yes',
    ({ user, secret, place }) =>
      `postgresql://${user}:${secret}@127.0.0.1:${closed},${place}/${DATABASE}?target_session_attrs=prefer-standby`,
  ],
  [
    'with time limits',
    'yes',
    ({ user, secret, place }) =>
      `postgresql://${user}:${secret}@${place}/${DATABASE}?connect_timeout=5&keepalives=1&keepalives_idle=30&keepalives_interval=10&keepalives_count=3&tcp_user_timeout=10000`,
  ],
  [
    'with GSSAPI disabled',
    'yes',
    ({ user, secret, place }) =>
      `postgresql://${user}:${secret}@${place}/${DATABASE}?gssencmode=disable&application_name=my%20app`,
  ],
  [
    'with options',
    'yes',
    ({ user, secret, place }) =>
      `postgresql://${user}:${secret}@${place}/${DATABASE}?options=-c%20geqo%3Doff%20-c%20app.tenant%3D5`,
  ],
  [
    'with an option that the server refuses',
    'no',
    ({ user, secret, place }) =>
      `postgresql://${user}:${secret}@${place}/${DATABASE}?options=-c%20nothing%3D5`,
  ],
  [
    'with versions of TLS',
    'yes',
    ({ user, secret, place }) =>
      `postgresql://${user}:${secret}@${place}/${DATABASE}?sslmode=require&ssl_min_protocol_version=TLSv1.3&sslsni=0`,
  ],
  [
    'with a password file',
    'yes',
    ({ user, place }) => `postgresql://${user}@${place}/${DATABASE}?passfile=${join(home, 'pass')}`,
  ],
  ['with a wrong password', 'no', ({ user, place }) => `postgresql://${user}:wrong#1@${place}/${DATABASE}`],
  [
    'with a wrong password, then a good server',
    'no',
    ({ user, place }) => `postgresql://${user}:wrong@${place},${place}/${DATABASE}`,
  ],
  [
    'with channel binding but without TLS',
    'no',
    ({ user, secret, place }) =>
      `postgresql://${user}:${secret}@${place}/${DATABASE}?sslmode=disable&channel_binding=require`,
  ],
  [
    'with GSSAPI required',
    'no',
    ({ user, secret, place }) => `postgresql://${user}:${secret}@${place}/${DATABASE}?gssencmode=require`,
  ],
  [
    'of node-postgres',
    'no',
    ({ user, secret, place }) => `postgresql://${user}:${secret}@${place}/${DATABASE}?sslmode=no-verify`,
  ],
  [
    'of SQLAlchemy',
    'no',
    ({ user, secret, place }) => `postgresql+psycopg2://${user}:${secret}@${place}/${DATABASE}`,
  ],
  [
    'of JDBC',
    'no',
    ({ user, secret, place }) => `jdbc:postgresql://${place}/${DATABASE}?user=${user}&password=${secret}`,
  ],
  ['of a service', 'yes', () => 'service=full'],
  ['of a service, as a URL', 'yes', () => 'postgresql:///?service=full'],
  [
    'of a service and what it does not set',
    'yes',
    ({ user, password }) => `service=stranger user=${user} password='${password}'`,
  ],
  ['of a service and a wrong password', 'no', () => 'service=full password=wrong'],
  ['of a service that the server refuses', 'no', () => 'service=stranger'],
  ['of a service that does not exist', 'no', () => 'service=nowhere'],
  ['of a service that names another', 'no', () => 'service=nested'],
  ['of a service with an unknown parameter', 'no', () => 'service=unknown'],
  ['of a service with a malformed line', 'no', () => 'service=malformed'],
  [
    'of Prisma',
    'increp',
    ({ user, secret, place }) =>
      `postgresql://${user}:${secret}@${place}/${DATABASE}?schema=public&pgbouncer=true&connection_limit=1`,
  ],
];

async function settingsOf(SOURCE_URL: string): Promise<ConnectionSettings | undefined> {
  const destination = { DEST_HOST: 'db', DEST_USERNAME: 'writer', DEST_DB: 'copy' };
  const environment = { HOME: home, PGSERVICEFILE: join(home, 'services'), SOURCE_URL, ...destination };
  const settings = await loadSettings({ directory: join(home, 'pipeline'), environment }).catch(
    () => undefined,
  );
  return settings?.source;
}

async function connectsByDriver(settings: ConnectionSettings): Promise<ConnectionSettings | undefined> {
  const timing = DEFAULT_TIMING;
  await using database = new Database(settings, { pipeline: 'x', stallTimeoutSeconds: 60, timing });
  try {
    await database.withClient((client) => client.query('SELECT 1'));
    return database.connected;
  } catch {
    return undefined;
  }
}

const children = { extendEnv: false, reject: false } as const;
const PATH = process.env['PATH'];

const connectsByPgDump = (settings: ConnectionSettings): Promise<boolean> =>
  withPassfile(settings.credential.known, serviceOf(settings), async ({ directory, path }) => {
    const options = settings.parameters.options;
    const env = {
      PATH,
      ...libpqEnvironment(settings, directory, path),
      ...(options !== undefined && { PGOPTIONS: options }),
    };
    const { failed } = await execa('pg_dump', ['--schema-only', '--no-password'], { ...children, env });
    return !failed;
  });

testWithTls(
  'psql, increp and pg_dump connect by the same strings',
  async () => {
    const { user, password, port } = tls.server;
    const parts = { user, password, secret: encodeURIComponent(password), port, place: `127.0.0.1:${port}` };
    for (const [title, verdict, write] of oneIn(5, STRINGS)) {
      const text = write(parts);
      const env = { PATH, HOME: home, PGSERVICEFILE: join(home, 'services') };
      // libpq 15 does not know this parameter. With "disable" it has no effect.
      const forPsql = text.replace('?load_balance_hosts=disable', '');
      const psql = await execa('psql', ['--no-password', '-c', 'SELECT 1', '-d', forPsql], {
        ...children,
        env,
      });
      const settings = await settingsOf(text);
      const connected = settings && (await connectsByDriver(settings));
      expect({ title, psql: !psql.failed, increp: connected !== undefined }).toEqual({
        title,
        psql: verdict === 'yes',
        increp: verdict !== 'no',
      });
      if (settings && verdict !== 'increp')
        expect({ title, pgDump: await connectsByPgDump(settings) }).toEqual({
          title,
          pgDump: verdict === 'yes',
        });
      if (connected)
        expect({ title, pgDump: await connectsByPgDump(connected) }).toEqual({ title, pgDump: true });
    }
  },
  120_000,
);

testWithTls(
  'a key with a passphrase reaches the driver and pg_dump, and so does a list of revoked certificates',
  async () => {
    const { server } = tls;
    const client = await maker.make({ name: 'client', commonName: server.user, issuer: ca });
    const locked = join(home, 'locked.key');
    await execa('openssl', [
      'pkey',
      '-in',
      client.key,
      '-aes256',
      '-passout',
      'pass:a secret',
      '-out',
      locked,
    ]);
    await chmod(locked, 0o600);
    const address = `postgresql://${server.user}:${encodeURIComponent(server.password)}@localhost:${server.port}/with_client_certificate`;
    const url = `${address}?sslmode=verify-full&sslrootcert=${ca.cert}&sslcert=${client.cert}&sslkey=${locked}`;
    const good = await settingsOf(`${url}&sslpassword=a%20secret`);
    if (!good) throw new Error('the settings were refused');
    expect(await connectsByDriver(good)).toBeDefined();
    expect(await connectsByPgDump(good)).toBe(true);
    expect(await settingsOf(`${url}&sslpassword=wrong`)).toBeUndefined();
  },
);
