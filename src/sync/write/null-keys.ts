/** Warns of rows without a replication key, which no window reads. */
import type pg from 'pg';
import * as z from 'zod';
import type { TableSettings } from '../../config/settings.ts';
import { ask } from '../../postgres/user-search-path.ts';
import type { Relation } from '../../schema/relations.ts';
import type { RowSource } from '../../sql/row-source.ts';
import type { Statement } from '../../sql/search-path.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { keysAtSource } from '../facts/keys-at-source.ts';
import { readGroups, type HeldSnapshot } from '../facts/partition-groups.ts';
import { countNullKeys } from '../../sql/window.ts';

/** The count stops here, because an exact count of many rows is not useful. */
const MANY = 1000;

const countRow = z.object({ rows: z.number() });

/** For the staging table, if it holds all rows. */
export async function nullKeyWarning(
  client: pg.ClientBase,
  staging: RowSource,
  settings: TableSettings,
  source: Relation,
): Promise<string[]> {
  return nullKeyText(settings, await countNulls(client, staging, settings, source));
}

/** For the rows of the source. */
export async function nullKeysAtSource(
  held: HeldSnapshot,
  { sourceRows, settings }: Pick<CopyFacts, 'sourceRows' | 'settings'>,
  source: Relation,
): Promise<string[]> {
  if (nullKeyQuestion(sourceRows, settings, source).length === 0) return [];
  let rows = 0;
  const counts = readGroups(held, sourceRows, (client, group) => countNulls(client, group, settings, source));
  for await (const count of counts) {
    rows += countRow.parse(count).rows;
    if (rows > MANY) break;
  }
  return nullKeyText(settings, { rows });
}

async function countNulls(
  client: pg.ClientBase,
  rows: RowSource,
  settings: TableSettings,
  source: Relation,
): Promise<unknown> {
  const [question] = nullKeyQuestion(rows, settings, source);
  return question === undefined ? undefined : (await ask(client, question)).rows[0];
}

/** Empty if the table can have no such rows, or if each window reads them. */
export function nullKeyQuestion(
  rows: RowSource,
  { mode, replicationKey, nullKeys }: TableSettings,
  source: Relation,
): Statement[] {
  const key = source.columns.find(({ name }) => name === replicationKey);
  return !key || key.isNotNull || mode === 'full-refresh' || nullKeys === 'include'
    ? []
    : [countNullKeys(rows, key.name, MANY + 1)];
}

/** @param row the answer to the question; undefined if there was none */
export function nullKeyText(settings: TableSettings, row: unknown): string[] {
  const { replicationKey } = keysAtSource(settings);
  const count = row === undefined ? 0 : countRow.parse(row).rows;
  if (count === 0) return [];
  const many =
    count > MANY ? `more than ${MANY} rows have` : count === 1 ? '1 row has' : `${count} rows have`;
  return [
    `${many} no ${replicationKey} (NULL): new rows without it, and changes of such rows, are not copied; to copy them, fill the column, or set "null_keys": "include" for the table`,
  ];
}
