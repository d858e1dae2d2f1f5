/**
 * Staging table into table. Every statement is keyed by the merge key and leaves alone what is equal already,
 * so that reading a row again costs no write.
 */
import type { TableName } from '../schema/names.ts';
import { DELETED_AT } from './destination.ts';
import { ident, identList, qualified } from './identifiers.ts';

export interface Merge {
  readonly destination: TableName;
  readonly staging: TableName;
  /** In the staging table's order. */
  readonly columns: readonly string[];
  readonly mergeKey: readonly string[];
  /** Which of two rows of a key is the newer; undefined where nothing tells. */
  readonly replicationKey: string | undefined;
  /** The part of the merge key that may be NULL at the source. */
  readonly nullableKey: readonly string[];
  /** True when the destination has exactly `columns`, in that order. */
  readonly hasSameColumns: boolean;
  /** True when rows are marked in _deleted_at instead of removed: a row that is back is unmarked. */
  readonly isSoftDelete: boolean;
  /** Whether the destination knows MERGE (PostgreSQL 15), and lets it at this table: one with rules it does not. */
  readonly canMerge: boolean;
}

/** The statements of one pass over the rows of a merge. */
export interface MergePass {
  /** For a staging table that holds the whole of the source. */
  readonly remove: string;
  /** Changes and adds in one go. */
  readonly merge: string;
  readonly update: string;
  readonly insert: string;
  /** Whether the index of the merge key serves it. */
  readonly isIndexed: boolean;
}

/**
 * NULLs in a merge key are one value to us, but only `=` can use an index, so rows with a NULL there get a pass of
 * their own.
 */
export function mergePasses(merge: Merge): MergePass[] {
  const passes = merge.nullableKey.length === 0 ? [plainPass(merge)] : [notNullPass(merge), nullPass(merge)];
  return passes.map((pass) => ({
    remove: removeStatement(merge, pass),
    merge: mergeStatement(merge, pass),
    update: updateStatement(merge, pass),
    insert: insertStatement(merge, pass),
    isIndexed: pass.isIndexed,
  }));
}

/** Answers with the counts of what the statement has done, which before version 17 nothing else tells apart. */
export const counted = (statement: string): string =>
  /* sql */ `EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) ${statement}`;

/**
 * Looks each row up by the index. Left alone, the planner reads the whole table as soon as a window is a few per
 * cent of it, which costs what is there and not what changed, and spills both to disk.
 */
export const BY_INDEX = ['SET LOCAL enable_hashjoin = off', 'SET LOCAL enable_mergejoin = off'];
export const AS_IT_WAS = ['SET LOCAL enable_hashjoin TO DEFAULT', 'SET LOCAL enable_mergejoin TO DEFAULT'];

const DELETED = ident(DELETED_AT);

interface Pass {
  readonly isIndexed: boolean;
  /** Joins t and s. */
  readonly match: string;
  /** Which rows of one side take part. */
  readonly filter: (alias: string) => string;
}

const plainPass = ({ mergeKey }: Merge): Pass => ({
  isIndexed: true,
  match: mergeKey.map((name) => `t.${ident(name)} = s.${ident(name)}`).join(' AND '),
  filter: () => 'true',
});

const notNullPass = (merge: Merge): Pass => ({
  ...plainPass(merge),
  filter: (alias) => merge.nullableKey.map((name) => `${alias}.${ident(name)} IS NOT NULL`).join(' AND '),
});

const nullPass = ({ mergeKey, nullableKey }: Merge): Pass => ({
  isIndexed: false,
  match: mergeKey
    .map(
      (name) =>
        `t.${ident(name)} ${nullableKey.includes(name) ? 'IS NOT DISTINCT FROM' : '='} s.${ident(name)}`,
    )
    .join(' AND '),
  filter: (alias) => `(${nullableKey.map((name) => `${alias}.${ident(name)} IS NULL`).join(' OR ')})`,
});

