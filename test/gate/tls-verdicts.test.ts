/** Whatever sslmode, certificate and server there are: pg_dump and our own connection come to the same verdict. */
import { execa } from 'execa';
import { afterAll, beforeAll, expect } from 'vitest';
import { fixedCredential } from '../../src/config/connection/credential.ts';
import { NO_PARAMETERS } from '../../src/config/connection/url-parameters.ts';
import type { ConnectionSettings, SslMode } from '../../src/config/settings.ts';
import { Database } from '../../src/postgres/database.ts';
import { libpqEnvironment, serviceOf } from '../../src/postgres/dump.ts';
import { DEFAULT_TIMING } from '../../src/timing.ts';
import { oneIn } from '../support/tier.ts';
import { withPassfile } from '../../src/postgres/passfile.ts';
import { certificateMaker, type Certificate, type CertificateMaker } from '../support/certificates.ts';
import { SOCKET_DIRECTORY, startTlsServer, type Door, type TlsServer } from '../support/tls-server.ts';
import { canTestTls, testWithTls } from '../support/tls-test.ts';

type Verdict = 'tls' | 'plain' | 'no';

const MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

let maker: CertificateMaker;
let tls: TlsServer;
const made: Record<string, Certificate> = {};

beforeAll(async () => {
  if (!canTestTls) return;
  maker = await certificateMaker();
  const authority = async (name: string, issuer?: Certificate) =>
    maker.make({ name, commonName: name, isAuthority: true, ...(issuer && { issuer }) });
  const [ca, foreignCa] = [await authority('ca'), await authority('foreign-ca')];
  const between = await authority('between', ca);
  const server = (name: string, commonName: string, alternatives?: string, issuer = ca, days = 30) =>
    maker.make({ name, commonName, issuer, days, ...(alternatives !== undefined && { alternatives }) });
  const both = 'DNS:localhost,IP:127.0.0.1';
  const belowBetween = await server('below', 'below', both, between);
  Object.assign(made, {
    ca,
    foreignCa,
    between,
    right: await server('right', 'right', both),
    elsewhere: await server('elsewhere', 'db.example.com', 'DNS:db.example.com,IP:192.0.2.1'),
    expired: await server('expired', 'expired', both, ca, 0),
    foreign: await server('foreign', 'foreign', both, foreignCa),
    selfSigned: await maker.make({ name: 'self', commonName: 'self', alternatives: both }),
    commonName: await server('common', 'localhost'),
    commonAddress: await server('common-address', '127.0.0.1'),
    commonBesidesName: await server('besides-name', 'localhost', 'DNS:db.example.com'),
    commonBesidesAddress: await server('besides-address', 'localhost', 'IP:192.0.2.1'),
    addressBesidesName: await server('address-besides-name', '127.0.0.1', 'DNS:db.example.com'),
    addressBesidesAddress: await server('address-besides-address', '127.0.0.1', 'IP:192.0.2.1'),
    addressAsName: await server('address-as-name', 'x', 'DNS:127.0.0.1'),
    wildcard: await server('wildcard', 'x', 'DNS:*.0.0.1'),
    wideWildcard: await server('wide-wildcard', 'x', 'DNS:*.0.1'),
    capitals: await server('capitals', 'x', 'DNS:LOCALHOST'),
    withBetween: await maker.chain('with-between', belowBetween, between),
    withoutBetween: belowBetween,
    client: await maker.make({ name: 'client', commonName: 'postgres', issuer: ca }),
    otherClient: await maker.make({ name: 'other-client', commonName: 'somebody', issuer: ca }),
    foreignClient: await maker.make({ name: 'foreign-client', commonName: 'postgres', issuer: foreignCa }),
    clientWithBetween: await maker.chain(
      'client-with-between',
      await maker.make({ name: 'below-client', commonName: 'postgres', issuer: between }),
      between,
    ),
  });
  tls = await startTlsServer(ca);
});

afterAll(async () => {
  await tls?.[Symbol.asyncDispose]();
  await maker?.[Symbol.asyncDispose]();
});

interface Situation {
  readonly title: string;
  /** The server's certificate; undefined: it has no TLS. */
  readonly shows: string | undefined;
  readonly host?: string;
  readonly door?: Door;
  readonly password?: string;
  readonly root?: string;
  readonly client?: string;
  /** In the order of MODES; those of verification are left out where no root is given, which is refused earlier. */
  readonly verdicts: string;
}

