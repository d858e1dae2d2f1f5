/** Detects a read-only destination before `sync` or `check` reads anything from the source. */
import { IncrepError } from '../../errors.ts';
import { ident } from '../../sql/identifiers.ts';
import type { Servers } from './facts.ts';
import type { RunContext } from '../context/run-context.ts';

/**
 * increp could start its transactions with READ WRITE, but the read-only default was set on purpose.
 * Undefined if the destination is writable.
 */
export function writeRefusal(
  { destination: { endpoint } }: Pick<RunContext, 'destination'>,
  { destination }: Pick<Servers, 'destination'>,
): IncrepError | undefined {
  if (destination.isStandby)
    return readOnly(
      `${endpoint.address} is a standby, which accepts no writes`,
      'Set DEST_HOST (or the host in DEST_URL) to the primary.',
    );
  if (destination.isReadOnly)
    return readOnly(
      `default_transaction_read_only is on at ${endpoint.address}, for role "${endpoint.role}", its database or the server`,
      `Check why it was set (a full disk, maintenance). To reset it, run: ALTER ROLE ${ident(endpoint.role)} RESET default_transaction_read_only, or the same with ALTER DATABASE or ALTER SYSTEM.`,
    );
  return undefined;
}

const readOnly = (what: string, next: string): IncrepError =>
  new IncrepError('READ_ONLY', { what: `destination: ${what}`, next });
