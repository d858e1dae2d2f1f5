/** A destination that takes no writes: found before anything is read from the source, by `sync` and by `check`. */
import { IncrepError } from '../../errors.ts';
import { ident } from '../../sql/identifiers.ts';
import type { Servers } from './facts.ts';
import type { RunContext } from '../context/run-context.ts';

/**
 * A transaction of ours could say READ WRITE, but whoever made reading the default meant it.
 * Undefined where it can be written.
 */
export function writeRefusal(
  { destination: { endpoint } }: Pick<RunContext, 'destination'>,
  { destination }: Pick<Servers, 'destination'>,
): IncrepError | undefined {
  if (destination.isStandby)
    return readOnly(
      `${endpoint.address} is a standby, which accepts no writes`,
      'Point DEST_HOST at the primary.',
    );
  if (destination.isReadOnly)
    return readOnly(
      `default_transaction_read_only is on at ${endpoint.address}, for role "${endpoint.role}", its database or the server`,
      `Find out who set it and why (a full disk, maintenance), and lift it: ALTER ROLE ${ident(endpoint.role)} RESET default_transaction_read_only, or the same with ALTER DATABASE or ALTER SYSTEM.`,
    );
  return undefined;
}

const readOnly = (what: string, next: string): IncrepError =>
  new IncrepError('READ_ONLY', { what: `destination: ${what}`, next });
