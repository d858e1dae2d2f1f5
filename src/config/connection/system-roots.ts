/** `sslrootcert=system` of libpq 16. increp names the file of the system, so that pg_dump of any version has the same. */
import { existsSync } from 'node:fs';

/** Where OpenSSL and distributions keep the trusted authorities in one file. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
  '/usr/local/etc/ssl/cert.pem',
];

export const systemRoots = (): string | undefined => BUNDLES.find((path) => existsSync(path));
