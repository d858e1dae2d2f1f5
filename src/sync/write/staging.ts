/** `<table>_stg`, the staging table. increp marks it with a comment and never uses a table without this mark. */
import type pg from 'pg';
import { codeOf } from '../../postgres/identity.ts';
import { ask } from '../../postgres/user-search-path.ts';
import { type Column, isSameList } from '../../schema/columns.ts';
import { destinationDrift } from '../../schema/drift.ts';
import type { TableName } from '../../schema/names.ts';
import {
  commentOnTable,
  createTable,
  deleteAll,
  dropTable,
  lockAloneNow,
  stagingMark,
  truncate,
} from '../../sql/destination.ts';
import { hasRows } from '../../sql/window.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

/** Prepares the staging table of an incremental sync. It is created once, kept, and emptied before each use. */
export async function emptyStaging(
  client: pg.ClientBase,
  facts: CopyFacts,
  columns: readonly Column[],
): Promise<void> {
  const { staging, stagingName, natives } = facts;
  const fits =
    staging?.isUnlogged === true &&
    isSameList(staging.columns, columns) &&
    destinationDrift(columns, staging.columns, natives).length === 0;
  if (!fits) return makeStaging(client, facts, columns, false);
  if (await hasAnyRow(client, stagingName)) await removeRows(client, stagingName);
}

export async function hasAnyRow(client: pg.ClientBase, table: TableName): Promise<boolean> {
  const { rows } = await ask<{ hasRows: boolean }>(client, hasRows(table));
  return rows[0]?.hasRows === true;
}

/** TRUNCATE is cheaper but needs an exclusive lock. If the table is in use, for example by a backup, DELETE takes its place. */
async function removeRows(client: pg.ClientBase, table: TableName): Promise<void> {
  await client.query('SAVEPOINT increp_empty');
  try {
    await client.query(lockAloneNow(table));
  } catch (error) {
    if (codeOf(error) !== SQLSTATE.lockNotAvailable) throw error;
    await client.query('ROLLBACK TO SAVEPOINT increp_empty');
    await client.query(deleteAll(table));
    return;
  }
  await client.query(truncate(table));
}

/** `isLogged`: set if the staging table will become the destination table or must survive a crash of the server. */
export async function makeStaging(
  client: pg.ClientBase,
  { staging, stagingName, settings, natives }: CopyFacts,
  columns: readonly Column[],
  isLogged: boolean,
): Promise<void> {
  if (staging) await client.query(dropTable(stagingName));
  await client.query(createTable(stagingName, columns, natives, isLogged));
  await client.query(commentOnTable(stagingName, stagingMark(settings.destinationTable)));
}
