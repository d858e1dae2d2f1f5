/** How the service reaches its control database: the settings of other connections, without a password in sight. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { certificateMaker } from '../support/certificates.ts';
import { increp } from '../support/increp.ts';
import { controlPlace } from '../support/service.ts';
import { slowTest } from '../support/tier.ts';
import { startTlsServer } from '../support/tls-server.ts';

test('the password of the control database comes from a file, a command or a passfile', async () => {
  await using control = await controlPlace();
  const place = { directory: control.root };
  const bare = new URL(control.url);
  const { password } = bare;
  bare.password = '';
  const file = async (name: string, text: string) => {
    const path = join(control.root, name);
    await writeFile(path, text);
    await chmod(path, 0o600);
    return path;
  };
  const passfile = await file('passfile', `*:*:*:*:${password}\n`);
  const ways: readonly Readonly<Record<string, string>>[] = [
    { SERVE_DATABASE_URL_FILE: await file('url', `${control.url}\n`) },
    {
      SERVE_DATABASE_URL: bare.href,
      SERVE_DATABASE_PASSWORD_COMMAND: `cat ${await file('password', password)}`,
    },
    { SERVE_DATABASE_URL: bare.href, PGPASSFILE: passfile },
    { SERVE_DATABASE_URL: `${bare.href}?passfile=${encodeURIComponent(passfile)}` },
    { SERVE_DATABASE_URL: control.url, SERVE_DATABASE_TARGET_SESSION_ATTRS: 'read-write' },
  ];
  for (const env of ways)
    expect(await increp('token list', place, { env }), Object.keys(env).join()).toMatchObject({
      exitCode: 0,
    });
  const without = await increp('token list', place, { env: { SERVE_DATABASE_URL: bare.href } });
  expect(without.exitCode).not.toBe(0);
  const standby = { SERVE_DATABASE_URL: control.url, SERVE_DATABASE_TARGET_SESSION_ATTRS: 'standby' };
  expect((await increp('token list', place, { env: standby })).exitCode).toBe(69);
});

slowTest('the control database proves who it is, and sees the certificate of the service', async () => {
  await using certificates = await certificateMaker();
  const ca = await certificates.make({ name: 'ca', commonName: 'ca', isAuthority: true });
  const other = await certificates.make({ name: 'other', commonName: 'other', isAuthority: true });
  const shown = await certificates.make({
    ...{ name: 'server', commonName: 'db', alternatives: 'IP:127.0.0.1', issuer: ca },
  });
  await using tls = await startTlsServer(ca);
  await tls.show(shown);
  const url = new URL(tls.server.url('with_client_certificate'));
  const client = await certificates.make({ name: 'client', commonName: url.username, issuer: ca });
  const env = {
    ...{ SERVE_DATABASE_URL: url.href, SERVE_DATABASE_SSLMODE: 'verify-full' },
    ...{ SERVE_DATABASE_SSLROOTCERT: ca.cert, SERVE_DATABASE_SSLCERT: client.cert },
    SERVE_DATABASE_SSLKEY: client.key,
  };
  const place = { directory: certificates.directory };
  expect(await increp('token list', place, { env })).toMatchObject({ exitCode: 0 });
  const wrongRoot = { ...env, SERVE_DATABASE_SSLROOTCERT: other.cert };
  const refused = await increp('token list', place, { env: wrongRoot });
  expect(refused.exitCode).not.toBe(0);
  expect(refused.stderr).toContain('control database');
});
