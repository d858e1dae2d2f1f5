/** One description of TLS, in the two forms that need it. The meanings are libpq's: docs "34.19. SSL Support". */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { ConnectionSettings, TlsSettings } from '../config/settings.ts';

type Attempt = false | (ConnectionOptions & { host?: string });

/** What to try, in order: libpq's `allow` and `prefer` fall back from one to the other. */
export function tlsAttempts({ tls, host }: ConnectionSettings): Attempt[] {
  if (host.startsWith('/')) return [false];
  const encrypted = tlsOptions(tls, host);
  switch (tls.mode) {
    case 'disable':
      return [false];
    case 'allow':
      return [false, encrypted];
    case 'prefer':
      return [encrypted, false];
    default:
      return [encrypted];
  }
}

function tlsOptions(tls: TlsSettings, host: string): ConnectionOptions & { host?: string } {
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  const [ca, cert, key] = [read(tls.rootCert), read(tls.cert), read(tls.key)];
  // libpq treats `require` with a root certificate as `verify-ca`.
  const verifiesChain = tls.mode.startsWith('verify') || (tls.mode === 'require' && ca !== undefined);
  return {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    rejectUnauthorized: verifiesChain,
    ...(tls.mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
    // The driver names the server only where the host is not an address; without this "localhost" is verified.
    ...(isIP(host) === 0 ? {} : { host }),
  };
}

/** For pg_dump. Every field is given, so that no file of the user's home directory decides. */
export const libpqTls = (tls: TlsSettings): Record<string, string> => ({
  PGSSLMODE: tls.mode,
  ...(tls.rootCert === undefined ? {} : { PGSSLROOTCERT: tls.rootCert }),
  ...(tls.cert === undefined ? {} : { PGSSLCERT: tls.cert }),
  ...(tls.key === undefined ? {} : { PGSSLKEY: tls.key }),
});
