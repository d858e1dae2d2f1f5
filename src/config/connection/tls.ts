/** The TLS settings of one side, in the terms of libpq. Other files convert them for pg and pg_dump. */
import type { KeyObject, X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { expiryOf, modeFault, NO_SYSTEM_ROOTS, parseCertificate, parseKey } from './certificates.ts';
import { TLS_PARAMETER_FIELDS } from './connection-url.ts';
import { readText } from '../files.ts';
import { systemRoots } from './system-roots.ts';
import type { SettingsReading } from '../environment/reading.ts';
import { choose, isSet, refuse, textOf } from '../environment/reading.ts';
import type { SslMode, TlsSettings } from '../settings.ts';
import type { ConnectionPrefix, TlsField, VariableName } from '../environment/variables.ts';

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

interface FoundVariable {
  readonly text: string | undefined;
  /** The variable that a message about a wrong value names. */
  readonly name: VariableName;
}

/** Undefined if a problem was reported. */
export async function readTls(
  reading: SettingsReading,
  prefix: ConnectionPrefix,
  inUrl: Readonly<Partial<Record<TlsField, string>>>,
): Promise<TlsSettings | undefined> {
  refuseTwice(reading, prefix, inUrl);
  const find = (field: TlsField): FoundVariable =>
    inUrl[field] === undefined
      ? { text: textOf(reading, `${prefix}_${field}`), name: `${prefix}_${field}` }
      : { text: inUrl[field], name: `${prefix}_URL` };
  const isSystem = find('SSLROOTCERT').text === 'system';
  const isModeGiven = inUrl.SSLMODE !== undefined || isSet(reading, `${prefix}_SSLMODE`);
  // As in libpq 16.
  const mode = isSystem && !isModeGiven ? 'verify-full' : readMode(reading, find('SSLMODE'));
  const rootCert = await readRoot(reading, find('SSLROOTCERT'));
  const keyPassword = find('SSLPASSWORD').text;
  const files = await readPair(reading, find('SSLCERT'), find('SSLKEY'), keyPassword);
  const crl = await readFound(reading, find('SSLCRL'));
  if (crl && !/-----BEGIN X509 CRL-----/.test(crl.text))
    refuse(reading, crl.name, { what: `${crl.path} holds no list of revoked certificates in PEM form` });
  if (mode === undefined) return undefined;
  if (isSystem && mode !== 'verify-full')
    refuse(reading, find('SSLMODE').name, {
      what: `sslmode "${mode}" is too weak for sslrootcert=system, as in libpq; write sslmode=verify-full`,
    });
  checkRoot(reading, find('SSLMODE'), mode, rootCert);
  return { mode, rootCert, ...files, keyPassword, crl: crl?.path };
}

function refuseTwice(
  reading: SettingsReading,
  prefix: ConnectionPrefix,
  inUrl: Readonly<Partial<Record<TlsField, string>>>,
) {
  for (const field of TLS_PARAMETER_FIELDS) {
    const name: VariableName = `${prefix}_${field}`;
    if (inUrl[field] === undefined || !isSet(reading, name)) continue;
    refuse(reading, name, {
      what: `set together with ${field.toLowerCase()} in ${prefix}_URL; remove one of them`,
    });
  }
}

function readMode(reading: SettingsReading, { text, name }: FoundVariable): SslMode | undefined {
  if (text === 'no-verify')
    return refuse(reading, name, {
      what: 'sslmode "no-verify" is known only to node-postgres; write sslmode=require, which encrypts and does not verify the server, or sslmode=verify-full',
    });
  return choose(SSL_MODES, text, (problem) =>
    refuse(reading, name, { ...problem, what: `sslmode ${problem.what}` }),
  );
}

/** Returns the path even if the file is invalid. The fault is reported once. */
async function readRoot(reading: SettingsReading, found: FoundVariable): Promise<string | undefined> {
  if (found.text === undefined) return undefined;
  if (found.text === 'system') {
    const path = systemRoots();
    return path ?? refuse(reading, found.name, { what: NO_SYSTEM_ROOTS });
  }
  const file = await readFound(reading, found);
  if (file) checkCertificate(reading, file);
  return resolve(reading.directory, found.text);
}

async function readPair(
  reading: SettingsReading,
  certFound: FoundVariable,
  keyFound: FoundVariable,
  passphrase: string | undefined,
) {
  const cert = await readFound(reading, certFound);
  const key = await readFound(reading, keyFound);
  if ((certFound.text === undefined) !== (keyFound.text === undefined)) {
    refuse(reading, (certFound.text === undefined ? keyFound : certFound).name, {
      what: 'a client certificate needs its key, and the reverse; one of them is not set',
    });
  }
  const certificate = cert && checkCertificate(reading, cert);
  const privateKey = key && (await checkKey(reading, key, passphrase));
  if (cert && key && certificate && privateKey && !certificate.checkPrivateKey(privateKey)) {
    refuse(reading, key.name, { what: `${key.path} is not the key of the certificate ${cert.path}` });
  }
  return { cert: cert?.path, key: key?.path };
}

interface PemFile {
  readonly name: VariableName;
  readonly path: string;
  readonly text: string;
}

/** Undefined if it is not set, or if a problem was reported. */
async function readFound(
  reading: SettingsReading,
  { text: written, name }: FoundVariable,
): Promise<PemFile | undefined> {
  if (written === undefined) return undefined;
  const path = resolve(reading.directory, written);
  const { text, fault } = await readText(path);
  if (text !== undefined) return { name, path, text };
  return refuse(reading, name, { what: `${path} ${fault}` });
}

function checkCertificate(
  reading: SettingsReading,
  { name, path, text }: PemFile,
): X509Certificate | undefined {
  const { fault, ...parsed } = parseCertificate(text);
  if (!('value' in parsed)) return refuse(reading, name, { what: `${path} ${fault}` });
  const expiry = expiryOf(parsed.value);
  if (expiry !== undefined) reading.warn(`${name}: the certificate in ${path} ${expiry}`);
  return parsed.value;
}

async function checkKey(
  reading: SettingsReading,
  { name, path, text }: PemFile,
  passphrase: string | undefined,
): Promise<KeyObject | undefined> {
  const { fault, ...parsed } = parseKey(text, path, passphrase);
  const problem = fault ?? (await modeFault(path));
  if (problem !== undefined) return refuse(reading, name, { what: `${path} ${problem}` });
  return 'value' in parsed ? parsed.value : undefined;
}

/**
 * libpq looks for ~/.postgresql/root.crt, and Node uses the system's store. Only a named file is the same for both.
 */
function checkRoot(
  reading: SettingsReading,
  { name }: FoundVariable,
  mode: SslMode,
  rootCert: string | undefined,
): void {
  if (rootCert !== undefined || (mode !== 'verify-ca' && mode !== 'verify-full')) return;
  const variable = `${name.split('_')[0]}_SSLROOTCERT`;
  refuse(reading, name, {
    what: `sslmode "${mode}" needs a file with the trusted authorities; write ${variable}=ca.pem, or ${variable}=system`,
  });
}
