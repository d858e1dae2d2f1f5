/** Tables and other relations, as the catalogs describe them. */
import type { Column } from './columns.ts';
import { printName, type TableName } from './names.ts';
import { selectColumns, sourceColumn, type Selection } from './selection.ts';

/** pg_class.relkind as a text. A query is in no catalog. */
export type RelationKind =
  'table' | 'partitioned table' | 'view' | 'materialized view' | 'foreign table' | 'query';

/** An extension that keeps the rows of a table in other tables, compressed or on other servers. */
export type KeepingExtension = 'TimescaleDB' | 'Citus';

export interface UniqueKey {
  readonly index: string;
  readonly columns: readonly string[];
}

export interface Partitions {
  /** The locks of a statement that reads the table: each partition and each of its indexes. */
  readonly locks: number;
  /** The locks that the lock table of the server is sized for. */
  readonly room: number;
  /** Whether the role of increp may read each partition by its own name, without a policy. */
  readonly areReadable: boolean;
  /** The columns that divide the table and its partitions. Null for an expression. */
  readonly keys: readonly (string | null)[];
}

export interface Relation {
  readonly name: TableName;
  readonly oid: string;
  /** While the stamp is the same, so are the relation and its columns. User-defined types may still change. */
  readonly stamp: string;
  readonly kind: RelationKind;
  readonly isUnlogged: boolean;
  /** pg_class.relhasrules. True for a view, and for some time after the last rule of a table was dropped. */
  readonly hasRules: boolean;
  /** Whether a BEFORE trigger can change or discard each row that is written. */
  readonly hasRowTriggers: boolean;
  /** True for a parent of inheritance or partitioning. Other tables hold some or all of its rows. */
  readonly hasChildren: boolean;
  /** Whether some or all of its rows are on another server. */
  readonly hasForeignRows: boolean;
  readonly keptBy: KeepingExtension | null;
  /** Whether some or all of its rows are in an access method other than heap, such as columnar storage. */
  readonly hasOwnStorage: boolean;
  readonly comment: string | null;
  /** The role that owns it. Empty for a query. */
  readonly owner: string;
  readonly columns: readonly Column[];
  /** Column sets that the server itself keeps unique (valid, not partial, not on expressions). */
  readonly uniqueKeys: readonly UniqueKey[];
  /** First columns of usable b-tree indexes. */
  readonly indexedColumns: readonly string[];
  /** The planner's estimate. Undefined before the first ANALYZE. */
  readonly estimatedRows: number | undefined;
  readonly bytes: number;
  readonly canSelect: boolean;
  /** False if SELECT was granted only on single columns, which is enough to read these. */
  readonly canSelectTable: boolean;
  /** Columns that the role of increp may not read. */
  readonly unreadableColumns: readonly string[];
  /** NOT NULL columns without a default. Each inserted row needs a value for them. */
  readonly demandedColumns: readonly string[];
  /** Whether row-level security hides rows from the role of increp. */
  readonly filtersRows: boolean;
  /** Null unless the table is partitioned. */
  readonly partitions: Partitions | null;
  /** `oid:file` of each table that stores rows of it. Another file means that all rows of that table were rewritten. */
  readonly files: readonly string[];
  /** Oids of other tables that its foreign keys point to. */
  readonly references: readonly string[];
  /** Sequences that its columns own. A dump reads them too. */
  readonly ownedSequences: readonly TableName[];
}

const isSubset = (part: readonly string[], whole: readonly string[]): boolean =>
  part.every((name) => whole.includes(name));

/** True when the server guarantees that no two rows agree in all of `columns`. */
export function isUniqueBy(relation: Relation, columns: readonly string[]): boolean {
  // An index of an inheritance parent does not cover the rows of its children.
  if (relation.kind === 'table' && relation.hasChildren) return false;
  const isNotNull = (name: string) =>
    relation.columns.find((column) => column.name === name)?.isNotNull === true;
  return relation.uniqueKeys.some((key) => isSubset(key.columns, columns) && key.columns.every(isNotNull));
}

/** The shortest key that the server enforces. */
export const enforcedKey = (relation: Relation): readonly string[] | undefined =>
  relation.uniqueKeys
    .map(({ columns }) => columns)
    .filter((columns) => isUniqueBy(relation, columns))
    .toSorted((a, b) => a.length - b.length)[0];

/** The unique index on exactly `columns`, in any order. A merge can use it. */
export const uniqueIndexOn = (relation: Relation, columns: readonly string[]): UniqueKey | undefined =>
  relation.uniqueKeys.find((key) => key.columns.length === columns.length && isSubset(key.columns, columns));

/** Whether a merge works. A unique key needs its index. Without a unique key, no index of a former key may remain. */
export const takesMerge = (
  relation: Relation,
  mergeKey: readonly string[],
  formerKey: readonly string[],
): boolean =>
  mergeKey.length > 0
    ? uniqueIndexOn(relation, mergeKey) !== undefined
    : uniqueIndexOn(relation, formerKey) === undefined;