const SITUATIONS: readonly Situation[] = [
  { title: 'no TLS', shows: undefined, verdicts: 'plain plain plain no' },
  { title: 'no TLS, root', shows: undefined, root: 'ca', verdicts: 'plain plain plain no no no' },
  { title: 'right certificate', shows: 'right', verdicts: 'plain plain tls tls' },
  { title: 'right certificate, root', shows: 'right', root: 'ca', verdicts: 'plain plain tls tls tls tls' },
  {
    title: 'right certificate, by address',
    shows: 'right',
    root: 'ca',
    host: '127.0.0.1',
    verdicts: 'plain plain tls tls tls tls',
  },
  { title: 'another host', shows: 'elsewhere', root: 'ca', verdicts: 'plain plain tls tls tls no' },
  {
    title: 'another host, by address',
    shows: 'elsewhere',
    root: 'ca',
    host: '127.0.0.1',
    verdicts: 'plain plain tls tls tls no',
  },
  { title: 'expired', shows: 'expired', verdicts: 'plain plain tls tls' },
  { title: 'expired, root', shows: 'expired', root: 'ca', verdicts: 'plain plain plain no no no' },
  { title: 'foreign authority', shows: 'foreign', verdicts: 'plain plain tls tls' },
  { title: 'foreign authority, root', shows: 'foreign', root: 'ca', verdicts: 'plain plain plain no no no' },
  { title: 'self-signed', shows: 'selfSigned', verdicts: 'plain plain tls tls' },
  { title: 'self-signed, root', shows: 'selfSigned', root: 'ca', verdicts: 'plain plain plain no no no' },
  {
    title: 'self-signed and trusted',
    shows: 'selfSigned',
    root: 'selfSigned',
    verdicts: 'plain plain tls tls tls tls',
  },
  {
    title: 'TLS only, right certificate',
    shows: 'right',
    root: 'ca',
    door: 'tls_only',
    verdicts: 'no tls tls tls tls tls',
  },
  {
    title: 'TLS only, expired',
    shows: 'expired',
    root: 'ca',
    door: 'tls_only',
    verdicts: 'no no no no no no',
  },
  {
    title: 'TLS only, self-signed, no root',
    shows: 'selfSigned',
    door: 'tls_only',
    verdicts: 'no tls tls tls',
  },
  { title: 'TLS only, but the server has none', shows: undefined, door: 'tls_only', verdicts: 'no no no no' },
  {
    title: 'TLS rejected',
    shows: 'right',
    root: 'ca',
    door: 'plain_only',
    verdicts: 'plain plain plain no no no',
  },
  {
    title: 'a wrong password',
    shows: 'right',
    root: 'ca',
    password: 'wrong',
    verdicts: 'no no no no no no',
  },
  {
    title: 'a Unix socket, which is never encrypted',
    shows: 'right',
    root: 'ca',
    host: SOCKET_DIRECTORY,
    verdicts: 'plain plain plain plain plain plain',
  },
  { title: 'common name', shows: 'commonName', root: 'ca', verdicts: 'plain plain tls tls tls tls' },
  {
    title: 'common name that is an address',
    shows: 'commonAddress',
    root: 'ca',
    host: '127.0.0.1',
    verdicts: 'plain plain tls tls tls tls',
  },
  {
    title: 'common name besides another DNS name',
    shows: 'commonBesidesName',
    root: 'ca',
    verdicts: 'plain plain tls tls tls no',
  },
  {
    title: 'common name besides an address',
    shows: 'commonBesidesAddress',
    root: 'ca',
    verdicts: 'plain plain tls tls tls tls',
  },
  {
    title: 'an address as common name besides a DNS name',
    shows: 'addressBesidesName',
    root: 'ca',
    host: '127.0.0.1',
    verdicts: 'plain plain tls tls tls tls',
  },
  {
    title: 'an address as common name besides another address',
    shows: 'addressBesidesAddress',
    root: 'ca',
    host: '127.0.0.1',
    verdicts: 'plain plain tls tls tls no',
  },
  {
    title: 'an address as DNS name',
    shows: 'addressAsName',
    root: 'ca',
    host: '127.0.0.1',
    verdicts: 'plain plain tls tls tls tls',
  },
  {
    title: 'a wildcard',
    shows: 'wildcard',
    root: 'ca',
    host: '127.0.0.1',
    verdicts: 'plain plain tls tls tls tls',
  },
  {
    title: 'a wildcard that would stand for two labels',
    shows: 'wideWildcard',
    root: 'ca',
    host: '127.0.0.1',
    verdicts: 'plain plain tls tls tls no',
  },
  { title: 'a name in capitals', shows: 'capitals', root: 'ca', verdicts: 'plain plain tls tls tls tls' },
  {
    title: 'an authority between, sent by the server',
    shows: 'withBetween',
    root: 'ca',
    verdicts: 'plain plain tls tls tls tls',
  },
  {
    title: 'an authority between that nobody sends',
    shows: 'withoutBetween',
    root: 'ca',
    verdicts: 'plain plain plain no no no',
  },
  {
    title: 'trust in the authority between alone, which is no root',
    shows: 'withBetween',
    root: 'between',
    verdicts: 'plain plain plain no no no',
  },
  {
    title: 'a client certificate is demanded and missing',
    shows: 'right',
    root: 'ca',
    door: 'with_client_certificate',
    verdicts: 'no no no no no no',
  },
  {
    title: 'the demanded client certificate',
    shows: 'right',
    root: 'ca',
    door: 'with_client_certificate',
    client: 'client',
    verdicts: 'no tls tls tls tls tls',
  },
  {
    title: 'the demanded client certificate, by an authority between',
    shows: 'right',
    root: 'ca',
    door: 'with_client_certificate',
    client: 'clientWithBetween',
    verdicts: 'no tls tls tls tls tls',
  },
  {
    title: 'a client certificate of somebody else',
    shows: 'right',
    root: 'ca',
    door: 'with_client_certificate',
    client: 'otherClient',
    verdicts: 'no no no no no no',
  },
  {
    title: 'a client certificate of a foreign authority',
    shows: 'right',
    root: 'ca',
    client: 'foreignClient',
    verdicts: 'plain plain no no no no',
  },
];

