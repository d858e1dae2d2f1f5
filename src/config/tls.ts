/** How a side is encrypted, described with libpq's words; what pg and libpq make of it is decided elsewhere. */
import { resolve } from 'node:path';
import { readText } from './files.ts';
import type { Reading } from './reading.ts';
import { choose, isSet, refuse, textOf } from './reading.ts';
import type { SslMode, TlsSettings } from './settings.ts';
import type { Prefix, TlsField, VariableName } from './variables.ts';

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

const TLS_FIELDS: readonly TlsField[] = ['SSLMODE', 'SSLROOTCERT', 'SSLCERT', 'SSLKEY'];

interface Found {
  readonly text: string | undefined;
  /** The variable to name when something is wrong with it. */
  readonly name: VariableName;
}

/** Undefined where a problem was reported. */
export async function readTls(
  reading: Reading,
  prefix: Prefix,
  inUrl: Readonly<Partial<Record<TlsField, string>>>,
): Promise<TlsSettings | undefined> {
  refuseTwice(reading, prefix, inUrl);
  const find = (field: TlsField): Found =>
    inUrl[field] === undefined
      ? { text: textOf(reading, `${prefix}_${field}`), name: `${prefix}_${field}` }
      : { text: inUrl[field], name: `${prefix}_URL` };
  const mode = readMode(reading, find('SSLMODE'));
  const rootCert = await readPath(reading, find('SSLROOTCERT'));
  const cert = await readPath(reading, find('SSLCERT'));
  const key = await readPath(reading, find('SSLKEY'));
  checkPair(reading, find('SSLCERT'), find('SSLKEY'));
  if (mode === undefined) return undefined;
  checkRoot(reading, find('SSLMODE'), mode, rootCert);
  return { mode, rootCert, cert, key };
}

function refuseTwice(reading: Reading, prefix: Prefix, inUrl: Readonly<Partial<Record<TlsField, string>>>) {
  for (const field of TLS_FIELDS) {
    const name: VariableName = `${prefix}_${field}`;
    if (inUrl[field] === undefined || !isSet(reading, name)) continue;
    refuse(reading, name, {
      what: `set together with ${field.toLowerCase()} in ${prefix}_URL; keep one of them`,
    });
  }
}

function readMode(reading: Reading, { text, name }: Found): SslMode | undefined {
  return choose(SSL_MODES, text, (problem) =>
    refuse(reading, name, { ...problem, what: `sslmode ${problem.what}` }),
  );
}

async function readPath(reading: Reading, { text, name }: Found): Promise<string | undefined> {
  if (text === undefined) return undefined;
  const path = resolve(reading.directory, text);
  const { fault } = await readText(path);
  if (fault !== undefined) refuse(reading, name, { what: `${path} ${fault}` });
  return path;
}

function checkPair(reading: Reading, cert: Found, key: Found): void {
  if ((cert.text === undefined) === (key.text === undefined)) return;
  const present = cert.text === undefined ? key : cert;
  refuse(reading, present.name, {
    what: 'a client certificate and its key go together; one of them is not set',
  });
}

/** libpq looks for ~/.postgresql/root.crt and Node for the system's store: only a named file means one thing. */
function checkRoot(reading: Reading, { name }: Found, mode: SslMode, rootCert: string | undefined): void {
  if (rootCert !== undefined || (mode !== 'verify-ca' && mode !== 'verify-full')) return;
  const variable = `${name.split('_')[0]}_SSLROOTCERT`;
  refuse(reading, name, {
    what: `sslmode "${mode}" needs the authorities to trust; write ${variable}=ca.pem`,
  });
}
