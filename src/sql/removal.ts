/** Rows by their keys, as sql/compare.ts prints those: a JSON array of texts. */
import type { Column } from '../schema/columns.ts';
import type { TableName } from '../schema/names.ts';
import { copiedColumns } from './copy.ts';
import { DELETED_AT } from './destination.ts';
import { ident, literal, qualified } from './identifiers.ts';
import { fromItem, type RowSource } from './row-source.ts';

export interface KeyColumn {
  readonly name: string;
  /** What the key's text is read as. */
  readonly type: string;
  /** True where the column has no `=` that is found under an empty search_path, and is compared by its text. */
  readonly isComparedAsText: boolean;
  readonly isNullable: boolean;
}

/** Only `=` can use an index; NULLs in a merge key are one value to us. */
const matches = (key: readonly KeyColumn[]): string =>
  key
    .map(
      ({ name, isNullable, isComparedAsText }, place) =>
        `t.${ident(name)}${isComparedAsText ? '::text' : ''} ${isNullable ? 'IS NOT DISTINCT FROM' : '='} k.key${place}`,
    )
    .join(' AND ');

const keysFrom = (key: readonly KeyColumn[], keys = '$1::text[]'): string =>
  `(SELECT ${key.map(({ type }, place) => `(j::json ->> ${place})::${type} AS key${place}`).join(', ')} FROM unnest(${keys}) j) k`;

/** $1 keys. */
export const deleteKeys = (table: TableName, key: readonly KeyColumn[]): string =>
  /* sql */ `DELETE FROM ONLY ${qualified(table)} t USING ${keysFrom(key)} WHERE ${matches(key)}`;

/** $1 keys. */
export const markDeleted = (
  table: TableName,
  key: readonly KeyColumn[],
): string => /* sql */ `UPDATE ONLY ${qualified(table)} t SET ${ident(DELETED_AT)} = now() FROM ${keysFrom(key)}
    WHERE ${matches(key)} AND t.${ident(DELETED_AT)} IS NULL`;

/** $1 keys of rows that are at the source again. */
export const unmarkDeleted = (
  table: TableName,
  key: readonly KeyColumn[],
): string => /* sql */ `UPDATE ONLY ${qualified(table)} t SET ${ident(DELETED_AT)} = NULL FROM ${keysFrom(key)}
    WHERE ${matches(key)} AND t.${ident(DELETED_AT)} IS NOT NULL`;

/** Rows of the source by their keys. For COPY, which takes no parameters. */
export const selectKeys = (
  rows: RowSource,
  columns: readonly Column[],
  key: readonly KeyColumn[],
  keys: readonly string[],
): string => /* sql */ `
  SELECT ${copiedColumns(columns, 't.')} FROM ${fromItem(rows, 't')},
    ${keysFrom(key, `ARRAY[${keys.map(literal).join(', ')}]::text[]`)} WHERE ${matches(key)}`;
