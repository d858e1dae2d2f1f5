/** Conflicts between options about how rows are written. */
import { findsDeleted } from '../../schema/deleted-rows.ts';
import { copyKey, isShared } from '../../schema/row-identity.ts';
import { queryWordsIn } from '../../sql/user-sql.ts';
import type { Contradiction } from '../problems.ts';
import { MAX_KEY_COLUMNS, type TableEntry } from './tables-schema.ts';

export function writingContradiction(entry: TableEntry): Contradiction | undefined {
  const { mode, on_conflict, unique_cols = [] } = entry;
  if (entry.dropped_columns === 'drop' && neverDrops({ ...entry, deletes: 'ignore' }))
    return {
      key: 'dropped_columns',
      what: 'the table holds rows that the source cannot provide again, so increp never drops a column of it; remove dropped_columns',
    };
  const merging = mergeContradiction(entry) ?? logContradiction(entry);
  if (merging) return merging;
  if (mode === 'full-refresh') return inFullRefresh(entry);
  const isAppend = mode === 'incremental-append';
  if (isAppend && findsDeleted(entry))
    return {
      key: 'deletes',
      what: `mode "incremental-append" keeps every version of a row, including deleted rows; set deletes to "ignore", or mode to "incremental-deduped"`,
    };
  if (isAppend && on_conflict === 'last_update_wins')
    return {
      key: 'on_conflict',
      what: 'mode "incremental-append" keeps all versions of a row, so on_conflict has no effect; remove it',
    };
  if (on_conflict === 'last_update_wins' && findsDeleted(entry))
    return {
      key: 'deletes',
      what: 'with on_conflict "last_update_wins" the destination may have rows of its own, which deletes would remove; set deletes to "ignore"',
    };
  if (entry.deletes_from !== undefined && !findsDeleted(entry))
    return {
      key: 'deletes_from',
      what: `has no effect while deletes is "${entry.deletes}"; set deletes to "hard" or "soft"`,
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
        what: `the unique index also needs ${key.filter((name) => !unique_cols.includes(name)).join(' and ')}; these are ${key.length} columns, and ${MAX_KEY_COLUMNS} is the maximum`,
      }
    : undefined;
}

const NO_MERGE: Readonly<Record<string, string>> = {
  'incremental-append':
    'mode "incremental-append" keeps every version of a row, so there is nothing to merge',
  'full-refresh':
    'mode "full-refresh" makes the destination table equal to the source, so there is nothing to merge',
};

function logContradiction({
  mode,
  conflict_log: isLogged,
  conflict_retention: retention,
}: TableEntry): Contradiction | undefined {
  if (retention !== undefined && !isLogged)
    return {
      key: 'conflict_retention',
      what: 'has no effect without conflict_log; set conflict_log to true',
    };
  if (!isLogged || mode === 'incremental-deduped') return undefined;
  return {
    key: 'conflict_log',
    what:
      mode === 'full-refresh'
        ? 'a table in mode "full-refresh" has no replication key that tells versions apart; remove conflict_log, or change mode'
        : 'mode "incremental-append" replaces no row, so there are no conflicts; remove conflict_log, or change mode',
  };
}

/** Each version of a row must be merged once, so the version must be known, and the row must stay. */
function mergeContradiction(entry: TableEntry): Contradiction | undefined {
  const { merge, mode, unique_cols = [], replication_key: key } = entry;
  const columns = Object.keys(merge ?? {});
  const [first] = columns;
  if (!merge || first === undefined) return undefined;
  const idle = NO_MERGE[mode];
  if (idle !== undefined) return { key: 'merge', what: `${idle}; remove merge, or change mode` };
  if (findsDeleted(entry))
    return {
      key: 'deletes',
      what: `with merge the destination has values and rows of its own, which deletes "${entry.deletes}" would remove; set deletes to "ignore" or "keep"`,
    };
  if (entry.null_keys === 'include')
    return {
      key: 'null_keys',
      what: 'a row without a replication key has no version, so merge could merge it twice; set null_keys to "warn", or remove merge',
    };
  const named = columns.find((column) => unique_cols.includes(column) || column === key);
  if (named !== undefined)
    return {
      key: `merge.${named}`,
      what: `${named === key ? 'the replication_key orders the versions of a row' : 'unique_cols identify the row'}, so merge cannot change "${named}"`,
    };
  const leftOut = columns.find(
    (column) => entry.exclude_columns?.includes(column) === true || entry.columns?.includes(column) === false,
  );
  if (leftOut !== undefined)
    return {
      key: `merge.${leftOut}`,
      what: `${entry.columns ? 'columns' : 'exclude_columns'} leaves this column out`,
    };
  const asking = columns.find((column) => queryWordsIn(merge[column] ?? '').length > 0);
  return asking === undefined
    ? undefined
    : {
        key: `merge.${asking}`,
        what: 'a subquery is not allowed, because its result can change between two syncs; use only source and destination columns',
      };
}

/** Whether columns that the source no longer has stay, unless `dropped_columns` says otherwise. */
export const neverDrops = ({ mode, deletes, on_conflict, merge, metadata_columns }: TableEntry): boolean =>
  deletes === 'keep' ||
  Object.keys(merge ?? {}).length > 0 ||
  mode === 'incremental-append' ||
  on_conflict === 'last_update_wins' ||
  isShared({ metadataColumns: metadata_columns });

/** A full refresh removes deleted rows, and may have no unique key. */
function inFullRefresh({
  on_conflict,
  metadata_columns,
  unique_cols,
}: TableEntry): Contradiction | undefined {
  if (on_conflict === 'last_update_wins')
    return {
      key: 'on_conflict',
      what: 'mode "full-refresh" makes the destination table equal to the source, so on_conflict has no effect; remove it',
    };
  return metadata_columns.length > 0 && !unique_cols
    ? {
        key: 'metadata_columns',
        what: 'metadata columns need unique_cols to find the row; set unique_cols, or remove metadata_columns',
      }
    : undefined;
}
