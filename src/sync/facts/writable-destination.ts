/** Detects a read-only destination before `sync` or `check` reads anything from the source. */
import { IncrepError } from '../../errors.ts';
import { partOf } from '../../postgres/endpoint.ts';
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
      `${endpoint.address} is in recovery (a standby, or a restore), so it accepts no writes`,
      `Set ${partOf(endpoint, 'HOST', 'the host')} to the primary. If the server is being restored, wait for the end of recovery, or promote it. To promote it, run there as a superuser: SELECT pg_promote()`,
    );
  if (destination.readOnlyFrom !== null) {
    const { place, reset } = whereSet(destination.readOnlyFrom, {
      role: endpoint.role,
      database: destination.database,
    });
    return readOnly(
      `default_transaction_read_only is on at ${endpoint.address}, ${place}`,
      `Check why it was set (a full disk, maintenance). ${reset}`,
    );
  }
  return undefined;
}

const SETTING = 'default_transaction_read_only';

/** The values are those of GucSource in the server's guc.c. */
function whereSet(from: string, { role, database }: { readonly role: string; readonly database: string }) {
  // Works as one option -c of psql, too, which is one transaction.
  const resetting = (statement: string, who: string) =>
    `To reset it, run at the destination as ${who} or a superuser: BEGIN READ WRITE; ${statement} RESET ${SETTING}; COMMIT`;
  switch (from) {
    case 'user':
      return { place: `for role "${role}"`, reset: resetting(`ALTER ROLE ${ident(role)}`, `role "${role}"`) };
    case 'database':
      return {
        place: `for database "${database}"`,
        reset: resetting(`ALTER DATABASE ${ident(database)}`, 'the owner of the database'),
      };
    case 'database user':
      return {
        place: `for role "${role}" in database "${database}"`,
        reset: resetting(`ALTER ROLE ${ident(role)} IN DATABASE ${ident(database)}`, `role "${role}"`),
      };
    case 'client':
      return {
        place: 'by the options of the connection',
        reset: 'Remove it from "options" of the URL, or from PGOPTIONS.',
      };
    default:
      return {
        place: `for the server (${from})`,
        reset: `If a hosting provider set it, use its console. If it is in postgresql.conf, change it there. Otherwise run at the destination as a superuser: ALTER SYSTEM RESET ${SETTING}. Then run: SELECT pg_reload_conf()`,
      };
  }
}

const readOnly = (what: string, next: string): IncrepError =>
  new IncrepError('READ_ONLY', { what: `destination: ${what}`, next });
