import type { PeerCertificate } from 'node:tls';
import { expect, test } from 'vitest';
import { identityError } from '../../../src/postgres/certificate-names.ts';

const certificate = (subjectaltname: string | undefined, CN?: string | string[]) =>
  ({ subject: { CN }, subjectaltname }) as unknown as PeerCertificate;

test.each([
  ['a name', 'DNS:db.example.com', undefined, 'db.example.com'],
  ['a name in other letters', 'DNS:DB.example.com', undefined, 'db.EXAMPLE.com'],
  ['one of several', 'DNS:a.example, DNS:db.example.com', undefined, 'db.example.com'],
  ['an address', 'IP Address:192.0.2.1', undefined, '192.0.2.1'],
  ['an IPv6 address in another spelling', 'IP Address:2001:DB8:0:0:0:0:0:1', undefined, '2001:db8::1'],
  ['an address as a DNS name', 'DNS:192.0.2.1', undefined, '192.0.2.1'],
  ['the common name', undefined, 'db.example.com', 'db.example.com'],
  ['the first of two common names', undefined, ['db.example.com', 'x'], 'db.example.com'],
  ['the common name besides an address', 'IP Address:192.0.2.1', 'db', 'db'],
  ['a wildcard', 'DNS:*.example.com', undefined, 'db.example.com'],
  ['a wildcard of one label', 'DNS:*.local', undefined, 'db.local'],
] as const)('a certificate is for %s', (_, alternatives, common, host) => {
  expect(identityError(certificate(alternatives, common as string), host)).toBeUndefined();
});

test.each([
  ['another name', 'DNS:db.example.com', undefined, 'db.example.org'],
  ['a name below', 'DNS:example.com', undefined, 'db.example.com'],
  ['two labels of a wildcard', 'DNS:*.example.com', undefined, 'a.db.example.com'],
  ['no label of a wildcard', 'DNS:*.example.com', undefined, 'example.com'],
  ['an empty label of a wildcard', 'DNS:*.example.com', undefined, '.example.com'],
  ['a part of a label', 'DNS:d*.example.com', undefined, 'db.example.com'],
  ['everything', 'DNS:*', undefined, 'db'],
  ['another address', 'IP Address:192.0.2.1', undefined, '192.0.2.2'],
  ['the common name besides a DNS name', 'DNS:x', 'db', 'db'],
  ['a common name that is an address besides an address', 'IP Address:192.0.2.1', '192.0.2.2', '192.0.2.2'],
  ['the second of two common names', undefined, ['x', 'db'], 'db'],
  ['a name inside of a quoted one', 'DNS:"evil, DNS:db.example.com"', undefined, 'db.example.com'],
  ['a name of another kind', 'URI:db.example.com, email:db.example.com', undefined, 'db.example.com'],
  ['anything, without a name', undefined, undefined, 'db'],
] as const)('a certificate is not for %s', (_, alternatives, common, host) => {
  expect(identityError(certificate(alternatives, common as unknown as string), host)?.message).toContain(
    `not for ${host}`,
  );
});
