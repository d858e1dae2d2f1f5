/** libpq's channel_binding: the password is proved to nobody but the server at the other end of this TLS connection. */
import type pg from 'pg';
import type { ConnectionSettings } from '../config/settings.ts';
import { IncrepError } from '../errors.ts';
import { connectionOf } from './driver.ts';
import type { Endpoint } from './endpoint.ts';

interface Binding {
  readonly isWanted: boolean;
  /** To be called before the client connects. */
  readonly watch: (client: pg.Client) => void;
  /** Before a password is sent in any form. @throws IncrepError AUTHENTICATION_FAILED where it is required and not offered */
  readonly ensureOffered: () => void;
}

const BOUND = 'SCRAM-SHA-256-PLUS';

export function newBinding(
  { parameters: { channelBinding }, tls }: ConnectionSettings,
  { side, address }: Endpoint,
  isEncrypted: boolean,
): Binding {
  const isRequired = channelBinding === 'require' && tls.mode !== 'disable';
  let isOffered = false;
  return {
    isWanted: isEncrypted && (isRequired || channelBinding === 'prefer'),
    watch: (client) => {
      // Ahead of what answers the server.
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
        what: `${side} ${address}: channel_binding=require, and the server does not offer a login with channel binding`,
        next: 'Nothing was sent that tells the password. Let pg_hba.conf of that server ask for scram-sha-256 over TLS (hostssl), or leave channel_binding out.',
      });
    },
  };
}
