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
  readonly replicationKey: string;
  /** The part of the merge key that may be NULL at the source. */
  readonly nullableKey: readonly string[];
  /** True when the destination has exactly `columns`, in that order. */
  readonly hasSameColumns: boolean;
  /** True when rows are marked in _deleted_at instead of removed: a row that is back is unmarked. */
  readonly isSoftDelete: boolean;
}

export interface MergeStatements {
  readonly remove: readonly string[];
  readonly update: readonly string[];
  readonly insert: readonly string[];
}

/**
 * The statements of one merge; `remove` is for a staging table that holds the whole of the source. NULLs in a
 * merge key are one value to us, but only `=` can use an index, so rows with a NULL there get a pass of their own.
 */
export function mergeStatements(merge: Merge): MergeStatements {
  const passes = merge.nullableKey.length === 0 ? [plainPass(merge)] : [notNullPass(merge), nullPass(merge)];
  return {
    remove: passes.map((pass) => removeStatement(merge, pass)),
    update: passes.map((pass) => updateStatement(merge, pass)),
    insert: passes.map((pass) => insertStatement(merge, pass)),
  };
}

const DELETED = ident(DELETED_AT);

interface Pass {
  /** Joins t and s. */
  readonly match: string;
  /** Which rows of one side take part. */
  readonly filter: (alias: string) => string;
}

const plainPass = ({ mergeKey }: Merge): Pass => ({
  match: mergeKey.map((name) => `t.${ident(name)} = s.${ident(name)}`).join(' AND '),
  filter: () => 'true',
});

const notNullPass = (merge: Merge): Pass => ({
  ...plainPass(merge),
  filter: (alias) => merge.nullableKey.map((name) => `${alias}.${ident(name)} IS NOT NULL`).join(' AND '),
});

const nullPass = ({ mergeKey, nullableKey }: Merge): Pass => ({
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

const updateStatement = (merge: Merge, { match, filter }: Pass): string => {
  const assignments = merge.columns.map((name) => `${ident(name)} = s.${ident(name)}`);
  const differs = merge.isSoftDelete
    ? `(${imagesDiffer(merge)} OR t.${DELETED} IS NOT NULL)`
    : imagesDiffer(merge);
  return /* sql */ `UPDATE ONLY ${qualified(merge.destination)} t
    SET ${[...assignments, ...(merge.isSoftDelete ? [`${DELETED} = NULL`] : [])].join(', ')}
    FROM ${qualified(merge.staging)} s WHERE ${filter('t')} AND ${match} AND ${differs}`;
};

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
        ORDER BY s.${ident(replicationKey)} DESC NULLS LAST, (s.*)::text COLLATE "C" DESC) AS rank
      FROM ${qualified(staging)} s) ranked
    WHERE t.ctid = ranked.place AND ranked.rank > 1`;
