/** The rows and columns of a source that are copied. SQL texts are kept as the user wrote them. Pure. */
import * as z from 'zod';

export const selectionSchema = z.object({
  /** Null: all columns. */
  columns: z.array(z.string()).nullable(),
  excludeColumns: z.array(z.string()),
  where: z.string().nullable(),
  /** A list and not an object, because a column may have any name. */
  transform: z.array(z.object({ column: z.string(), expression: z.string() })),
  /** Columns that have another name at the destination. All other options have the names of the source. */
  rename: z.array(z.object({ column: z.string(), to: z.string() })).default([]),
  query: z.string().nullable(),
});

export type Selection = z.infer<typeof selectionSchema>;

/** Names that Postgres reserves for system columns. */
export const SYSTEM_COLUMNS: readonly string[] = ['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid'];

export const EVERYTHING: Selection = {
  columns: null,
  excludeColumns: [],
  where: null,
  transform: [],
  rename: [],
  query: null,
};

/** The options that restrict the table, by their names in the configuration. */
export const optionsOf = ({
  columns,
  excludeColumns,
  where,
  transform,
  rename,
  query,
}: Selection): string[] => [
  ...(columns === null ? [] : ['columns']),
  ...(excludeColumns.length === 0 ? [] : ['exclude_columns']),
  ...(where === null ? [] : ['where']),
  ...(transform.length === 0 ? [] : ['transform']),
  ...(rename.length === 0 ? [] : ['rename']),
  ...(query === null ? [] : ['query']),
];

/** The name at the destination of a column of the source. */
export const destinationColumn = ({ rename }: Pick<Selection, 'rename'>, column: string): string =>
  rename.find((each) => each.column === column)?.to ?? column;

/** The name at the source of a column of the destination. */
export const sourceColumn = ({ rename }: Pick<Selection, 'rename'>, name: string): string =>
  rename.find(({ to }) => to === name)?.column ?? name;

/** The selection for the state record. Null for a whole table, as in records of older versions. */
export const recordedSelection = (selection: Selection): Selection | null =>
  optionsOf(selection).length === 0 ? null : selection;

/** Whether the selection contains SQL of the user, which only the server can describe. */
export const hasSql = ({ where, transform, query }: Selection): boolean =>
  where !== null || transform.length > 0 || query !== null;

/** The option that decides which rows are copied. Undefined for all rows of a table. */
export const rowsFrom = ({ where, query }: Selection): 'where' | 'query' | undefined =>
  where !== null ? 'where' : query !== null ? 'query' : undefined;

/** Whether it has columns that are in no catalog. */
export const hasMadeColumns = ({ transform, query }: Selection): boolean =>
  transform.length > 0 || query !== null;

export const expressionOf = ({ transform }: Selection, column: string): string | undefined =>
  transform.find((each) => each.column === column)?.expression;

export const isCopied = ({ columns, excludeColumns }: Selection, column: string): boolean =>
  columns === null ? !excludeColumns.includes(column) : columns.includes(column);

export interface SelectedColumn {
  /** At the destination. */
  readonly name: string;
  /** At the source. A column that exists only by a transform has the same name there. */
  readonly column: string;
  /** Undefined: the column itself. */
  readonly expression: string | undefined;
}

/** In the order of the source. Columns that exist only by a transform come last. */
export function selectColumns(
  selection: Selection,
  source: readonly { readonly name: string }[],
): SelectedColumn[] {
  const own = source
    .filter(({ name }) => isCopied(selection, name))
    .map(({ name: column }) => ({
      name: destinationColumn(selection, column),
      column,
      expression: expressionOf(selection, column),
    }));
  const made = selection.transform
    .filter(({ column }) => !source.some(({ name }) => name === column))
    .map(({ column, expression }) => ({ name: column, column, expression }));
  return [...own, ...made];
}

export interface UnknownColumn {
  readonly option: 'columns' | 'exclude_columns' | 'rename';
  readonly name: string;
}

/** A misspelled name in `exclude_columns` is an error too: otherwise increp would copy the column. */
export function unknownColumnOf(
  selection: Selection,
  source: readonly { readonly name: string }[],
): UnknownColumn | undefined {
  const isThere = (name: string) => source.some((column) => column.name === name);
  const isMade = (name: string) => expressionOf(selection, name) !== undefined;
  const listed = selection.columns?.find((name) => !isThere(name) && !isMade(name));
  if (listed !== undefined) return { option: 'columns', name: listed };
  const excluded = selection.excludeColumns.find((name) => !isThere(name));
  if (excluded !== undefined) return { option: 'exclude_columns', name: excluded };
  const renamed = selection.rename.find(({ column }) => !isThere(column));
  return renamed && { option: 'rename', name: renamed.column };
}

/** Two columns that would have the same name at the destination. */
export function sameNameOf(
  selection: Selection,
  source: readonly { readonly name: string }[],
): { readonly name: string; readonly columns: readonly string[] } | undefined {
  const byName = Map.groupBy(selectColumns(selection, source), ({ name }) => name);
  const [name, columns = []] = [...byName].find(([, same]) => same.length > 1) ?? [];
  return name === undefined ? undefined : { name, columns: columns.map(({ column }) => column) };
}
