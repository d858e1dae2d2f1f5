/** Where `serve` listens, and which names and schemes lead there. */
import type { KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { parseCertificate, parseKey } from '../../config/connection/certificates.ts';
import { readText } from '../../config/files.ts';
import { IncrepError } from '../../errors.ts';
import { LOOPBACK, type OwnAddress } from './origin.ts';

export interface ListenChoices {
  /** HOST:PORT */
  readonly listen: string;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  /** The address of a proxy that encrypts, as browsers see it. */
  readonly publicUrl: string | undefined;
}

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** Whether only this machine reaches it. */
  readonly isLoopback: boolean;
  readonly tls: Pem | undefined;
  readonly own: OwnAddress;
  /**
   * Reads the files of the certificate again. Undefined if they are as before.
   * @throws IncrepError CONFIG_INVALID, for example while another program writes them
   */
  readonly renewTls: () => Promise<Pem | undefined>;
}

export interface Pem {
  readonly cert: string;
  readonly key: string;
}

/** @throws IncrepError USAGE, CONFIG_INVALID */
export async function readListenAddress(choices: ListenChoices): Promise<ListenAddress> {
  const { host, port } = readHostAndPort(choices.listen);
  const isLoopback = LOOPBACK.test(host);
  let tls = await readTls(choices);
  const publicUrl = readPublicUrl(choices.publicUrl);
  if (!isLoopback && !tls && !publicUrl)
    throw new IncrepError('CONFIG_INVALID', {
      what: `--listen ${choices.listen}: other machines would send tokens to the service without encryption`,
      next: 'Use --tls-cert and --tls-key, or name the TLS proxy before the service: --public-url https://increp.example.com. Without them, listen on 127.0.0.1 and use a tunnel: ssh -L 7420:127.0.0.1:7420 HOST',
    });
  const own: OwnAddress = {
    isOwnName: (name) =>
      LOOPBACK.test(name) || name === publicUrl?.hostname || isNameOf(tls?.certificate, name),
    scheme: publicUrl || tls ? 'https' : 'http',
    origin: publicUrl?.origin,
  };
  const renewTls = async () => {
    const now = await readTls(choices);
    if (!now || (now.cert === tls?.cert && now.key === tls.key)) return undefined;
    tls = now;
    return now;
  };
  return { host, port, isLoopback, tls, own, renewTls };
}

function readHostAndPort(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  if (host === '' || Number(port) > 65_535)
    throw new IncrepError('USAGE', {
      what: `--listen: "${text}" is not a host and a port`,
      next: 'Write --listen 127.0.0.1:7420.',
    });
  return { host, port: Number(port) };
}

function readPublicUrl(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' && url.pathname === '/' && url.search === '' && url.username === '')
    return url;
  throw new IncrepError('USAGE', {
    what: `--public-url: "${text}" is not an https:// address without a path`,
    next: 'Write --public-url https://increp.example.com.',
  });
}

interface ReadTls extends Pem {
  readonly certificate: X509Certificate;
}

async function readTls({ tlsCert, tlsKey }: ListenChoices): Promise<ReadTls | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new IncrepError('USAGE', {
      what: '--tls-cert and --tls-key belong together',
      next: 'Name both files in PEM form.',
    });
  const cert = await readPem(tlsCert, '--tls-cert', parseCertificate);
  const key = await readPem(tlsKey, '--tls-key', (text) => parseKey(text, tlsKey));
  const certificate: X509Certificate = cert.value;
  const privateKey: KeyObject = key.value;
  if (!certificate.checkPrivateKey(privateKey))
    throw unusable('--tls-key', tlsKey, 'is not the key of the certificate');
  return { cert: cert.text, key: key.text, certificate };
}

async function readPem<T>(
  path: string,
  flag: string,
  parse: (text: string) => { readonly value: T; readonly fault?: undefined } | { readonly fault: string },
): Promise<{ readonly text: string; readonly value: T }> {
  const { text, fault } = await readText(path);
  if (text === undefined) throw unusable(flag, path, fault ?? 'cannot be read');
  const parsed = parse(text);
  if (parsed.fault !== undefined) throw unusable(flag, path, parsed.fault);
  return { text, value: parsed.value };
}

const unusable = (flag: string, path: string, fault: string): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: `${flag}: ${path} ${fault}`,
    next: 'Name a certificate and its private key in PEM form, and start the service again.',
  });

/** `checkIP` fails for a text that is no address. */
function isNameOf(certificate: X509Certificate | undefined, name: string): boolean {
  if (!certificate || name === '') return false;
  return (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined;
}
