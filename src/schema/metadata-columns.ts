/** Columns that increp fills at the destination, besides the copied columns. */

/** `deletes: "soft"` marks deleted rows in this column. */
export const DELETED_AT = '_deleted_at';
/** The time of the transaction in which increp last wrote the row. */
export const SYNCED_AT = '_synced_at';
/** The pipeline that a row belongs to. */
export const SOURCE = '_source';

export const METADATA_COLUMNS = [SYNCED_AT, SOURCE] as const;
export type MetadataColumn = (typeof METADATA_COLUMNS)[number];

/** As format_type() prints them. */
export const METADATA_COLUMN_TYPES: Readonly<Record<string, string>> = {
  [DELETED_AT]: 'timestamp with time zone',
  [SYNCED_AT]: 'timestamp with time zone',
  [SOURCE]: 'text',
};
