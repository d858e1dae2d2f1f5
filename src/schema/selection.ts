/** What of a source is copied: pure. The texts of SQL are kept as they were written. */
import { z } from 'zod';

export const selectionSchema = z.object({
  /** Null: all of them. */
  columns: z.array(z.string()).nullable(),
  excludeColumns: z.array(z.string()),
  where: z.string().nullable(),
  /** A list, because a column may be called like anything. */
  transform: z.array(z.object({ column: z.string(), expression: z.string() })),
  query: z.string().nullable(),
});

export type Selection = z.infer<typeof selectionSchema>;

/** Names that no table can give to a column of its own. */
export const SYSTEM_COLUMNS: readonly string[] = ['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid'];

export const EVERYTHING: Selection = {
  columns: null,
  excludeColumns: [],
  where: null,
  transform: [],
  query: null,
};

/** The options by which it is not the whole table, as the configuration calls them. */
export const optionsOf = ({ columns, excludeColumns, where, transform, query }: Selection): string[] => [
  ...(columns === null ? [] : ['columns']),
  ...(excludeColumns.length === 0 ? [] : ['exclude_columns']),
  ...(where === null ? [] : ['where']),
  ...(transform.length === 0 ? [] : ['transform']),
  ...(query === null ? [] : ['query']),
];

/** What is remembered of it; null for a whole table, as in records that are older than selections. */
export const recordedSelection = (selection: Selection): Selection | null =>
  optionsOf(selection).length === 0 ? null : selection;

/** Whether SQL of the operator's takes part, which only the server understands. */
export const hasSql = ({ where, transform, query }: Selection): boolean =>
  where !== null || transform.length > 0 || query !== null;

/** Whether columns are copied that no catalog describes. */
export const hasMadeColumns = ({ transform, query }: Selection): boolean =>
  transform.length > 0 || query !== null;

export const expressionOf = ({ transform }: Selection, column: string): string | undefined =>
  transform.find((each) => each.column === column)?.expression;

export const isCopied = ({ columns, excludeColumns }: Selection, column: string): boolean =>
  columns === null ? !excludeColumns.includes(column) : columns.includes(column);

export interface SelectedColumn {
  readonly name: string;
  /** Undefined: as it is. */
  readonly expression: string | undefined;
}

/** In the order of the source; columns that only a transform makes come last. */
export function selectColumns(
  selection: Selection,
  source: readonly { readonly name: string }[],
): SelectedColumn[] {
  const own = source
    .filter(({ name }) => isCopied(selection, name))
    .map(({ name }) => ({ name, expression: expressionOf(selection, name) }));
  const made = selection.transform
    .filter(({ column }) => !source.some(({ name }) => name === column))
    .map(({ column, expression }) => ({ name: column, expression }));
  return [...own, ...made];
}

export interface UnknownColumn {
  readonly option: 'columns' | 'exclude_columns';
  readonly name: string;
}

/** A slip in `exclude_columns` would copy what was to stay where it is, so it counts as well. */
export function unknownColumnOf(
  selection: Selection,
  source: readonly { readonly name: string }[],
): UnknownColumn | undefined {
  const isThere = (name: string) => source.some((column) => column.name === name);
  const isMade = (name: string) => expressionOf(selection, name) !== undefined;
  const listed = selection.columns?.find((name) => !isThere(name) && !isMade(name));
  if (listed !== undefined) return { option: 'columns', name: listed };
  const excluded = selection.excludeColumns.find((name) => !isThere(name));
  return excluded === undefined ? undefined : { option: 'exclude_columns', name: excluded };
}
