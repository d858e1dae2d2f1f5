/** Source rows as a FROM item: a table, or the selected part of it. */
import type { TableName } from '../schema/names.ts';
import type { SelectedColumn } from '../schema/selection.ts';
import { ident, qualified } from './identifiers.ts';
import { onTables, type Statement } from './search-path.ts';

/** A SELECT in place of a table. */
export interface SelectedRows {
  readonly select: string;
  /** The same rows without computed columns. */
  readonly bare: string;
  /** Its alias, which a FROM item needs. */
  readonly label: string;
  /** The server must plan it with the usual search_path, where it means what the operator wrote. */
  readonly isUsual?: boolean;
  readonly inGroups?: InGroups | undefined;
}

/** A table. */
export interface TableItself extends TableName {
  /** Some of its values print differently with another search_path. */
  readonly isPinned?: boolean;
  readonly inGroups?: InGroups | undefined;
}

/** A partitioned table whose partitions are read in groups, because one statement would lock all of them. */
export interface InGroups {
  readonly oid: string;
  /** The number of locks that a group may take. */
  readonly locks: number;
  readonly selection: TableSelection;
  readonly isUsual: boolean;
}

export type RowSource = TableItself | SelectedRows;

/** The planner flattens a plain SELECT, so conditions on its columns use the indexes of the table. */
export function fromItem(rows: RowSource, alias?: string): string {
  if ('select' in rows) return `(${rows.select}\n) ${alias ?? `AS ${ident(rows.label)}`}`;
  return alias === undefined ? qualified(rows) : `${qualified(rows)} ${alias}`;
}

/**
 * For queries of the replication key and of system columns. The server evaluates a volatile function for every row
 * that it reads, even if its value is not used.
 */
export const bareItem = (rows: RowSource): string =>
  fromItem('select' in rows ? { ...rows, select: rows.bare } : rows);

/**
 * A statement over rows. SQL of the operator cannot be qualified, so it runs with the pinned search_path if possible.
 * The same is true for values of regclass and similar types, which print by the search_path.
 */
export const onRows = (rows: RowSource, text: string): Statement =>
  ('select' in rows ? rows.isUsual === true : rows.isPinned !== true) ? onTables(text) : text;

/** A part of a statement: SQL of increp, or SQL of the operator that an error message quotes. */
export type SqlPart = string | { readonly option: string; readonly text: string };

/** The line break ends a comment at the end of the text. */
export const inBrackets = (option: string, text: string): SqlPart[] => ['(', { option, text }, '\n)'];

const columnParts = ({ name, column, expression }: SelectedColumn): SqlPart[] => {
  if (expression !== undefined)
    return [...inBrackets(`transform.${column}`, expression), ` AS ${ident(name)}`];
  return [name === column ? ident(name) : `${ident(column)} AS ${ident(name)}`];
};

const joined = (lists: readonly SqlPart[][], separator: string): SqlPart[] =>
  lists.flatMap((list, index) => (index === 0 ? list : [separator, ...list]));

export interface TableSelection {
  readonly table: TableName;
  readonly columns: readonly SelectedColumn[];
  readonly where: string | null;
  /** Whether the rows have a ctid and an xmin that the role may read. */
  readonly hasSystemColumns: boolean;
}

/** `from` stands in place of the table, and `besides` after it. */
function tableParts(
  { table, columns, where, hasSystemColumns }: TableSelection,
  {
    from = qualified(table),
    besides = [],
  }: { readonly from?: string; readonly besides?: readonly SqlPart[] } = {},
): SqlPart[] {
  return [
    'SELECT ',
    ...joined([...columns.map(columnParts), ...(hasSystemColumns ? [['ctid'], ['xmin']] : [])], ', '),
    ` FROM ${from}`,
    ...besides,
    ...(where === null ? [] : [' WHERE ', ...inBrackets('where', where)]),
  ];
}

const textOf = (parts: readonly SqlPart[]): string =>
  parts.map((part) => (typeof part === 'string' ? part : part.text)).join('');

const withoutExpressions = (selection: TableSelection): TableSelection => ({
  ...selection,
  columns: selection.columns.filter(({ expression }) => expression === undefined),
});

export const selectedRows = (selection: TableSelection): SelectedRows => ({
  select: textOf(tableParts(selection)),
  bare: textOf(tableParts(withoutExpressions(selection))),
  label: selection.table.table,
});

/** SQL of the operator may name the partitioned table in front of a column. */
const inPlaceOf = ({ table }: TableSelection, read: string): string => `${read} AS ${ident(table.table)}`;

/** The rows of some partitions. The planner flattens it, so conditions on its columns use the indexes of each partition. */
export const partitionRows = (
  { selection, isUsual }: InGroups,
  partitions: readonly TableName[],
): SelectedRows => {
  const reading = (selected: TableSelection) =>
    partitions
      .map((partition) => textOf(tableParts(selected, { from: inPlaceOf(selection, qualified(partition)) })))
      .join(' UNION ALL ');
  return {
    select: reading(selection),
    bare: reading(withoutExpressions(selection)),
    label: selection.table.table,
    isUsual,
  };
};

export const queriedRows = (query: string, label: string): SelectedRows => ({
  select: `\n${query}`,
  bare: `\n${query}`,
  label,
});

/** A statement that returns the columns but no rows, with the positions of the operator's SQL in it. */
export interface SqlWithQuotes {
  readonly sql: string;
  /** `from` and `to` count in characters from 1, like the server. */
  readonly quotes: readonly {
    readonly option: string;
    readonly text: string;
    readonly from: number;
    readonly to: number;
  }[];
}

/**
 * With `inGroups`, it is described for a partition in place of the table, and locks no partition. Each expression is also part of a join condition, where the server accepts only one value per row. It refuses
 * aggregates, window functions and functions that return rows.
 */
export function describeTable(
  selection: TableSelection,
  { inGroups }: { readonly inGroups: boolean } = { inGroups: false },
): SqlWithQuotes {
  const expressions = selection.columns.flatMap(({ column, expression }) =>
    expression === undefined ? [] : [[...inBrackets(`transform.${column}`, expression), ' IS NULL']],
  );
  const besides =
    expressions.length === 0
      ? []
      : [' JOIN (SELECT) AS "increp one row" ON ', ...joined(expressions, ' OR ')];
  const from = inGroups
    ? inPlaceOf(selection, `ONLY ${qualified(selection.table)}`)
    : qualified(selection.table);
  return describing(tableParts({ ...selection, hasSystemColumns: false }, { from, besides }));
}

export const describeQuery = (query: string): SqlWithQuotes =>
  describing(['\n', { option: 'query', text: query }]);

export function describing(rows: readonly SqlPart[]): SqlWithQuotes {
  const parts: readonly SqlPart[] = ['SELECT * FROM (', ...rows, '\n) AS described LIMIT 0'];
  const quotes: SqlWithQuotes['quotes'][number][] = [];
  let from = 1;
  for (const part of parts) {
    const text = typeof part === 'string' ? part : part.text;
    const to = from + Array.from(text).length;
    if (typeof part !== 'string') quotes.push({ ...part, from, to });
    from = to;
  }
  return { sql: textOf(parts), quotes };
}
