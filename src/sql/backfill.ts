/** Single columns of a whole table, for rows of the destination table that lack them. */
import type { Column } from '../schema/columns.ts';
import type { TableName } from '../schema/names.ts';
import { copiedColumns } from './copy.ts';
import { ident, identList, qualified } from './identifiers.ts';
import { fromItem, type RowSource } from './row-source.ts';
import { GREATER } from './search-path.ts';

/** `unlessAllNull`: rows in which all of these columns are NULL are excluded. */
export const selectBackfill = (
  rows: RowSource,
  columns: readonly Column[],
  unlessAllNull: readonly string[],
): string =>
  /* sql */ `SELECT ${copiedColumns(columns)} FROM ${fromItem(rows)}${
    unlessAllNull.length === 0
      ? ''
      : ` WHERE ${unlessAllNull.map((name) => `${ident(name)} IS NOT NULL`).join(' OR ')}`
  }`;

/** Whether several rows have the same key. NULLs count as equal. */
export const hasDuplicates = (table: TableName, key: readonly string[]): string =>
  /* sql */ `SELECT EXISTS (SELECT FROM ${qualified(table)} GROUP BY ${identList(key)} HAVING pg_catalog.count(*) ${GREATER} 1::bigint) AS "hasDuplicates"`;
