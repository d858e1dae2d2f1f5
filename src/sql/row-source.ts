/** Rows of the source as a FROM item: a table as it is, or what of it is selected. */
import type { TableName } from '../schema/names.ts';
import type { SelectedColumn } from '../schema/selection.ts';
import { ident, qualified } from './identifiers.ts';
import { onTables, type Statement } from './search-path.ts';

/** A SELECT that stands in the place of a table. */
export interface SelectedRows {
  readonly select: string;
  /** The same rows without the columns that expressions make. */
  readonly bare: string;
  /** What it is called, as a FROM item must be. */
  readonly label: string;
  /** The server needs the usual path to plan it, and what the operator wrote means the same there. */
  readonly isUsual?: boolean;
}

/** A table as it is. */
export interface TableItself extends TableName {
  /** It has values that print otherwise under another path. */
  readonly isPinned?: boolean;
}

export type RowSource = TableItself | SelectedRows;

/** The planner pulls a plain SELECT up, so that conditions on its columns find the indexes of the table. */
export function fromItem(rows: RowSource, alias?: string): string {
  if ('select' in rows) return `(${rows.select}\n) ${alias ?? `AS ${ident(rows.label)}`}`;
  return alias === undefined ? qualified(rows) : `${qualified(rows)} ${alias}`;
}

/**
 * For questions about the replication key and about system columns. The server would evaluate a volatile function for each
 * row that it looks at, whether anybody wants the value or not.
 */
export const bareItem = (rows: RowSource): string =>
  fromItem('select' in rows ? { ...rows, select: rows.bare } : rows);

/**
 * A statement over rows. What the operator of a pipeline wrote cannot be qualified, so it is read under the pinned path wherever
 * that is possible. So are values of regclass and its like, which print by the path.
 */
export const onRows = (rows: RowSource, text: string): Statement =>
  ('select' in rows ? rows.isUsual === true : rows.isPinned !== true) ? onTables(text) : text;

/** A part of a statement: ours, or somebody else's words, which an error has to be shown in. */
export type Part = string | { readonly option: string; readonly text: string };

/** The line break ends a comment that the text may end with. */
const inBrackets = (option: string, text: string): Part[] => ['(', { option, text }, '\n)'];

const columnParts = ({ name, expression }: SelectedColumn): Part[] =>
  expression === undefined
    ? [ident(name)]
    : [...inBrackets(`transform.${name}`, expression), ` AS ${ident(name)}`];

const joined = (lists: readonly Part[][], separator: string): Part[] =>
  lists.flatMap((list, index) => (index === 0 ? list : [separator, ...list]));

export interface TableSelection {
  readonly table: TableName;
  readonly columns: readonly SelectedColumn[];
  readonly where: string | null;
  /** Whether rows have a place (ctid) and the number of the transaction that wrote them (xmin), which we may read. */
  readonly hasSystemColumns: boolean;
}

/** `besides` stands behind the table. */
function tableParts(
  { table, columns, where, hasSystemColumns }: TableSelection,
  besides: readonly Part[] = [],
): Part[] {
  return [
    'SELECT ',
    ...joined([...columns.map(columnParts), ...(hasSystemColumns ? [['ctid'], ['xmin']] : [])], ', '),
    ` FROM ${qualified(table)}`,
    ...besides,
    ...(where === null ? [] : [' WHERE ', ...inBrackets('where', where)]),
  ];
}

const textOf = (parts: readonly Part[]): string =>
  parts.map((part) => (typeof part === 'string' ? part : part.text)).join('');

export const selectedRows = (selection: TableSelection): SelectedRows => ({
  select: textOf(tableParts(selection)),
  bare: textOf(
    tableParts({
      ...selection,
      columns: selection.columns.filter(({ expression }) => expression === undefined),
    }),
  ),
  label: selection.table.table,
});

export const queriedRows = (query: string, label: string): SelectedRows => ({
  select: `\n${query}`,
  bare: `\n${query}`,
  label,
});

/** A statement that gives the columns and no row, and where in it stand the words of others. */
export interface Description {
  readonly sql: string;
  /** `from` and `to` in characters as the server counts them, from 1. */
  readonly quotes: readonly {
    readonly option: string;
    readonly text: string;
    readonly from: number;
    readonly to: number;
  }[];
}

/**
 * Besides, each expression stands in the condition of a join, where the server refuses all that would make anything else of
 * a row than one value: aggregates, window functions, functions that return rows.
 */
export function describeTable(selection: TableSelection): Description {
  const expressions = selection.columns.flatMap(({ name, expression }) =>
    expression === undefined ? [] : [[...inBrackets(`transform.${name}`, expression), ' IS NULL']],
  );
  const besides =
    expressions.length === 0
      ? []
      : [' JOIN (SELECT) AS "increp one row" ON ', ...joined(expressions, ' OR ')];
  return describing(tableParts({ ...selection, hasSystemColumns: false }, besides));
}

export const describeQuery = (query: string): Description =>
  describing(['\n', { option: 'query', text: query }]);

function describing(rows: readonly Part[]): Description {
  const parts: readonly Part[] = ['SELECT * FROM (', ...rows, '\n) AS described LIMIT 0'];
  const quotes: Description['quotes'][number][] = [];
  let from = 1;
  for (const part of parts) {
    const text = typeof part === 'string' ? part : part.text;
    const to = from + Array.from(text).length;
    if (typeof part !== 'string') quotes.push({ ...part, from, to });
    from = to;
  }
  return { sql: textOf(parts), quotes };
}
