/** `<table>_stg`, the staging table. increp marks it with a comment and never uses a table without this mark. */
import type pg from 'pg';
import * as z from 'zod';
import { IncrepError } from '../../errors.ts';
import { codeOf } from '../../postgres/identity.ts';
import { ask } from '../../postgres/user-search-path.ts';
import { type Column, isSameList } from '../../schema/columns.ts';
import { destinationDrift } from '../../schema/drift.ts';
import { printName, type TableName } from '../../schema/names.ts';
import {
  commentOnTable,
  createTable,
  deleteAll,
  dropTable,
  lockAloneNow,
  lockForReadingNow,
  stagingMark,
  truncate,
} from '../../sql/destination.ts';
import type { Statement } from '../../sql/search-path.ts';
import { hasRows } from '../../sql/window.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

/**
 * Asks whether the staging table must be emptied. Only the holder of the table's lock knows that. It does not wait, because
 * another run that holds the table may have emptied the staging table. The answer is the last one.
 */
export const stagingQuestion = ({ staging, stagingName }: CopyFacts): Statement[] =>
  staging ? [lockForReadingNow(stagingName), hasRows(stagingName)] : [];

const filledRow = z.object({ hasRows: z.boolean() });

const isFilled = ({ rows }: pg.QueryResult): boolean => filledRow.parse(rows[0]).hasRows;

/**
 * Prepares the staging table of an incremental sync. It is created once, kept, and emptied before each use. @param known
 * the answer to `stagingQuestion`, if it was asked under the lock
 */
export async function emptyStaging(
  client: pg.ClientBase,
  facts: CopyFacts,
  columns: readonly Column[],
  known?: pg.QueryResult,
): Promise<void> {
  const { staging, stagingName, natives } = facts;
  const fits =
    staging?.isUnlogged === true &&
    isSameList(staging.columns, columns) &&
    destinationDrift(columns, staging.columns, natives).length === 0;
  if (!fits) return makeStaging(client, facts, columns, false);
  if (known ? isFilled(known) : await hasAnyRow(client, stagingName)) await removeRows(client, stagingName);
}

export const hasAnyRow = async (client: pg.ClientBase, table: TableName): Promise<boolean> =>
  isFilled(await ask(client, hasRows(table)));

/** TRUNCATE is cheaper but needs an exclusive lock. If the table is in use, for example by a backup, DELETE takes its place. */
async function removeRows(client: pg.ClientBase, table: TableName): Promise<void> {
  try {
    await client.query(['SAVEPOINT increp_empty', lockAloneNow(table), truncate(table)].join('; '));
  } catch (error) {
    if (codeOf(error) !== SQLSTATE.lockNotAvailable) throw error;
    await client.query(['ROLLBACK TO SAVEPOINT increp_empty', deleteAll(table)].join('; '));
  }
}

/** Fewer bytes may stay until the next sync, because each round trip costs on a slow network. */
const KEPT_BYTES = 1_000_000;

/** Frees the space of a staging table after the merge, unless another session uses the table, such as a backup. */
export async function freeStaging(
  client: pg.ClientBase,
  table: TableName,
  bytes = KEPT_BYTES,
): Promise<void> {
  if (bytes < KEPT_BYTES) return;
  try {
    await client.query(
      ['SAVEPOINT increp_free', lockAloneNow(table), truncate(table), 'RELEASE SAVEPOINT increp_free'].join(
        '; ',
      ),
    );
  } catch (error) {
    if (codeOf(error) !== SQLSTATE.lockNotAvailable) throw error;
    await client.query('ROLLBACK TO SAVEPOINT increp_free');
  }
}

/** `isLogged`: set if the staging table will become the destination table or must survive a crash of the server. */
export async function makeStaging(
  client: pg.ClientBase,
  { staging, stagingName, settings, natives }: CopyFacts,
  columns: readonly Column[],
  isLogged: boolean,
): Promise<void> {
  const statements = [
    ...(staging ? [dropTable(stagingName)] : []),
    createTable(stagingName, columns, natives, isLogged),
    commentOnTable(stagingName, stagingMark(settings.destinationTable)),
  ];
  try {
    await client.query(statements.join('; '));
  } catch (error) {
    if (codeOf(error) !== SQLSTATE.duplicateTable) throw error;
    // Usually by a run that has ended since this one described the destination. The next attempt looks who made it.
    throw new IncrepError('SCHEMA_CHANGED', {
      what: `${printName(stagingName)} was created by another session after this run had planned the table`,
      next: 'Run increp again.',
      cause: error,
    });
  }
}
