/** What can be wrong with the files of a TLS connection: found before anything connects, so that pg and pg_dump agree. */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { stat } from 'node:fs/promises';
import process from 'node:process';
import { shellWord } from '../../shell-word.ts';
import { show } from '../problems.ts';

type Checked<T> = { readonly value: T; readonly fault?: undefined } | { readonly fault: string };

export function parseCertificate(text: string): Checked<X509Certificate> {
  if (/PRIVATE KEY-----/.test(text) && !/-----BEGIN [A-Z0-9 ]*CERTIFICATE-----/.test(text)) {
    return { fault: 'is a private key, not a certificate' };
  }
  try {
    return { value: new X509Certificate(text) };
  } catch {
    return { fault: 'holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)' };
  }
}

/** pg_dump would ask a terminal for the passphrase, and there is none. */
export function parseKey(text: string, path: string): Checked<KeyObject> {
  if (/-----BEGIN ENCRYPTED |^Proc-Type:.*ENCRYPTED/m.test(text)) {
    const command = `openssl pkey -in ${shellWord(path)} -out PLAIN.key && chmod 600 PLAIN.key`;
    return {
      fault: `is encrypted, and nobody is there to type the passphrase; write one without: ${command}`,
    };
  }
  try {
    return { value: createPrivateKey(text) };
  } catch {
    return { fault: 'holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)' };
  }
}

/** libpq's rule: nobody but the owner, but that a key of root's may be read by its group. */
export async function modeFault(path: string): Promise<string | undefined> {
  const { mode, uid } = await stat(path);
  const allowed = uid === 0 ? 0o740 : 0o700;
  if (process.platform === 'win32' || (mode & 0o777 & ~allowed) === 0) return undefined;
  const shown = (mode & 0o777).toString(8).padStart(4, '0');
  return `can be read by other users (mode ${shown}), and pg_dump refuses such a key; run: chmod 600 ${shellWord(path)}`;
}

/** Undefined where it holds for a while. */
export function expiryOf({ validTo }: X509Certificate, now = new Date()): string | undefined {
  const until = new Date(validTo);
  return until <= now ? `expired on ${until.toISOString()}` : undefined;
}

/** libpq 16 and later take a word for the system's authorities; older ones look for a file of that name. */
export const SYSTEM_ROOTS = `the word ${show('system')} is not supported, because pg_dump before 16 does not know it; name a file, as /etc/ssl/certs/ca-certificates.crt`;
