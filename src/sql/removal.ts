/** Finds rows by keys in the format of sql/compare.ts: a JSON array of texts. */
import type { Column } from '../schema/columns.ts';
import type { TableName } from '../schema/names.ts';
import { copiedColumns } from './copy.ts';
import { ident, qualified, textArray } from './identifiers.ts';
import {
  assigned,
  deletedMark,
  pipelineConditions,
  type MetadataColumnDefinition,
} from './metadata-columns.ts';
import { nullSafeMatch } from './null-safe-match.ts';
import { fromItem, type RowSource } from './row-source.ts';
import { EQUALS, GREATER, TEXT_AT } from './search-path.ts';

export interface KeyColumn {
  readonly name: string;
  /** The type to which the text of the key is converted. */
  readonly type: string;
  /** True if the column has no `=` with an empty search_path. Then its text is compared. */
  readonly isComparedAsText: boolean;
  readonly isNullable: boolean;
}

/** Rows of a destination table. */
export interface KeyedRows {
  readonly table: TableName;
  readonly key: readonly KeyColumn[];
  readonly metadataColumns: readonly MetadataColumnDefinition[];
}

const matches = (key: readonly KeyColumn[]): string =>
  nullSafeMatch(
    key.map(({ name, isNullable, isComparedAsText }, place) => ({
      left: `t.${ident(name)}${isComparedAsText ? '::text' : ''}`,
      right: `k.key${place}`,
      isNullable,
    })),
  );

/** Literals, so that a round trip is enough for the statement and its search path or savepoint. */
const keysFrom = (key: readonly KeyColumn[], keys: readonly string[]): string =>
  `(SELECT ${key.map(({ type }, place) => `(j::json ${TEXT_AT} ${place})::${type} AS key${place}`).join(', ')} FROM pg_catalog.unnest(${textArray(keys)}) j) k`;

/** The rows of this pipeline with one of the keys. */
const areOurs = ({ key, metadataColumns }: KeyedRows): string =>
  [...pipelineConditions(metadataColumns, 't.'), matches(key)].join(' AND ');

export const deleteKeys = (rows: KeyedRows, keys: readonly string[]): string =>
  /* sql */ `DELETE FROM ONLY ${qualified(rows.table)} t USING ${keysFrom(rows.key, keys)} WHERE ${areOurs(rows)}`;

/** For keys with several rows. One row of each stays, because the others are surplus. */
export const deleteDuplicates = (rows: KeyedRows, keys: readonly string[]): string => /* sql */ `
  DELETE FROM ONLY ${qualified(rows.table)} d USING (
      SELECT t.ctid AS place, pg_catalog.row_number() OVER (PARTITION BY ${rows.key.map((_, place) => `k.key${place}`).join(', ')} ORDER BY t.ctid) AS rank
      FROM ONLY ${qualified(rows.table)} t, ${keysFrom(rows.key, keys)} WHERE ${areOurs(rows)}) ranked
  WHERE d.ctid ${EQUALS} ranked.place AND ranked.rank ${GREATER} 1::bigint`;

export const markDeleted = (
  rows: KeyedRows,
  keys: readonly string[],
): string => /* sql */ `UPDATE ONLY ${qualified(rows.table)} t SET ${assigned(rows.metadataColumns, 'marked').join(', ')} FROM ${keysFrom(rows.key, keys)}
    WHERE ${areOurs(rows)} AND t.${ident(deletedMark.name)} IS NULL`;

/** For rows that exist at the source again. */
export const unmarkDeleted = (
  rows: KeyedRows,
  keys: readonly string[],
): string => /* sql */ `UPDATE ONLY ${qualified(rows.table)} t SET ${assigned(rows.metadataColumns, 'changed').join(', ')} FROM ${keysFrom(rows.key, keys)}
    WHERE ${areOurs(rows)} AND t.${ident(deletedMark.name)} IS NOT NULL`;

/** Source rows by their keys. For COPY, which takes no parameters. */
export const selectKeys = (
  rows: RowSource,
  columns: readonly Column[],
  key: readonly KeyColumn[],
  keys: readonly string[],
): string => /* sql */ `
  SELECT ${copiedColumns(columns, 't.')} FROM ${fromItem(rows, 't')},
    ${keysFrom(key, keys)} WHERE ${matches(key)}`;
