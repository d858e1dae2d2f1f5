/** A real server that can show any certificate, or none, and lets people in by hostssl and hostnossl. */
import { X509Certificate } from 'node:crypto';
import { chmod, chown, copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { startServer, type EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { findServerUser } from '../../src/demo/server-user.ts';
import { peerCertificate } from '../../src/postgres/peer-certificate.ts';
import { waitUntil } from './activity.ts';
import type { Certificate } from './certificates.ts';

/** Databases; who may enter them is what they are called after. */
export const DOORS = ['anyhow', 'tls_only', 'plain_only', 'with_client_certificate'] as const;
export type Door = (typeof DOORS)[number];

/** Every user may make a socket there; its name has the server's port. */
export const SOCKET_DIRECTORY = '/tmp';

const HBA = `
local all all scram-sha-256
hostssl tls_only all all scram-sha-256
host tls_only all all reject
hostnossl plain_only all all scram-sha-256
host plain_only all all reject
hostssl with_client_certificate all all scram-sha-256 clientcert=verify-full
host with_client_certificate all all reject
host all all all scram-sha-256
`;

export interface TlsServer extends AsyncDisposable {
  readonly server: EmbeddedServer;
  /** Undefined: no TLS. Returns when new connections see it. */
  show(certificate: Certificate | undefined): Promise<void>;
  /** What the server has written since the last call. */
  newLog(): Promise<string>;
}

/** `clientAuthority`: whose client certificates are good. */
export async function startTlsServer(clientAuthority: Certificate): Promise<TlsServer> {
  const server = await startServer({
    name: 'tls',
    settings: { log_connections: true, unix_socket_directories: SOCKET_DIRECTORY },
  });
  const admin = new pg.Pool({ connectionString: server.url('postgres'), max: 1 });
  admin.on('error', () => undefined);
  const inData = (name: string) => join(server.dataDirectory, name);
  await copyFile(clientAuthority.cert, inData('clients.pem'));
  await lend(inData('clients.pem'));
  await writeFile(inData('pg_hba.conf'), HBA);
  for (const door of DOORS) await admin.query(`CREATE DATABASE ${door}`);
  await admin.query(`ALTER SYSTEM SET ssl_ca_file = 'clients.pem'`);
  let logRead = 0;
  const show = async (certificate: Certificate | undefined) => {
    if (certificate) {
      await copyFile(certificate.cert, inData('server.crt'));
      await copyFile(certificate.key, inData('server.key'));
      await Promise.all(['server.crt', 'server.key'].map((name) => lend(inData(name))));
    }
    await admin.query(`ALTER SYSTEM SET ssl = ${certificate ? 'on' : 'off'}`);
    await admin.query('SELECT pg_reload_conf()');
    const wanted = certificate && new X509Certificate(await readFile(certificate.cert)).fingerprint256;
    await waitUntil('the server shows that certificate', async () => {
      return (await peerCertificate(server.host, server.port))?.fingerprint256 === wanted;
    });
  };
  return {
    server,
    show,
    newLog: async () => {
      const text = await readFile(server.logFile, 'utf8');
      const fresh = text.slice(logRead);
      logRead = text.length;
      return fresh;
    },
    [Symbol.asyncDispose]: async () => {
      await admin.end();
      await server.stop();
    },
  };
}

/** To the user that the server runs as, where that is not us. */
async function lend(path: string): Promise<void> {
  await chmod(path, 0o600);
  const user = await findServerUser();
  if (user) await chown(path, user.uid, user.gid);
}
