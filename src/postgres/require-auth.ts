/** require_auth of libpq: increp logs in only by the methods that the settings name. */
import type pg from 'pg';
import type { AuthMethod, ConnectionSettings } from '../config/settings.ts';
import { IncrepError } from '../errors.ts';
import { connectionOf } from './driver.ts';
import type { Endpoint } from './endpoint.ts';

interface AuthGuard {
  /** Call it before the client connects. */
  readonly watch: (client: pg.Client) => void;
  /** Call it before a password is sent in any form. @throws IncrepError AUTHENTICATION_FAILED */
  readonly ensureMethod: () => void;
  /** Call it after the login. A server may also end the exchange early. @throws IncrepError AUTHENTICATION_FAILED */
  readonly ensureDone: () => void;
}

const REQUESTS: readonly (readonly [event: string, method: AuthMethod])[] = [
  ['authenticationCleartextPassword', 'password'],
  ['authenticationMD5Password', 'md5'],
  ['authenticationSASL', 'scram-sha-256'],
];

export function newAuthGuard(
  { parameters: { requireAuth } }: ConnectionSettings,
  { side, address }: Endpoint,
): AuthGuard {
  let method: AuthMethod = 'none';
  let hasProof = false;
  const refused = (found: string) =>
    new IncrepError('AUTHENTICATION_FAILED', {
      what: `${side} ${address}: require_auth=${requireAuth?.join(',')}, but ${found}`,
      next: 'The password was not sent. Change the method in pg_hba.conf of that server, or require_auth.',
    });
  const ensureMethod = () => {
    if (!requireAuth || requireAuth.includes(method)) return;
    throw refused(method === 'none' ? 'the server asks for no login' : `the server asks for ${method}`);
  };
  return {
    watch: (client) => {
      const connection = connectionOf(client);
      // These listeners must run before the driver answers the server.
      for (const [event, asked] of REQUESTS) connection.prependListener(event, () => (method = asked));
      connection.prependListener('authenticationSASLFinal', () => (hasProof = true));
    },
    ensureMethod,
    ensureDone: () => {
      ensureMethod();
      if (requireAuth && method === 'scram-sha-256' && !hasProof)
        throw refused('the server ended the login before it proved that it knows the password');
    },
  };
}
