/** `columns`, `exclude_columns`, `where`, `transform`, `rename` and `query` of an entry, and their conflicts. */
import type { Contradiction } from '../problems.ts';
import { SYSTEM_COLUMNS, type Selection } from '../../schema/selection.ts';
import { readPattern, starsOf } from '../../schema/patterns.ts';
import type { TableEntry } from './tables-schema.ts';

export const selectionOf = (entry: TableEntry): Selection => ({
  columns: entry.columns ?? null,
  excludeColumns: entry.exclude_columns ?? [],
  where: entry.where ?? null,
  transform: Object.entries(entry.transform ?? {}).map(([column, expression]) => ({ column, expression })),
  rename: Object.entries(entry.rename ?? {}).flatMap(([column, to]) =>
    column === to ? [] : [{ column, to }],
  ),
  query: entry.query ?? null,
});

export function selectionContradiction(entry: TableEntry): Contradiction | undefined {
  const { columns, exclude_columns: excluded, transform = {} } = entry;
  if (entry.query !== undefined) return besideQuery(entry);
  if (columns && excluded)
    return {
      key: 'exclude_columns',
      what: 'columns already leaves out all other columns; use columns or exclude_columns, not both',
    };
  const transformed = Object.keys(transform);
  const both = transformed.find((name) => excluded?.includes(name));
  if (both !== undefined) return { key: `transform.${both}`, what: 'exclude_columns leaves this column out' };
  const unlisted = columns && transformed.find((name) => !columns.includes(name));
  if (unlisted !== undefined)
    return { key: `transform.${unlisted}`, what: 'columns leaves this column out; add it to columns' };
  const system = transformed.find((name) => SYSTEM_COLUMNS.includes(name));
  if (system !== undefined)
    return { key: `transform.${system}`, what: 'no table can have a column of that name' };
  return ofNames(entry) ?? ofKeys(entry);
}

function ofNames({ columns, exclude_columns: excluded, rename = {} }: TableEntry): Contradiction | undefined {
  const entries = Object.entries(rename);
  for (const [index, [column, to]] of entries.entries()) {
    const key = `rename.${column}`;
    if (SYSTEM_COLUMNS.includes(to)) return { key, what: 'no table can have a column of that name' };
    const same = entries.slice(0, index).find(([, other]) => other === to);
    if (same) return { key, what: `the column "${same[0]}" already gets that name` };
    if (excluded?.includes(column) === true || columns?.includes(column) === false)
      return { key, what: `${columns ? 'columns' : 'exclude_columns'} leaves this column out` };
  }
  return undefined;
}

/** The query itself selects rows and columns. */
function besideQuery(entry: TableEntry): Contradiction | undefined {
  const selecting = (['columns', 'exclude_columns', 'where', 'transform', 'rename'] as const).find(
    (key) => entry[key] !== undefined,
  );
  if (starsOf(readPattern(entry.name)) > 0)
    return { key: 'name', what: 'a query fills one destination table, so its name cannot contain a *' };
  return selecting === undefined
    ? undefined
    : { key: selecting, what: 'a query selects its own rows and columns; remove it and change the query' };
}

/** The cursor is compared with values of the source, and a merge needs the columns of the unique key. */
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
      what: 'the replication_key cannot be transformed, because it is compared with the source; add the transformed value as another column',
    };
  const isLeftOut = (name: string) => excluded.includes(name) || columns?.includes(name) === false;
  const option = columns ? 'columns' : 'exclude_columns';
  if (replication_key !== undefined && isLeftOut(replication_key))
    return { key: option, what: `the replication_key "${replication_key}" must be copied` };
  const key = unique_cols.find(isLeftOut);
  return key === undefined ? undefined : { key: option, what: `"${key}" of unique_cols must be copied` };
}
