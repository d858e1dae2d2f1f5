/** `<table>_stg`: made by us, marked as ours, never anybody else's. */
import type pg from 'pg';
import { codeOf } from '../../postgres/identity.ts';
import { ask } from '../../postgres/usual-path.ts';
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

/** The staging table of an incremental sync: made once, kept, emptied before each use. */
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
  const { rows } = await ask<{ hasRows: boolean }>(client, hasRows(stagingName));
  if (rows[0]?.hasRows === true) await empty(client, stagingName);
}

/** TRUNCATE is cheaper, and has to be alone with the table: a backup that reads it for hours must not stop us. */
async function empty(client: pg.ClientBase, table: TableName): Promise<void> {
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

/** `isLogged`: it will become the table. */
export async function makeStaging(
  client: pg.ClientBase,
  { staging, stagingName, settings, natives }: CopyFacts,
  columns: readonly Column[],
  isLogged: boolean,
): Promise<void> {
  if (staging) await client.query(dropTable(stagingName));
  await client.query(createTable(stagingName, columns, natives, isLogged));
  await client.query(commentOnTable(stagingName, stagingMark(settings.destinationName)));
}
