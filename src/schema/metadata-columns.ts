/** Columns that increp itself fills at the destination, beside those that it copies. */

/** Where `deletes: "soft"` marks rows that are gone from the source. */
export const DELETED_AT = '_deleted_at';
/** The time of the transaction in which increp has written the row last. */
export const SYNCED_AT = '_synced_at';
/** The pipeline that a row belongs to. */
export const SOURCE = '_source';

export const METADATA_COLUMNS = [SYNCED_AT, SOURCE] as const;
export type MetadataColumn = (typeof METADATA_COLUMNS)[number];

/** As format_type() prints them. */
export const OWN_TYPES: Readonly<Record<string, string>> = {
  [DELETED_AT]: 'timestamp with time zone',
  [SYNCED_AT]: 'timestamp with time zone',
  [SOURCE]: 'text',
};
