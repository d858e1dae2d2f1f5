/** TLS and sockets behind a bastion: increp and pg_dump verify the real name of the server. */
import pg from 'pg';
import { afterAll, beforeAll, expect } from 'vitest';
import { certificateMaker, type Certificate, type CertificateMaker } from '../support/certificates.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { canTestSsh, startSshd, testWithSshdAndTls, type Sshd } from '../support/sshd.ts';
import { sync, trySync } from '../support/sync.ts';
import { SOCKET_DIRECTORY, startTlsServer, type TlsServer } from '../support/tls-server.ts';
import { canTestTls } from '../support/tls-test.ts';

let maker: CertificateMaker;
let tls: TlsServer;
let bastion: Sshd;
let ca: Certificate;

/** Only the certificate knows this name: the bastion connects to the address. */
const NAME = 'db.internal.example';

beforeAll(async () => {
  if (!canTestSsh || !canTestTls) return;
  maker = await certificateMaker();
  ca = await maker.make({ name: 'ca', commonName: 'Our CA', isAuthority: true });
  tls = await startTlsServer(ca);
  await tls.show(
    await maker.make({ name: 'server', commonName: 'x', alternatives: `DNS:${NAME}`, issuer: ca }),
  );
  bastion = await startSshd();
  const admin = new pg.Client({ connectionString: tls.server.url('anyhow') });
  await admin.connect();
  await admin.query(`${ORDERS_SQL}; INSERT INTO orders (id) VALUES (1), (2)`);
  await admin.end();
});
afterAll(async () => {
  await bastion?.[Symbol.asyncDispose]();
  await tls?.[Symbol.asyncDispose]();
  await maker?.[Symbol.asyncDispose]();
});

const NO_ADDRESS = Object.fromEntries(
  ['HOST', 'PORT', 'USERNAME', 'PASSWORD', 'DB', 'SSLMODE'].map((field) => [`SOURCE_${field}`, undefined]),
);

async function pairFrom(place: string, parameters: string): Promise<Pair> {
  const pair = await freshPair({ tables: [{ ...ORDERS_CONFIG }] });
  const { user, password } = tls.server;
  await pair.setEnv({
    ...NO_ADDRESS,
    SOURCE_URL: `postgresql://${user}:${encodeURIComponent(password)}@${place}/anyhow?${parameters}`,
    SOURCE_SSH: bastion.address,
    SOURCE_SSH_COMMAND: bastion.command,
  });
  return pair;
}

const verified = (name: string) =>
  `hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert=${ca.cert}&host=${name}`;

testWithSshdAndTls('pg_dump and increp verify the name of the server through the tunnel', async () => {
  await using pair = await pairFrom(`:${tls.server.port}`, verified(NAME));
  await tls.newLog();
  expect((await sync(pair)).table()).toMatchObject({ loader: 'pg_dump', rows_inserted: 2 });
  const dump = /connection authorized: .*application_name=increp pg_dump(.*)/.exec(await tls.newLog());
  expect(dump?.[1]).toContain('SSL enabled');
  await pair.writeTables([{ ...ORDERS_CONFIG, initial_load: 'copy' }]);
  expect((await sync(pair, '--full-refresh')).table()).toMatchObject({ loader: 'copy' });
});

testWithSshdAndTls('a certificate for another name is refused through the tunnel', async () => {
  await using pair = await pairFrom(`:${tls.server.port}`, verified('other.internal.example'));
  const { summary } = await trySync(pair);
  expect(summary.error).toMatchObject({
    code: 'TLS_FAILED',
    message: expect.stringContaining(`is for ${NAME}, not for other.internal.example`) as string,
  });
});

testWithSshdAndTls('both loaders reach a Unix socket at the bastion', async () => {
  await using pair = await pairFrom(`:${tls.server.port}`, `host=${SOCKET_DIRECTORY}`);
  expect((await sync(pair)).table()).toMatchObject({ loader: 'pg_dump', rows_inserted: 2 });
  await pair.writeTables([{ ...ORDERS_CONFIG, initial_load: 'copy' }]);
  expect((await sync(pair, '--full-refresh')).table()).toMatchObject({ loader: 'copy' });
});

testWithSshdAndTls('several servers behind one bastion are tried in order', async () => {
  const hosts = `127.0.0.1:1,127.0.0.1:${tls.server.port}`;
  await using pair = await pairFrom(hosts, 'sslmode=require');
  expect((await sync(pair)).table()).toMatchObject({ loader: 'pg_dump', rows_inserted: 2 });
});
