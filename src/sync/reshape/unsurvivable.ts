/** A statement that makes something again on the new table, and what it means when the server refuses it. */
import type pg from 'pg';
import { IncrepError } from '../../errors.ts';
import { queryPinnedFirst } from '../../postgres/usual-path.ts';
import { printName, type TableName } from '../../schema/names.ts';
import type { Statement } from '../../sql/search-path.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

/** SQLSTATE classes by which a server says that this object and this table do not go together. */
const REFUSED = /^(0A|22|23|2B|42|44|55|P0)/;

interface ServerError extends Error {
  readonly code: string;
  readonly detail?: string;
}

const isRefusal = (error: unknown): error is ServerError =>
  error instanceof Error &&
  'code' in error &&
  typeof error.code === 'string' &&
  REFUSED.test(error.code) &&
  error.code !== SQLSTATE.lockNotAvailable;

/** @throws IncrepError DEPENDENT_OBJECTS that names `what` */
export async function mustSurvive(
  client: pg.ClientBase,
  table: TableName,
  what: string,
  sql: Statement,
): Promise<void> {
  try {
    await queryPinnedFirst(client, sql);
  } catch (error) {
    throw refusalFrom(error, table, what);
  }
}

/** What the server says against `what`, in our words; any other error as it is. */
export const refusalFrom = (error: unknown, table: TableName, what: string): unknown =>
  isRefusal(error) ? unsurvivable(table, `${what}: ${wordsOf(error)}`, error) : error;

/** What an old relation is called while the new one has its name. */
export const ASIDE = '_increp_old';

/** People know it by its own name. */
const wordsOf = ({ message, detail }: ServerError): string =>
  (detail === undefined ? message : `${message} (${detail.replaceAll('\n', '; ')})`).replaceAll(ASIDE, '');

export const unsurvivable = (table: TableName, what: string, cause?: Error): IncrepError =>
  new IncrepError('DEPENDENT_OBJECTS', {
    what: `${printName(table)} must take another shape, and this would not survive it: ${what}`,
    next: isOwnership(cause)
      ? 'The old table goes on serving. Make the role of increp a member of the owner\'s (GRANT owner TO role), or drop it (keep its definition), run "increp sync" again, and create it anew.'
      : 'The old table goes on serving. Drop or change it (keep its definition), run "increp sync" again, and create it anew.',
    ...(isRefusal(cause) && { sqlstate: cause.code }),
    cause,
  });

const isOwnership = (cause: unknown): boolean =>
  isRefusal(cause) && cause.code === SQLSTATE.insufficientPrivilege;