/** Whether LOCK TABLE accepts the relation, and the role of increp may lock it. */
export const canLock = ({ kind, canSelectTable }: Relation): boolean =>
  canSelectTable && ['table', 'partitioned table', 'view'].includes(kind);

/** A table of which the role of increp may read all rows. Only then can increp check whether it has rows. */
export const isReadableTable = (relation: Relation | undefined): boolean =>
  relation?.kind === 'table' && relation.canSelect && !relation.filtersRows;

export const takesIndex = ({ kind }: Pick<Relation, 'kind'>): boolean =>
  ['table', 'partitioned table', 'materialized view'].includes(kind);

/**
 * Whether rows have a position (ctid) and a transaction ID (xmin) that the role of increp may read. A compressed row of
 * TimescaleDB has neither, and columnar storage often has neither.
 */
export const hasSystemColumns = ({
  kind,
  hasForeignRows,
  keptBy,
  hasOwnStorage,
  canSelectTable,
}: Relation): boolean =>
  canSelectTable &&
  !hasForeignRows &&
  keptBy === null &&
  !hasOwnStorage &&
  ['table', 'partitioned table', 'materialized view'].includes(kind);

export const describeSource = ({ kind, name }: Relation): string =>
  kind === 'query' ? `the query of "${name.table}"` : printName(name);

/** The selected part of a table, with the names of the destination. `described`: the columns of expressions, as the server describes them. */
export function selectFrom(table: Relation, selection: Selection, described: readonly Column[]): Relation {
  const selected = selectColumns(selection, table.columns);
  const plain = new Map(
    selected.filter(({ expression }) => expression === undefined).map(({ column, name }) => [column, name]),
  );
  const plainNames = (columns: readonly string[]) => columns.flatMap((column) => plain.get(column) ?? []);
  const columns = selected.flatMap(({ name, column: sourceName, expression }) => {
    const own = table.columns.find((column) => column.name === sourceName);
    if (expression === undefined) return own ? { ...own, name } : [];
    const made = described.find((column) => column.name === name);
    return made ? { ...made, position: own?.position ?? 0 } : [];
  });
  return {
    ...table,
    columns,
    uniqueKeys: table.uniqueKeys
      .filter((key) => key.columns.every((column) => plain.has(column)))
      .map((key) => ({ ...key, columns: plainNames(key.columns) })),
    indexedColumns: plainNames(table.indexedColumns),
    // The role lacks a privilege for a column of the source.
    unreadableColumns: table.unreadableColumns.filter((column) => plain.has(column)),
  };
}

/** The same relation with the names of the source, for messages and statements about the source. */
export function atSource(relation: Relation, selection: Pick<Selection, 'rename'>): Relation {
  if (selection.rename.length === 0) return relation;
  const named = (columns: readonly string[]) => columns.map((name) => sourceColumn(selection, name));
  return {
    ...relation,
    columns: relation.columns.map((column) => ({ ...column, name: sourceColumn(selection, column.name) })),
    uniqueKeys: relation.uniqueKeys.map((key) => ({ ...key, columns: named(key.columns) })),
    indexedColumns: named(relation.indexedColumns),
  };
}

/** The result of a query is in no catalog. It has no unique index, and its rows have no transaction IDs. */
export const queryRelation = (name: TableName, columns: readonly Column[]): Relation => ({
  name,
  oid: '0',
  stamp: '',
  kind: 'query',
  isUnlogged: false,
  hasRules: false,
  hasRowTriggers: false,
  hasChildren: false,
  hasForeignRows: false,
  keptBy: null,
  hasOwnStorage: false,
  comment: null,
  columns,
  uniqueKeys: [],
  indexedColumns: [],
  estimatedRows: undefined,
  bytes: 0,
  canSelect: true,
  canSelectTable: false,
  owner: '',
  unreadableColumns: [],
  demandedColumns: [],
  filtersRows: false,
  partitions: null,
  files: [],
  references: [],
  ownedSequences: [],
});

/** Whether the transaction ID (xmin) of each row can be read, and no row belongs to a child table. */
export const showsWriters = ({
  kind,
  hasChildren,
  keptBy,
  hasOwnStorage,
  canSelectTable,
}: Relation): boolean =>
  kind === 'table' && !hasChildren && keptBy === null && !hasOwnStorage && canSelectTable;

/** Whether one statement cannot read the table, because it would fill the lock table of the server. */
export const fillsLocks = ({ partitions }: Pick<Relation, 'partitions'>): boolean =>
  partitions !== null && partitions.locks > partitions.room;

/** The share of the lock table that one group of partitions may take. */
const SHARE_OF_GROUP = 1 / 10;

/**
 * The locks of a group, if the table is read in groups of partitions. Policies and grants of the table do not count for a
 * partition that is read by its own name, so the role needs SELECT on each of them.
 */
export const locksOfGroup = (relation: Relation): number | undefined =>
  relation.partitions?.areReadable === true && !relation.filtersRows && fillsLocks(relation)
    ? Math.floor(relation.partitions.room * SHARE_OF_GROUP)
    : undefined;
