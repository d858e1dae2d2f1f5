/** Options of how rows are written that are right each by itself. */
import { copyKey } from '../schema/row-identity.ts';
import { MAX_KEY_COLUMNS, type TableEntry } from './tables-schema.ts';

export interface Contradiction {
  readonly key: string;
  readonly what: string;
}

export function writingContradiction(entry: TableEntry): Contradiction | undefined {
  const { mode, deletes, on_conflict } = entry;
  const isAppend = mode === 'incremental-append';
  if (isAppend && deletes !== 'ignore')
    return {
      key: 'deletes',
      what: `mode "incremental-append" keeps every version of a row, also of rows that are gone from the source; set deletes to "ignore", or mode to "incremental-deduped"`,
    };
  if (isAppend && on_conflict === 'newest_wins')
    return {
      key: 'on_conflict',
      what: 'mode "incremental-append" keeps the newer and the older version of a row both, so none has to win; leave on_conflict out',
    };
  if (on_conflict === 'newest_wins' && deletes !== 'ignore')
    return {
      key: 'deletes',
      what: 'with on_conflict "newest_wins" the destination has rows of its own, which a comparison with the source would remove; set deletes to "ignore"',
    };
  const key = copyKey({
    mode,
    mergeKey: entry.unique_cols,
    replicationKey: entry.replication_key,
    metadataColumns: entry.metadata_columns,
  });
  return key.length > MAX_KEY_COLUMNS
    ? {
        key: 'unique_cols',
        what: `together with ${key.filter((name) => !entry.unique_cols.includes(name)).join(' and ')}, which the unique index needs besides, these are ${key.length} columns, and ${MAX_KEY_COLUMNS} is the most`,
      }
    : undefined;
}
