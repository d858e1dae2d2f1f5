/** Certificates of every kind, made by the command `openssl` in a directory that is gone afterwards. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

export interface Certificate {
  /** PEM files. */
  readonly cert: string;
  readonly key: string;
}

interface Request {
  readonly name: string;
  readonly commonName: string;
  /** As in `DNS:localhost,IP:127.0.0.1`. */
  readonly alternatives?: string;
  /** Self-signed where left out. */
  readonly issuer?: Certificate;
  readonly isAuthority?: boolean;
  /** 0: it expires in the second in which it is made. */
  readonly days?: number;
}

export interface CertificateMaker extends AsyncDisposable {
  readonly directory: string;
  make(request: Request): Promise<Certificate>;
  /** The certificate with others behind it in one file. */
  chain(name: string, leaf: Certificate, ...others: readonly Certificate[]): Promise<Certificate>;
}

export async function certificateMaker(): Promise<CertificateMaker> {
  const directory = await mkdtemp(join(tmpdir(), 'increp-certificates-'));
  return {
    directory,
    make: (request) => make(directory, request),
    chain: async (name, leaf, ...others) => {
      const cert = join(directory, `${name}.pem`);
      const texts = await Promise.all([leaf, ...others].map((each) => readFile(each.cert, 'utf8')));
      await writeFile(cert, texts.join(''));
      return { cert, key: leaf.key };
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}

async function make(directory: string, request: Request): Promise<Certificate> {
  const { name, commonName, alternatives, issuer, isAuthority = false, days = 30 } = request;
  const file = (ending: string) => join(directory, `${name}.${ending}`);
  const [cert, key] = [file('pem'), file('key')];
  const extensions = [
    `basicConstraints=critical,CA:${isAuthority ? 'TRUE' : 'FALSE'}`,
    ...(alternatives === undefined ? [] : [`subjectAltName=${alternatives}`]),
  ];
  await writeFile(file('ext'), `${extensions.join('\n')}\n`);
  await openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', key);
  await openssl('req', '-new', '-key', key, '-subj', `/CN=${commonName}`, '-out', file('csr'));
  const signer = issuer
    ? ['-CA', issuer.cert, '-CAkey', issuer.key, '-set_serial', `0x${Buffer.from(name).toString('hex')}`]
    : ['-signkey', key];
  const sign = ['-req', '-sha256', '-in', file('csr'), '-extfile', file('ext'), '-days', String(days)];
  await openssl('x509', ...sign, ...signer, '-out', cert);
  return { cert, key };
}

const openssl = (...args: readonly string[]) => execa('openssl', args);