testWithTls.each(oneIn(12, SITUATIONS))('$title', async (situation) => {
  await tls.show(situation.shows === undefined ? undefined : made[situation.shows]);
  const expected = situation.verdicts.split(' ');
  const seen = { pg: [] as Verdict[], pgDump: [] as Verdict[] };
  for (const mode of MODES.slice(0, expected.length)) {
    const connection = connectionIn(situation, mode);
    seen.pg.push(await verdictOfPg(connection));
    seen.pgDump.push(await verdictOfPgDump(connection));
  }
  expect(seen).toEqual({ pg: expected, pgDump: expected });
});

function connectionIn(situation: Situation, mode: SslMode): ConnectionSettings {
  const { root, client, host = 'localhost', door = 'anyhow', password } = situation;
  return {
    side: 'source',
    host,
    hostAddress: undefined,
    otherServers: [],
    port: tls.server.port,
    user: tls.server.user,
    credential: fixedCredential(password ?? tls.server.password),
    database: door,
    schema: 'public',
    isSchemaGiven: false,
    bastion: undefined,
    parameters: NO_PARAMETERS,
    tls: {
      mode,
      rootCert: root === undefined ? undefined : made[root]?.cert,
      cert: client === undefined ? undefined : made[client]?.cert,
      key: client === undefined ? undefined : made[client]?.key,
      keyPassword: undefined,
      crl: undefined,
    },
  };
}

async function verdictOfPg(connection: ConnectionSettings): Promise<Verdict> {
  await using database = new Database(connection, {
    pipeline: 'tls',
    stallTimeoutSeconds: 60,
    timing: DEFAULT_TIMING,
  });
  try {
    return await database.withClient(async (client) => {
      const { rows } = await client.query<{ ssl: boolean }>(
        'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
      );
      return rows[0]?.ssl ? 'tls' : 'plain';
    });
  } catch {
    return 'no';
  }
}

/** Whether it was encrypted is in the server's log. */
async function verdictOfPgDump(connection: ConnectionSettings): Promise<Verdict> {
  await tls.newLog();
  return withPassfile(connection.credential.known, serviceOf(connection), async ({ directory, path }) => {
    const env = {
      PATH: process.env['PATH'],
      ...libpqEnvironment(connection, directory, path),
      PGAPPNAME: 'increp pg_dump',
    };
    const options = { env, extendEnv: false, reject: false } as const;
    const { failed } = await execa('pg_dump', ['--schema-only', '--no-password'], options);
    if (failed) return 'no';
    const authorized = /connection authorized: .*application_name=increp pg_dump(.*)/.exec(
      await tls.newLog(),
    );
    if (!authorized) throw new Error('the log says nothing of the connection');
    return authorized[1]?.includes('SSL enabled') ? 'tls' : 'plain';
  });
}
