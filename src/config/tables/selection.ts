/** `columns`, `exclude_columns`, `where`, `transform` and `query` of an entry, and what of them cannot be together. */
import type { Contradiction } from '../problems.ts';
import { SYSTEM_COLUMNS, type Selection } from '../../schema/selection.ts';
import { readPattern, starsOf } from '../../schema/patterns.ts';
import type { TableEntry } from './tables-schema.ts';

export const selectionOf = (entry: TableEntry): Selection => ({
  columns: entry.columns ?? null,
  excludeColumns: entry.exclude_columns ?? [],
  where: entry.where ?? null,
  transform: Object.entries(entry.transform ?? {}).map(([column, expression]) => ({ column, expression })),
  query: entry.query ?? null,
});

export function selectionContradiction(entry: TableEntry): Contradiction | undefined {
  const { columns, exclude_columns: excluded, transform = {} } = entry;
  if (entry.query !== undefined) return besideQuery(entry);
  if (columns && excluded)
    return {
      key: 'exclude_columns',
      what: 'what is not in columns is left out already; give columns or exclude_columns, not both',
    };
  const transformed = Object.keys(transform);
  const both = transformed.find((name) => excluded?.includes(name));
  if (both !== undefined) return { key: `transform.${both}`, what: 'exclude_columns leaves this column out' };
  const unlisted = columns && transformed.find((name) => !columns.includes(name));
  if (unlisted !== undefined)
    return { key: `transform.${unlisted}`, what: 'columns leaves this column out; name it there as well' };
  const system = transformed.find((name) => SYSTEM_COLUMNS.includes(name));
  if (system !== undefined)
    return { key: `transform.${system}`, what: 'Postgres gives no table a column of that name' };
  return ofKeys(entry);
}

/** The query itself says all of that. */
function besideQuery(entry: TableEntry): Contradiction | undefined {
  const selecting = (['columns', 'exclude_columns', 'where', 'transform'] as const).find(
    (key) => entry[key] !== undefined,
  );
  if (starsOf(readPattern(entry.name)) > 0)
    return { key: 'name', what: 'a query is one copy, and a * in its name stands for many tables' };
  return selecting === undefined
    ? undefined
    : { key: selecting, what: 'a query says itself what is copied; write it into the query' };
}

/** The cursor is the source's own value, and whoever merges needs its columns. */
function ofKeys(entry: TableEntry): Contradiction | undefined {
  const {
    columns,
    exclude_columns: excluded = [],
    transform = {},
    replication_key,
    unique_cols = [],
  } = entry;
  if (replication_key !== undefined && Object.hasOwn(transform, replication_key))
    return {
      key: `transform.${replication_key}`,
      what: 'the replication_key is compared with what the source holds, and cannot be transformed; copy the transformed value under another name',
    };
  const isLeftOut = (name: string) => excluded.includes(name) || columns?.includes(name) === false;
  const option = columns ? 'columns' : 'exclude_columns';
  if (replication_key !== undefined && isLeftOut(replication_key))
    return { key: option, what: `the replication_key "${replication_key}" must be copied` };
  const key = unique_cols.find(isLeftOut);
  return key === undefined ? undefined : { key: option, what: `"${key}" of unique_cols must be copied` };
}
