/** What OpenSSL and the driver say of a failed handshake, in words that name the certificate and the way out. */
import type { PeerCertificate } from 'node:tls';
import type { ConnectionSettings } from '../config/settings.ts';
import { IncrepError } from '../errors.ts';
import { peerCertificate } from './peer-certificate.ts';

type Coded = Error & { readonly code?: unknown };

const NO_TLS = 'The server does not support SSL connections';
/** Codes of X509_verify_cert, as Node spells them. */
const CHAIN = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|INVALID_CA|PATH_LENGTH|HOSTNAME_MISMATCH)/;
/** The server's alerts, and what OpenSSL has to say of our own files. */
const HANDSHAKE = /^(ERR_TLS|ERR_SSL|ERR_OSSL|EPROTO)/;

/** Undefined where TLS is not what failed. */
export async function tlsError(
  thrown: unknown,
  settings: ConnectionSettings,
): Promise<IncrepError | undefined> {
  const error: Coded = thrown instanceof Error ? thrown : new Error(String(thrown));
  const words = await wordsFor(error, settings);
  if (!words) return undefined;
  const { side, host, port, database } = settings;
  return new IncrepError('TLS_FAILED', {
    what: `${side} ${host}:${port}/${database}: ${words.what}`,
    next: words.next,
    cause: error,
  });
}

/** Nothing went wrong but that the server has no TLS at all. */
export const isWithoutTls = ({ cause }: IncrepError): boolean =>
  cause instanceof Error && cause.message === NO_TLS;

interface Words {
  readonly what: string;
  readonly next: string;
}

async function wordsFor(error: Coded, settings: ConnectionSettings): Promise<Words | undefined> {
  const variable = settings.side === 'source' ? 'SOURCE' : 'DEST';
  const code = typeof error.code === 'string' ? error.code : '';
  if (error.message === NO_TLS) {
    return {
      what: `the server does not support TLS, and sslmode is "${settings.tls.mode}"`,
      next: `Switch TLS on there (ssl = on), or set ${variable}_SSLMODE to "prefer" or "disable".`,
    };
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return {
      what: error.message,
      next: `Set ${variable}_HOST to a name in the certificate, or ${variable}_SSLMODE to "verify-ca".`,
    };
  }
  if (CHAIN.test(code)) {
    return chainWords(code, await peerCertificate(settings.host, settings.port), settings, variable);
  }
  if (HANDSHAKE.test(code)) {
    return {
      what: `the TLS handshake failed: ${error.message} (${code})`,
      next: `Check ${variable}_SSLCERT and ${variable}_SSLKEY: the server may demand or refuse a client certificate.`,
    };
  }
  return undefined;
}

function chainWords(
  code: string,
  shown: PeerCertificate | undefined,
  { tls }: ConnectionSettings,
  variable: string,
): Words {
  const whose = shown ? ` (${nameOf(shown.subject)}, issued by ${nameOf(shown.issuer)})` : '';
  const roots = `${variable}_SSLROOTCERT (${tls.rootCert ?? 'not set'})`;
  const until = shown ? Date.parse(shown.valid_to) : Number.NaN;
  if (code === 'CERT_HAS_EXPIRED') {
    const isItself = until < Date.now();
    return {
      what: isItself
        ? `the server's certificate${whose} expired on ${new Date(until).toISOString()}`
        : `a certificate that the server's${whose} depends on has expired`,
      next: isItself ? 'Renew it on that server.' : `Renew it, and look at ${roots}.`,
    };
  }
  if (code === 'CERT_NOT_YET_VALID') {
    const from = shown ? ` before ${new Date(shown.valid_from).toISOString()}` : ' yet';
    return {
      what: `the server's certificate${whose} is not valid${from}`,
      next: 'Look at the clock of this machine, and at the certificate.',
    };
  }
  return {
    what: `the server's certificate${whose} leads to no authority that is trusted (${code})`,
    next: `Put the root certificate that it was issued under into ${roots}; the server must send those between.`,
  };
}

/** Parts that are given several times are arrays. */
const nameOf = (name: Readonly<Record<string, unknown>> | undefined): string =>
  Object.entries(name ?? {})
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(', ') || 'without a name';
