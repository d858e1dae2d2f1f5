/** A whole sync over verified TLS, and what is said where TLS fails. */
import { chmod, copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import pg from 'pg';
import { afterAll, beforeAll, expect } from 'vitest';
import { certificateMaker, type Certificate, type CertificateMaker } from '../support/certificates.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { expectRefusal } from '../support/refusal.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { startTlsServer, type Door, type TlsServer } from '../support/tls-server.ts';
import { canTestTls, testWithTls } from '../support/tls-test.ts';
import { oneIn, slowKind } from '../support/tier.ts';

let maker: CertificateMaker;
let tls: TlsServer;
let ca: Certificate;
let right: Certificate;
let client: Certificate;

beforeAll(async () => {
  if (!canTestTls) return;
  maker = await certificateMaker();
  ca = await maker.make({ name: 'ca', commonName: 'Our CA', isAuthority: true });
  right = await maker.make({ name: 'right', commonName: 'x', alternatives: 'DNS:localhost', issuer: ca });
  client = await maker.make({ name: 'client', commonName: 'postgres', issuer: ca });
  tls = await startTlsServer(ca);
});
afterAll(async () => {
  await tls?.[Symbol.asyncDispose]();
  await maker?.[Symbol.asyncDispose]();
});

/** A pair whose source is the server with TLS. */
async function tlsPair(door: Door, env: Readonly<Record<string, string>>): Promise<Pair> {
  const pair = await freshPair({ tables: [{ ...ORDERS_CONFIG }] });
  await pair.setEnv({
    SOURCE_HOST: 'localhost',
    SOURCE_PORT: String(tls.server.port),
    SOURCE_USERNAME: tls.server.user,
    SOURCE_PASSWORD: tls.server.password,
    SOURCE_DB: door,
    ...env,
  });
  return pair;
}

testWithTls(
  'both loaders and an incremental sync go through verified TLS with a client certificate',
  async () => {
    await tls.show(right);
    await using pair = await tlsPair('with_client_certificate', {
      SOURCE_SSLMODE: 'verify-full',
      SOURCE_SSLROOTCERT: ca.cert,
      SOURCE_SSLCERT: client.cert,
      SOURCE_SSLKEY: client.key,
    });
    const source = new pg.Pool({
      host: 'localhost',
      port: tls.server.port,
      user: tls.server.user,
      password: tls.server.password,
      database: 'with_client_certificate',
      ssl: {
        rejectUnauthorized: false,
        cert: await read(client.cert),
        key: await read(client.key),
      },
    });
    try {
      await source.query(`${ORDERS_SQL}; INSERT INTO orders (id, total) VALUES (1, 1)`);
      const seen: Pair = { ...pair, source };
      await tls.newLog();
      expect((await sync(pair)).table().loader).toBe('pg_dump');
      const dump = /connection authorized: .*application_name=increp pg_dump(.*)/.exec(await tls.newLog());
      expect(dump?.[1]).toContain('SSL enabled');
      await expectSameRows(seen, 'orders');
      await source.query('INSERT INTO orders (id, total) VALUES (2, 2)');
      expect((await sync(pair)).table().rows_inserted).toBe(1);
      await pair.writeTables([{ ...ORDERS_CONFIG, initial_load: 'copy' }]);
      expect((await sync(pair, '--full-refresh')).table().loader).toBe('copy');
      await expectSameRows(seen, 'orders');
      const { stdout } = await increp('check', pair);
      expect(stdout).toMatch(
        /source: PostgreSQL [\d.]+, TLSv1\.[23] \([A-Z\d_]+\); destination: PostgreSQL [\d.]+, no TLS/,
      );
      // An address of this machine that does not look like one.
      const env = { SOURCE_HOST: '0.0.0.0', SOURCE_SSLMODE: 'verify-ca' };
      expect((await increp('check', pair, { env })).stdout).toContain(
        'the certificate of the source is verified, but not its host name 0.0.0.0 [NOT_VERIFIED]',
      );
    } finally {
      await source.end();
    }
  },
);

const read = (path: string) => readFile(path);

interface Refusal {
  readonly title: string;
  readonly shows?: () => Promise<Certificate | undefined>;
  readonly door?: Door;
  readonly env: () => Promise<Record<string, string>> | Record<string, string>;
  readonly exitCode?: number;
  readonly code: string;
  readonly what: readonly (string | RegExp)[];
  readonly next: string | RegExp;
}

const verified = (mode: string) => () => ({ SOURCE_SSLMODE: mode, SOURCE_SSLROOTCERT: ca.cert });
const server = (name: string, more: object) => () =>
  maker.make({ name, commonName: name, alternatives: 'DNS:localhost', issuer: ca, ...more });
const withClient = (key: () => Promise<string>) => async () => ({
  SOURCE_SSLMODE: 'require',
  SOURCE_SSLCERT: client.cert,
  SOURCE_SSLKEY: await key(),
});

const REFUSALS: readonly Refusal[] = [
  {
    title: 'a certificate for another name',
    shows: server('elsewhere', { alternatives: 'DNS:db.example.com,IP:192.0.2.7' }),
    env: verified('verify-full'),
    code: 'TLS_FAILED',
    what: [/source localhost:\d+\/anyhow: /, 'is for db.example.com, 192.0.2.7, not for localhost'],
    next: 'Set SOURCE_HOST to a name in the certificate',
  },
  {
    title: 'an expired certificate',
    shows: server('expired', { days: 0 }),
    env: verified('verify-ca'),
    code: 'TLS_FAILED',
    what: [/certificate \(CN=expired, issued by CN=Our CA\) expired on 20\d\d-\d\d-\d\dT/],
    next: 'Renew it on that server',
  },
  {
    title: 'a certificate of a foreign authority',
    shows: async () =>
      maker.make({
        name: 'foreign',
        commonName: 'foreign',
        issuer: await maker.make({ name: 'other-ca', commonName: 'Other CA', isAuthority: true }),
      }),
    env: verified('verify-full'),
    code: 'TLS_FAILED',
    what: ['(CN=foreign, issued by CN=Other CA) is not issued by a trusted authority'],
    next: /SOURCE_SSLROOTCERT \(.*ca\.pem\)/,
  },
  {
    title: 'a server without TLS',
    shows: () => Promise.resolve(undefined),
    env: () => ({ SOURCE_SSLMODE: 'require' }),
    code: 'TLS_FAILED',
    what: ['the server does not support TLS, but sslmode is "require"'],
    next: 'SOURCE_SSLMODE',
  },
  {
    title: 'a server that lets nobody in without TLS',
    door: 'tls_only',
    env: () => ({ SOURCE_SSLMODE: 'disable' }),
    exitCode: 77,
    code: 'AUTHENTICATION_FAILED',
    what: ['no encryption'],
    next: 'SOURCE_SSLMODE',
  },
  {
    title: 'a server without TLS that lets nobody in without TLS',
    shows: () => Promise.resolve(undefined),
    door: 'tls_only',
    env: () => ({ SOURCE_SSLMODE: 'prefer' }),
    exitCode: 77,
    code: 'AUTHENTICATION_FAILED',
    what: ['no encryption'],
    next: /The server has no TLS, so no other sslmode helps\. Add a "host" entry/,
  },
  {
    title: 'a server that lets nobody in without TLS, and a certificate that is not trusted',
    shows: server('old', { days: 0 }),
    door: 'tls_only',
    env: verified('prefer'),
    exitCode: 77,
    code: 'AUTHENTICATION_FAILED',
    what: ['no encryption', 'with TLS: ', '(CN=old, issued by CN=Our CA) expired on'],
    next: 'Renew it',
  },
  {
    title: 'a client certificate that is missing',
    door: 'with_client_certificate',
    env: () => ({ SOURCE_SSLMODE: 'require' }),
    exitCode: 77,
    code: 'AUTHENTICATION_FAILED',
    what: ['connection requires a valid client certificate'],
    next: 'SOURCE_SSLCERT',
  },
  {
    title: 'a client certificate of a foreign authority',
    env: async () => {
      const { cert, key } = await maker.make({ name: 'stranger', commonName: 'postgres' });
      return { SOURCE_SSLMODE: 'require', SOURCE_SSLCERT: cert, SOURCE_SSLKEY: key };
    },
    code: 'TLS_FAILED',
    what: ['the TLS handshake failed', /unknown.ca/i],
    next: 'SOURCE_SSLCERT and SOURCE_SSLKEY',
  },
  {
    title: 'a key that others can read',
    env: withClient(async () => {
      const key = join(maker.directory, 'open.key');
      await copyFile(client.key, key);
      await chmod(key, 0o644);
      return key;
    }),
    exitCode: 78,
    code: 'CONFIG_INVALID',
    what: ['SOURCE_SSLKEY', /open\.key can be read by other users \(mode 0644\)[^]*chmod 600 \S+open\.key/],
    next: 'increp help configuration',
  },
  {
    title: 'a key with a passphrase',
    env: withClient(async () => {
      const key = join(maker.directory, 'locked.key');
      await execa('openssl', ['pkey', '-in', client.key, '-aes256', '-passout', 'pass:x', '-out', key]);
      await chmod(key, 0o600);
      return key;
    }),
    exitCode: 78,
    code: 'CONFIG_INVALID',
    what: ['SOURCE_SSLKEY', /locked\.key is encrypted.*openssl pkey -in/],
    next: 'increp help configuration',
  },
  {
    title: 'a key of another certificate',
    env: withClient(() => Promise.resolve(right.key)),
    exitCode: 78,
    code: 'CONFIG_INVALID',
    what: ['SOURCE_SSLKEY', 'right.key is not the key of the certificate', 'client.pem'],
    next: 'increp help configuration',
  },
];

testWithTls.each(oneIn(2, REFUSALS))('$title is refused', async ({ shows, door, env, exitCode, ...said }) => {
  await tls.show(shows ? await shows() : right);
  await using pair = await tlsPair(door ?? 'anyhow', await env());
  await expectRefusal(pair, { exitCode: exitCode ?? 69, ...said });
});

const urlOf = (door: Door, parameters: string): string =>
  `postgresql://${tls.server.user}:${encodeURIComponent(tls.server.password)}@localhost:${tls.server.port}/${door}?${parameters}`;

const NO_ADDRESS = {
  SOURCE_HOST: undefined,
  SOURCE_PORT: undefined,
  SOURCE_USERNAME: undefined,
  SOURCE_PASSWORD: undefined,
  SOURCE_DB: undefined,
  SOURCE_SSLMODE: undefined,
};

slowKind(testWithTls)(
  'channel_binding=require: both loaders go through it, and nothing without it',
  async () => {
    await tls.show(right);
    await using pair = await tlsPair('anyhow', {});
    const admin = new pg.Pool({ connectionString: tls.server.url('anyhow'), max: 1 });
    admin.on('error', () => undefined);
    await admin.query(`DROP TABLE IF EXISTS orders; ${ORDERS_SQL}; INSERT INTO orders (id) VALUES (1), (2)`);
    const through = (parameters: string) =>
      pair.setEnv({ ...NO_ADDRESS, SOURCE_URL: urlOf('anyhow', parameters) });
    await through('sslmode=require&channel_binding=require&application_name=etl&connect_timeout=7');
    expect((await sync(pair)).table()).toMatchObject({ loader: 'pg_dump', rows_inserted: 2 });
    await admin.query('INSERT INTO orders (id) VALUES (3)');
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
    await through('sslmode=prefer&channel_binding=require');
    await sync(pair);
    await tls.show(undefined);
    const unbound = await increp('sync --json', pair);
    expect(unbound.stdout).toContain('does not offer channel binding');
    expect(unbound.exitCode).toBe(77);
    await through('sslmode=disable&channel_binding=require');
    const { stderr, exitCode } = await increp('check', pair);
    expect(exitCode).toBe(78);
    expect(stderr).toContain('channel_binding=require needs TLS');
    await through('sslmode=disable&require_auth=md5');
    const refused = await increp('sync', pair);
    expect(refused.stdout + refused.stderr).toContain(
      'require_auth=md5, but the server asks for scram-sha-256',
    );
    expect(refused.exitCode).toBe(77);
    await through('sslmode=disable&target_session_attrs=standby');
    const unfit = await increp('sync --json', pair);
    expect(unfit.stdout).toContain('target_session_attrs=standby, but this server is a primary');
    expect(unfit.exitCode).toBe(69);
    await admin.end();
  },
);
