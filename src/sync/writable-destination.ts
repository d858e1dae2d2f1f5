import { IncrepError } from '../errors.ts';
import type { Work } from './work.ts';
import type { Servers } from './facts.ts';

/**
 * Before anything is read from the source. A transaction of ours could say READ WRITE, but whoever made reading the
 * default meant it.
 * @throws IncrepError READ_ONLY
 */
export function ensureWritableDestination(
  { destination: { place } }: Pick<Work, 'destination'>,
  { destination }: Pick<Servers, 'destination'>,
): void {
  if (destination.isStandby)
    throw readOnly(
      `${place.address} is a standby, which accepts no writes`,
      'Point DEST_HOST at the primary.',
    );
  if (destination.isReadOnly)
    throw readOnly(
      `default_transaction_read_only is on at ${place.address}, for role "${place.role}", its database or the server`,
      'Find out who set it and why (a full disk, maintenance), and lift it: ALTER ROLE or ALTER DATABASE ... RESET default_transaction_read_only.',
    );
}

const readOnly = (what: string, next: string): IncrepError =>
  new IncrepError('READ_ONLY', { what: `destination: ${what}`, next });
