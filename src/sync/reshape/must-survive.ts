/** Runs statements that create dependent objects again, and turns a refusal of the server into DEPENDENT_OBJECTS. */
import type pg from 'pg';
import { IncrepError } from '../../errors.ts';
import { codeOf } from '../../postgres/identity.ts';
import { hintText, raisedHint } from '../../postgres/server-errors.ts';
import { queryPinnedFirst } from '../../postgres/user-search-path.ts';
import { printName, type TableName } from '../../schema/names.ts';
import type { Statement } from '../../sql/search-path.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

/** The SQLSTATE classes with which a server refuses an object for the new table. */
const REFUSED = /^(0A|22|23|2B|42|44|55|P0)/;

interface ServerError extends Error {
  readonly code: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly routine?: string;
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
  next?: string,
): Promise<void> {
  try {
    await queryPinnedFirst(client, sql);
  } catch (error) {
    throw refusalFrom(error, table, what, next);
  }
}

/** Turns a refusal of the server into DEPENDENT_OBJECTS that names `what`; returns any other error unchanged. */
export const refusalFrom = (error: unknown, table: TableName, what: string, next?: string): unknown =>
  isRefusal(error) ? unsurvivable(table, `${what}: ${wordsOf(error)}`, next, error) : error;

/** The suffix of an old relation while the new relation has its name. */
export const ASIDE = '_increp_old';

/** Without the suffix, because users know the relation by its own name. */
function wordsOf(error: ServerError): string {
  const detail = error.detail === undefined ? '' : ` (${error.detail.replaceAll('\n', '; ')})`;
  return `${error.message}${detail}${hintText(raisedHint(error))}`.replaceAll(ASIDE, '');
}

/** Nothing could fill the columns, so they are not created again. */
export const SAVE_COLUMNS =
  'If somebody needs the values, copy them with the keys of their rows to another table. Then drop the column of the destination table, and run "increp sync".';

const SAVE_OBJECT =
  'Save the definition of the object and drop the object. Then run "increp sync". Then create the object again.';

/** Dropping the object does not help: increp may not create it, and the person may not either. */
const GIVE_PRIVILEGE =
  'At the destination, give the role of increp the privilege that the message names. Then run "increp sync".';

/** @param next what to do if the object has no definition of its own */
export const unsurvivable = (table: TableName, what: string, next?: string, cause?: Error): IncrepError =>
  new IncrepError('DEPENDENT_OBJECTS', {
    what: `${printName(table)} needs a new shape, and this would not survive the change: ${what}`,
    next: `The old table stays in use. ${next ?? (codeOf(cause) === SQLSTATE.insufficientPrivilege ? GIVE_PRIVILEGE : SAVE_OBJECT)}`,
    ...(isRefusal(cause) && { sqlstate: cause.code }),
    cause,
  });
