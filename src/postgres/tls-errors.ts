/** Converts failed TLS handshakes to messages that name the certificate and the fix. */
import type { PeerCertificate } from 'node:tls';
import type { ConnectionSettings } from '../config/settings.ts';
import { IncrepError } from '../errors.ts';
import { utcTime } from '../format.ts';
import { networkFault } from '../system-fault.ts';
import { peerCertificate } from './peer-certificate.ts';
import { partOf, sslModePart } from './endpoint.ts';

type ErrorWithCode = Error & { readonly code?: unknown };

const NO_TLS = 'The server does not support SSL connections';
/** Codes of X509_verify_cert, as Node spells them. */
const CHAIN = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|INVALID_CA|PATH_LENGTH|HOSTNAME_MISMATCH)/;
/** Alerts of the server, and errors of OpenSSL about local files. */
const HANDSHAKE = /^(ERR_TLS|ERR_SSL|ERR_OSSL|EPROTO)/;

/** Undefined if TLS is not the cause. */
export async function tlsError(
  thrown: unknown,
  settings: ConnectionSettings,
  /** The socket of a tunnel that leads to the server. */
  socketPath?: string,
): Promise<IncrepError | undefined> {
  const error: ErrorWithCode = thrown instanceof Error ? thrown : new Error(String(thrown));
  const words = await wordsFor(error, settings, socketPath);
  if (!words) return undefined;
  const { side, host, port, database } = settings;
  return new IncrepError('TLS_FAILED', {
    what: `${side} ${host}:${port}/${database}: ${words.what}`,
    next: words.next,
    cause: error,
  });
}

/** The only problem is that the server has no TLS. */
export const isWithoutTls = ({ cause }: IncrepError): boolean =>
  cause instanceof Error && cause.message === NO_TLS;

interface Words {
  readonly what: string;
  readonly next: string;
}

async function wordsFor(
  error: ErrorWithCode,
  settings: ConnectionSettings,
  socketPath: string | undefined,
): Promise<Words | undefined> {
  const variable = settings.side === 'source' ? 'SOURCE' : 'DEST';
  const code = typeof error.code === 'string' ? error.code : '';
  if (error.message === NO_TLS) {
    return {
      what: `the server does not support TLS, but sslmode is "${settings.tls.mode}"`,
      next: `Enable TLS on the server (ssl = on), or set ${sslModePart(settings)} to "prefer" or "disable".`,
    };
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return {
      what: error.message,
      next: `Set ${partOf(settings, 'HOST', 'the host')} to a name in the certificate, or ${sslModePart(settings)} to "verify-ca".`,
    };
  }
  if (CHAIN.test(code)) {
    return chainWords(
      code,
      await peerCertificate(settings.host, settings.port, { ...settings, socketPath }),
      settings,
      variable,
    );
  }
  if (HANDSHAKE.test(code)) {
    return {
      what: `the TLS handshake failed: ${reasonOf(error)}`,
      next: `Check ${variable}_SSLCERT and ${variable}_SSLKEY. The server may require or reject a client certificate.`,
    };
  }
  return undefined;
}

/** OpenSSL puts its own words into `reason`; the message also has addresses and file names of its source. */
const reasonOf = (error: ErrorWithCode & { readonly reason?: unknown }): string =>
  typeof error.reason === 'string' ? error.reason : (networkFault(error) ?? error.message);

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
        ? `the server's certificate${whose} expired on ${utcTime(until)}`
        : `a certificate in the chain of the server's certificate${whose} has expired`,
      next: isItself ? 'Renew it on that server.' : `Renew it, and check ${roots}.`,
    };
  }
  if (code === 'CERT_NOT_YET_VALID') {
    const from = shown ? ` before ${utcTime(shown.valid_from)}` : ' yet';
    return {
      what: `the server's certificate${whose} is not valid${from}`,
      next: 'Check the clock of this machine, and the certificate.',
    };
  }
  return {
    what: `the server's certificate${whose} is not issued by a trusted authority`,
    next: `Put the root certificate of its authority into ${roots}. The server must send the intermediate certificates.`,
  };
}

/** A part that occurs several times is an array. */
const nameOf = (name: Readonly<Record<string, unknown>> | undefined): string =>
  Object.entries(name ?? {})
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(', ') || 'without a name';
