/** target_session_attrs of libpq, for one host. */
import type pg from 'pg';
import * as z from 'zod';
import type { ConnectionSettings, SessionParameters } from '../config/settings.ts';
import { IncrepError } from '../errors.ts';
import type { Endpoint } from './endpoint.ts';
import { recognised } from './other-server.ts';

const row = z.object({ isStandby: z.boolean(), isReadOnly: z.boolean() });
type Server = z.infer<typeof row>;

const FITS: Record<SessionParameters['targetSession'], (server: Server) => boolean> = {
  any: () => true,
  'prefer-standby': () => true,
  'read-write': ({ isStandby, isReadOnly }) => !isStandby && !isReadOnly,
  'read-only': ({ isStandby, isReadOnly }) => isStandby || isReadOnly,
  primary: ({ isStandby }) => !isStandby,
  standby: ({ isStandby }) => isStandby,
};

const SESSION_STATE = /* sql */ `SELECT pg_is_in_recovery() AS "isStandby", current_setting('default_transaction_read_only')::bool AS "isReadOnly"`;

/** @throws IncrepError CONNECTION_FAILED, or NOT_POSTGRES */
export async function ensureTarget(
  client: pg.Client,
  { parameters: { targetSession } }: ConnectionSettings,
  endpoint: Endpoint,
): Promise<void> {
  if (targetSession === 'any' || targetSession === 'prefer-standby') return;
  const { side, address } = endpoint;
  const server = await recognised(client, endpoint, async () =>
    row.parse((await client.query(SESSION_STATE)).rows[0]),
  );
  if (FITS[targetSession](server)) return;
  const found = server.isStandby
    ? 'a standby'
    : server.isReadOnly
      ? 'read-only'
      : 'a primary that accepts writes';
  throw new IncrepError('CONNECTION_FAILED', {
    what: `${side} ${address}: target_session_attrs=${targetSession}, but this server is ${found}`,
    next: 'Name a matching server, or remove target_session_attrs.',
  });
}
