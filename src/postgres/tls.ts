/** Converts the TLS settings for pg and for pg_dump. The meanings are those of libpq: docs "34.19. SSL Support". */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import type { ConnectionSettings, SessionParameters, TlsSettings } from '../config/settings.ts';
import { identityError } from './certificate-names.ts';

type Attempt = false | ConnectionOptions;

/** The attempts in order. As in libpq, `allow` and `prefer` have a second attempt. */
export function tlsAttempts({ tls, host, parameters }: ConnectionSettings): Attempt[] {
  if (isSocket(host) || tls.mode === 'disable') return [false];
  const isNamed = parameters.isHostSent && isIP(host) === 0;
  // The driver connects to an address, so it does not send the name of the host by itself.
  const name = isNamed ? { servername: host } : { host };
  const encrypted = { ...tlsOptions(tls, host), ...versionsOf(parameters), ...name };
  switch (tls.mode) {
    case 'allow':
      return [false, encrypted];
    case 'prefer':
      return [encrypted, false];
    default:
      return [encrypted];
  }
}

/** libpq never uses TLS on a socket, whatever sslmode says. */
const isSocket = (host: string): boolean => host.startsWith('/');

const versionsOf = ({ minTls, maxTls }: SessionParameters) => ({
  ...(minTls && { minVersion: minTls }),
  ...(maxTls && { maxVersion: maxTls }),
});

function tlsOptions(tls: TlsSettings, host: string): ConnectionOptions {
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  const [ca, cert, key, crl] = [tls.rootCert, tls.cert, tls.key, tls.crl].map(read);
  return {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(crl && { crl }),
    ...(key && tls.keyPassword !== undefined && { passphrase: tls.keyPassword }),
    // In every mode, libpq verifies the chain if it has a root certificate.
    rejectUnauthorized: ca !== undefined || tls.mode.startsWith('verify'),
    checkServerIdentity: (_, certificate) =>
      tls.mode === 'verify-full' ? identityError(certificate, host) : undefined,
  };
}

/**
 * For pg_dump. Every field is set, so that no file in the home directory of the user has an effect (libpq before 15
 * finds that directory without HOME). A path that does not exist means that no such file is used.
 */
export function libpqTls({ mode, rootCert, cert, key, crl }: TlsSettings, emptyDirectory: string) {
  const none = join(emptyDirectory, 'none');
  return {
    PGSSLMODE: mode,
    PGSSLROOTCERT: rootCert ?? none,
    PGSSLCERT: cert ?? none,
    PGSSLKEY: key ?? none,
    PGSSLCRL: crl ?? none,
    // With a Kerberos ticket, libpq would first try GSSAPI encryption, which pg does not support.
    PGGSSENCMODE: 'disable',
  };
}
