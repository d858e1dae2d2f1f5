/** Options of how rows are written that are right each by itself. */
import { copyKey } from '../../schema/row-identity.ts';
import type { Contradiction } from '../problems.ts';
import { MAX_KEY_COLUMNS, type TableEntry } from './tables-schema.ts';

export function writingContradiction(entry: TableEntry): Contradiction | undefined {
  const { mode, deletes, on_conflict, unique_cols = [] } = entry;
  if (mode === 'full-refresh') return inFullRefresh(entry);
  const isAppend = mode === 'incremental-append';
  if (isAppend && deletes !== 'ignore')
    return {
      key: 'deletes',
      what: `mode "incremental-append" keeps every version of a row, also of rows that are gone from the source; set deletes to "ignore", or mode to "incremental-deduped"`,
    };
  if (isAppend && on_conflict === 'last_update_wins')
    return {
      key: 'on_conflict',
      what: 'mode "incremental-append" keeps the newer and the older version of a row both, so none has to win; leave on_conflict out',
    };
  if (on_conflict === 'last_update_wins' && deletes !== 'ignore')
    return {
      key: 'deletes',
      what: 'with on_conflict "last_update_wins" the destination has rows of its own, which a comparison with the source would remove; set deletes to "ignore"',
    };
  const key = copyKey({
    mode,
    mergeKey: unique_cols,
    replicationKey: entry.replication_key,
    metadataColumns: entry.metadata_columns,
  });
  return key.length > MAX_KEY_COLUMNS
    ? {
        key: 'unique_cols',
        what: `together with ${key.filter((name) => !unique_cols.includes(name)).join(' and ')}, which the unique index needs besides, these are ${key.length} columns, and ${MAX_KEY_COLUMNS} is the most`,
      }
    : undefined;
}

/** Which removes what is gone from the source, and may have nothing that tells a row from another. */
function inFullRefresh({
  on_conflict,
  metadata_columns,
  unique_cols,
}: TableEntry): Contradiction | undefined {
  if (on_conflict === 'last_update_wins')
    return {
      key: 'on_conflict',
      what: 'mode "full-refresh" makes the copy what the source is, so no row of the destination can win; leave on_conflict out',
    };
  return metadata_columns.length > 0 && !unique_cols
    ? {
        key: 'metadata_columns',
        what: 'to say when a row was written, or by whom, something has to tell which row it is; set unique_cols, or leave metadata_columns out',
      }
    : undefined;
}
