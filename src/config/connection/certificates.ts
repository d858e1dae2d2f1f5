/** Checks the files of a TLS connection before increp connects, so that pg and pg_dump agree. */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { stat } from 'node:fs/promises';
import process from 'node:process';
import { utcTime } from '../../format.ts';
import { protectCommand } from '../../ownership.ts';
import { shellWord } from '../../shell-word.ts';
import { show } from '../problems.ts';

type CertificateCheck<T> = { readonly value: T; readonly fault?: undefined } | { readonly fault: string };

export function parseCertificate(text: string): CertificateCheck<X509Certificate> {
  if (/PRIVATE KEY-----/.test(text) && !/-----BEGIN [A-Z0-9 ]*CERTIFICATE-----/.test(text)) {
    return { fault: 'is a private key, not a certificate' };
  }
  try {
    return { value: new X509Certificate(text) };
  } catch {
    return { fault: 'holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)' };
  }
}

/** pg_dump would ask a terminal for the passphrase, and there is no terminal. */
export function parseKey(text: string, path: string, passphrase?: string): CertificateCheck<KeyObject> {
  if (/-----BEGIN ENCRYPTED |^Proc-Type:.*ENCRYPTED/m.test(text)) {
    if (passphrase !== undefined) return decrypted(text, passphrase);
    const command = `openssl pkey -in ${shellWord(path)} -out PLAIN.key && chmod 600 PLAIN.key`;
    return {
      fault: `is encrypted, and increp cannot ask for the passphrase; set sslpassword, or write a key without one: ${command}`,
    };
  }
  try {
    return { value: createPrivateKey(text) };
  } catch {
    return { fault: 'holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)' };
  }
}

/** A service file, by which pg_dump gets it, ends a value at the end of the line, without the white space there. */
function decrypted(key: string, passphrase: string): CertificateCheck<KeyObject> {
  if (/[\r\n]|^\s|\s$/.test(passphrase))
    return { fault: 'has a passphrase that begins or ends with white space, or has a line break; change it' };
  try {
    return { value: createPrivateKey({ key, passphrase }) };
  } catch {
    return { fault: 'cannot be decrypted with sslpassword' };
  }
}

/** The rule of libpq: only the owner may read a key. The group may read a key that belongs to root. */
export async function modeFault(path: string): Promise<string | undefined> {
  const { mode, uid } = await stat(path);
  const allowed = uid === 0 ? 0o740 : 0o700;
  if (process.platform === 'win32' || (mode & 0o777 & ~allowed) === 0) return undefined;
  const shown = (mode & 0o777).toString(8).padStart(4, '0');
  return `can be read by other users (mode ${shown}), and pg_dump refuses such a key; ${await protectCommand(path)}`;
}

/** Undefined if the certificate is still valid. */
export function expiryOf({ validTo }: X509Certificate, now = new Date()): string | undefined {
  const until = new Date(validTo);
  return until <= now ? `expired on ${utcTime(until)}` : undefined;
}

export const NO_SYSTEM_ROOTS = `the word ${show('system')} needs a file with the authorities of this system, which increp did not find; name a file, such as /etc/ssl/certs/ca-certificates.crt`;