const removeStatement = (merge: Merge, { match, filter }: Pass): string => {
  const isGone = `${filter('t')} AND NOT EXISTS (SELECT FROM ${qualified(merge.staging)} s WHERE ${match})`;
  return merge.isSoftDelete
    ? /* sql */ `UPDATE ONLY ${qualified(merge.destination)} t SET ${DELETED} = now() WHERE ${isGone} AND t.${DELETED} IS NULL`
    : /* sql */ `DELETE FROM ONLY ${qualified(merge.destination)} t WHERE ${isGone}`;
};

const mergeStatement = (merge: Merge, { match, filter }: Pass): string => /* sql */ `
  MERGE INTO ONLY ${qualified(merge.destination)} t
  USING (SELECT ${identList(merge.columns)} FROM ${qualified(merge.staging)} s WHERE ${filter('s')}) s
  ON ${filter('t')} AND ${match}
  WHEN MATCHED AND ${differs(merge)} THEN UPDATE SET ${assignments(merge)}
  WHEN NOT MATCHED THEN INSERT (${identList(merge.columns)})
    VALUES (${merge.columns.map((name) => `s.${ident(name)}`).join(', ')})`;

const updateStatement = (
  merge: Merge,
  { match, filter }: Pass,
): string => /* sql */ `UPDATE ONLY ${qualified(merge.destination)} t SET ${assignments(merge)}
    FROM ${qualified(merge.staging)} s WHERE ${filter('t')} AND ${match} AND ${differs(merge)}`;

const assignments = ({ columns, isSoftDelete }: Merge): string =>
  [
    ...columns.map((name) => `${ident(name)} = s.${ident(name)}`),
    ...(isSoftDelete ? [`${DELETED} = NULL`] : []),
  ].join(', ');

const differs = (merge: Merge): string =>
  merge.isSoftDelete ? `(${imagesDiffer(merge)} OR t.${DELETED} IS NOT NULL)` : imagesDiffer(merge);

const insertStatement = (
  { destination, staging, columns }: Merge,
  { match, filter }: Pass,
): string => /* sql */ `INSERT INTO ${qualified(destination)} (${identList(columns)})
    SELECT ${columns.map((name) => `s.${ident(name)}`).join(', ')} FROM ${qualified(staging)} s
    WHERE ${filter('s')} AND NOT EXISTS (SELECT FROM ONLY ${qualified(destination)} t WHERE ${match})`;

/**
 * Equal means equal bytes. IS DISTINCT FROM fails for json, xml and point and calls 1.0 equal to 1.00; the record
 * image operator is right for every type. Where the two sides differ in columns, both rows are built by name.
 */
function imagesDiffer({ columns, hasSameColumns }: Merge): string {
  if (hasSameColumns) return 't.* *<> s.*';
  const alias = freeAlias(columns);
  const row = (side: string) =>
    `(SELECT ${alias} FROM (SELECT ${columns.map((name) => `${side}.${ident(name)}`).join(', ')}) ${alias})`;
  return `${row('t')} *<> ${row('s')}`;
}

/** A bare alias would mean a column of the same name. */
function freeAlias(columns: readonly string[]): string {
  let alias = 'image';
  while (columns.includes(alias)) alias += '_';
  return alias;
}

/** Keeps the newest row of each merge key; ties are broken by the row's own text, so the result never varies. */
export const keepNewest = ({
  staging,
  mergeKey,
  replicationKey,
}: Merge): string => /* sql */ `DELETE FROM ${qualified(staging)} t USING (
      SELECT s.ctid AS place, row_number() OVER (
        PARTITION BY ${mergeKey.map((name) => `s.${ident(name)}`).join(', ')}
        ORDER BY ${replicationKey === undefined ? '' : `s.${ident(replicationKey)} DESC NULLS LAST, `}(s.*)::text COLLATE "C" DESC) AS rank
      FROM ${qualified(staging)} s) ranked
    WHERE t.ctid = ranked.place AND ranked.rank > 1`;
