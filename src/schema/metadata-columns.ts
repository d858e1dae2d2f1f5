/** Columns that increp fills at the destination, besides the copied columns. */

/** `deletes: "soft"` marks deleted rows in this column. */
export const DELETED_AT = '_deleted_at';
/** The time of the transaction in which increp last wrote the row. */
export const SYNCED_AT = '_synced_at';
/** The pipeline that a row belongs to. */
export const SOURCE = '_source';

/**
 * What increp last brought for the row and how it left the row, for `merge` and `conflict_log`. No pipeline copies a
 * column of this name and type.
 */
export const ROW_VERSION = '_increp_version';

export const isRowVersion = ({ name, type }: { readonly name: string; readonly type: string }): boolean =>
  name === ROW_VERSION && type === METADATA_COLUMN_TYPES[ROW_VERSION];

export const METADATA_COLUMNS = [SYNCED_AT, SOURCE] as const;
export type MetadataColumn = (typeof METADATA_COLUMNS)[number];

/** As format_type() prints them. */
export const METADATA_COLUMN_TYPES: Readonly<Record<string, string>> = {
  [DELETED_AT]: 'timestamp with time zone',
  [SYNCED_AT]: 'timestamp with time zone',
  [SOURCE]: 'text',
  [ROW_VERSION]: 'text[]',
};
