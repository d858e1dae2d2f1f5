/** channel_binding of libpq: the login proves the password only to the server at the end of this TLS connection. */
import type pg from 'pg';
import type { ConnectionSettings } from '../config/settings.ts';
import { IncrepError } from '../errors.ts';
import { connectionOf } from './driver.ts';
import type { Endpoint } from './endpoint.ts';

interface Binding {
  readonly isWanted: boolean;
  /** Call it before the client connects. */
  readonly watch: (client: pg.Client) => void;
  /**
   * Call it before a password is sent in any form. @throws IncrepError AUTHENTICATION_FAILED if channel binding is
   * required and not offered
   */
  readonly ensureOffered: () => void;
}

const BOUND = 'SCRAM-SHA-256-PLUS';

export function newBinding(
  { parameters: { channelBinding } }: ConnectionSettings,
  { side, address }: Endpoint,
  isEncrypted: boolean,
): Binding {
  const isRequired = channelBinding === 'require';
  let isOffered = false;
  return {
    isWanted: isEncrypted && (isRequired || channelBinding === 'prefer'),
    watch: (client) => {
      // This listener must run before the driver answers the server.
      connectionOf(client).prependListener(
        'authenticationSASL',
        ({ mechanisms }: { mechanisms: readonly string[] }) => {
          isOffered = mechanisms.includes(BOUND);
        },
      );
    },
    ensureOffered: () => {
      if (!isRequired || (isEncrypted && isOffered)) return;
      throw new IncrepError('AUTHENTICATION_FAILED', {
        what: `${side} ${address}: channel_binding=require, but the server does not offer channel binding`,
        next: 'The password was not sent. Set scram-sha-256 and hostssl in pg_hba.conf of that server, or remove channel_binding.',
      });
    },
  };
}
