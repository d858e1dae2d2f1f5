/** One description of TLS, in the two forms that need it. The meanings are libpq's: docs "34.19. SSL Support". */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import type { ConnectionSettings, TlsSettings } from '../config/settings.ts';
import { identityError } from './certificate-names.ts';

type Attempt = false | (ConnectionOptions & { host?: string });

/** What to try, in order: libpq's `allow` and `prefer` fall back from one to the other. */
export function tlsAttempts({ tls, host }: ConnectionSettings): Attempt[] {
  if (isSocket(host) || tls.mode === 'disable') return [false];
  const encrypted = tlsOptions(tls, host);
  switch (tls.mode) {
    case 'allow':
      return [false, encrypted];
    case 'prefer':
      return [encrypted, false];
    default:
      return [encrypted];
  }
}

/** libpq, too, never asks for TLS there, whatever sslmode says. */
const isSocket = (host: string): boolean => host.startsWith('/');

function tlsOptions(tls: TlsSettings, host: string): ConnectionOptions & { host?: string } {
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  const [ca, cert, key] = [read(tls.rootCert), read(tls.cert), read(tls.key)];
  return {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    // libpq verifies the chain as soon as it has a root to verify it against, in every mode.
    rejectUnauthorized: ca !== undefined || tls.mode.startsWith('verify'),
    checkServerIdentity: (_, certificate) =>
      tls.mode === 'verify-full' ? identityError(certificate, host) : undefined,
    // The driver names the server only where the host is not an address; without this "localhost" is verified.
    ...(isIP(host) === 0 ? {} : { host }),
  };
}

/**
 * For pg_dump. Every field is given, so that no file of the user's home directory decides (libpq before 15 finds that
 * without HOME): a certificate, a key or a revocation list that is not there is one that is not used.
 */
export function libpqTls({ mode, rootCert, cert, key }: TlsSettings, emptyDirectory: string) {
  const none = join(emptyDirectory, 'none');
  return {
    PGSSLMODE: mode,
    PGSSLROOTCERT: rootCert ?? none,
    PGSSLCERT: cert ?? none,
    PGSSLKEY: key ?? none,
    PGSSLCRL: none,
    // With a Kerberos ticket at hand libpq would try another encryption first, which pg does not know.
    PGGSSENCMODE: 'disable',
  };
}
