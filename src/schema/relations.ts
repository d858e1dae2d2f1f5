/** Tables as the catalogs describe them. */
import type { Column } from './columns.ts';
import { printName, type TableName } from './names.ts';
import { expressionOf, selectColumns, type Selection } from './selection.ts';

/** pg_class.relkind, in words; a query is in no catalog. */
export type RelationKind =
  'table' | 'partitioned table' | 'view' | 'materialized view' | 'foreign table' | 'query';

export interface UniqueKey {
  readonly index: string;
  readonly columns: readonly string[];
}

export interface Relation {
  readonly name: TableName;
  readonly oid: string;
  /** While it stays the same, so do the relation and its columns; types that are not built in may change. */
  readonly stamp: string;
  readonly kind: RelationKind;
  readonly isUnlogged: boolean;
  /** Rewrite rules; a view is one. True for a while after the last one of a table has gone. */
  readonly hasRules: boolean;
  /** True for a parent of inheritance or partitioning: its rows live (also) in other tables. */
  readonly hasChildren: boolean;
  /** True where some or all of its rows are those of another server. */
  readonly hasForeignRows: boolean;
  readonly comment: string | null;
  readonly columns: readonly Column[];
  /** Column sets that the server itself keeps unique (valid, not partial, not on expressions). */
  readonly uniqueKeys: readonly UniqueKey[];
  /** First columns of usable b-tree indexes. */
  readonly indexedColumns: readonly string[];
  /** What the planner believes; undefined before the first ANALYZE. */
  readonly estimatedRows: number | undefined;
  readonly bytes: number;
  readonly canSelect: boolean;
  /** False where only single columns were granted, which is enough to read them. */
  readonly canSelectTable: boolean;
  /** Columns that our role may not read. */
  readonly unreadableColumns: readonly string[];
  /** Row-level security that would filter what our role sees. */
  readonly filtersRows: boolean;
  /** Of a table, `oid:file` of each table that holds rows of it: another file means that all its rows were written anew. */
  readonly files: readonly string[];
  /** Oids of other tables that its foreign keys point to. */
  readonly references: readonly string[];
  /** Sequences owned by its columns, which a dump would want to read as well. */
  readonly ownedSequences: readonly TableName[];
}

const isSubset = (part: readonly string[], whole: readonly string[]): boolean =>
  part.every((name) => whole.includes(name));

/** True when the server guarantees that no two rows agree in all of `columns`. */
export function isUniqueBy(relation: Relation, columns: readonly string[]): boolean {
  // An index of an inheritance parent knows nothing of its children's rows.
  if (relation.kind === 'table' && relation.hasChildren) return false;
  const isAlwaysThere = (name: string) =>
    relation.columns.find((column) => column.name === name)?.isNotNull === true;
  return relation.uniqueKeys.some(
    (key) => isSubset(key.columns, columns) && key.columns.every(isAlwaysThere),
  );
}

/** The index that a merge on exactly `columns` can use and that keeps them unique. */
export const uniqueIndexOn = (relation: Relation, columns: readonly string[]): UniqueKey | undefined =>
  relation.uniqueKeys.find((key) => key.columns.length === columns.length && isSubset(key.columns, columns));

/** Whether rows can be merged into it: by the index of the key, or, without one, past none that a former key has left. */
export const takesMerge = (
  relation: Relation,
  mergeKey: readonly string[],
  formerKey: readonly string[],
): boolean =>
  mergeKey.length > 0
    ? uniqueIndexOn(relation, mergeKey) !== undefined
    : uniqueIndexOn(relation, formerKey) === undefined;

/** What LOCK TABLE accepts by name, and from us. */
export const canLock = ({ kind, canSelectTable }: Relation): boolean =>
  canSelectTable && ['table', 'partitioned table', 'view'].includes(kind);

/** A table that shows our role all of its rows; any other one cannot even be asked whether it has some. */
export const isReadableTable = (relation: Relation | undefined): boolean =>
  relation?.kind === 'table' && relation.canSelect && !relation.filtersRows;

/** Rows that have a place (ctid) and the number of the transaction that wrote them (xmin), which our role may read. */
export const hasSystemColumns = ({ kind, hasForeignRows, canSelectTable }: Relation): boolean =>
  canSelectTable && !hasForeignRows && ['table', 'partitioned table', 'materialized view'].includes(kind);

/** For messages. */
export const describeSource = ({ kind, name }: Relation): string =>
  kind === 'query' ? `the query of "${name.table}"` : printName(name);

/** What of a table is copied. `described`: the columns that an expression makes, as the server describes them. */
export function selectFrom(table: Relation, selection: Selection, described: readonly Column[]): Relation {
  const isPlain = (name: string) =>
    expressionOf(selection, name) === undefined && columns.some((column) => column.name === name);
  const columns = selectColumns(selection, table.columns).flatMap(({ name, expression }) => {
    const own = table.columns.find((column) => column.name === name);
    if (expression === undefined) return own ?? [];
    const made = described.find((column) => column.name === name);
    return made ? { ...made, position: own?.position ?? 0 } : [];
  });
  return {
    ...table,
    columns,
    uniqueKeys: table.uniqueKeys.filter((key) => key.columns.every(isPlain)),
    indexedColumns: table.indexedColumns.filter(isPlain),
    unreadableColumns: table.unreadableColumns.filter(isPlain),
  };
}

/** No catalog knows it: nothing keeps its rows unique, and the numbers of their transactions do not show. */
export const queryRelation = (name: TableName, columns: readonly Column[]): Relation => ({
  name,
  oid: '0',
  stamp: '',
  kind: 'query',
  isUnlogged: false,
  hasRules: false,
  hasChildren: false,
  hasForeignRows: false,
  comment: null,
  columns,
  uniqueKeys: [],
  indexedColumns: [],
  estimatedRows: undefined,
  bytes: 0,
  canSelect: true,
  canSelectTable: false,
  unreadableColumns: [],
  filtersRows: false,
  files: [],
  references: [],
  ownedSequences: [],
});

/** Its rows are all its own, and our role may read who wrote each of them last. */
export const showsWriters = ({ kind, hasChildren, canSelectTable }: Relation): boolean =>
  kind === 'table' && !hasChildren && canSelectTable;
