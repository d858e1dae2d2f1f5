/**
 * Checks whether a certificate is valid for a host. The rules are those of libpq, which differ from Node: docs
 * "34.19.1".
 */
import { isIP } from 'node:net';
import type { PeerCertificate } from 'node:tls';

interface AlternativeName {
  readonly type: string;
  readonly name: string;
}

/** The error of the driver if the certificate is not valid for the host. */
export function identityError(certificate: PeerCertificate, host: string): Error | undefined {
  if (isFor(certificate, host)) return undefined;
  const names = namesOf(certificate);
  const said = names.length === 0 ? 'for no name at all' : `for ${names.join(', ')}`;
  return Object.assign(new Error(`the server's certificate is ${said}, not for ${host}`), {
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  });
}

/** The common name counts only if no alternative name has the kind of the host: an address or a name. */
function isFor(certificate: PeerCertificate, host: string): boolean {
  const alternatives = alternativeNames(certificate);
  if (alternatives.some((alternative) => isAlternativeFor(alternative, host))) return true;
  const kind = isIP(host) === 0 ? 'DNS' : 'IP Address';
  const common = commonName(certificate);
  return common !== undefined && !alternatives.some(({ type }) => type === kind) && matches(common, host);
}

function isAlternativeFor({ type, name }: AlternativeName, host: string): boolean {
  if (type === 'IP Address') return isIP(host) !== 0 && canonical(name) === canonical(host);
  return type === 'DNS' && matches(name, host);
}

/** `*.example.com` matches exactly one label: a.example.com, but neither example.com nor a.b.example.com. */
function matches(pattern: string, host: string): boolean {
  const [wanted, given] = [pattern.toLowerCase(), host.toLowerCase()];
  if (wanted === given) return true;
  const ending = wanted.slice(1);
  if (!wanted.startsWith('*.') || wanted.length < 3 || !given.endsWith(ending)) return false;
  const label = given.slice(0, -ending.length);
  return label !== '' && !label.includes('.');
}

/** An IPv6 address can be written in several forms. */
const canonical = (address: string): string =>
  isIP(address) === 6 ? new URL(`http://[${address}]`).hostname : address;

/** `DNS:a.example, IP Address:192.0.2.1`. A name with special characters is in double quotes, like in JSON. */
function alternativeNames({ subjectaltname = '' }: PeerCertificate): AlternativeName[] {
  const entries = subjectaltname.matchAll(/([^:,"]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/gy);
  return [...entries].map(([, type = '', name = '']) => ({ type, name }));
}

/** If there are several, the first one counts. */
function commonName({ subject }: PeerCertificate): string | undefined {
  // The type definitions allow one name only.
  const names = subject?.CN as string | readonly string[] | undefined;
  return typeof names === 'string' ? names : names?.[0];
}

/** The names in the certificate, for messages. */
function namesOf(certificate: PeerCertificate): string[] {
  const alternatives = alternativeNames(certificate).map(({ name }) => name);
  const common = commonName(certificate);
  return alternatives.length === 0 && common !== undefined ? [common] : alternatives;
}
