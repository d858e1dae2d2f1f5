/**
 * Staging table into table. Every statement is keyed by the merge key and leaves alone what is equal already,
 * so that reading a row again costs no write.
 */
import type { TableName } from '../schema/names.ts';
import { ident, identList, qualified } from './identifiers.ts';
import { assigned, markIn, oursIn, type OwnColumn } from './metadata-columns.ts';
import { DIFFERS, EQUALS, GREATER, isSame } from './search-path.ts';

export interface Merge {
  readonly destination: TableName;
  readonly staging: TableName;
  /** In the staging table's order. */
  readonly columns: readonly string[];
  /** Columns that identify a row on both sides; of a history the replication key is one of them. */
  readonly mergeKey: readonly string[];
  /** Which of two rows of a key is the newer; undefined where nothing tells. */
  readonly replicationKey: string | undefined;
  /** The part of the merge key that may be NULL at the source. */
  readonly nullableKey: readonly string[];
  /** True when the destination has exactly `columns`, in that order. */
  readonly hasSameColumns: boolean;
  /** What the destination has beside `columns`: written with them, part of a row's identity, or a mark of deletion. */
  readonly own: readonly OwnColumn[];
  /** Whether a row of the destination with a newer replication key is left alone. */
  readonly yieldsToNewer: boolean;
  /** GENERATED ALWAYS AS IDENTITY at the destination: an INSERT may set them, an UPDATE may not. */
  readonly fixed: readonly string[];
  /** Columns of the destination that people have added, which a replaced row keeps. */
  readonly kept: readonly string[];
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
  /** Counts the rows that are left alone because the destination's is newer; undefined where none is. */
  readonly countNewer: string | undefined;
  /** Whether the index of the merge key serves it. */
  readonly isIndexed: boolean;
}

/**
 * NULLs in a merge key are one value to us, but only `=` can use an index, so rows with a NULL there get a pass of
 * their own.
 */
export function mergePasses(merge: Merge): MergePass[] {
  return passesOf(merge).map((pass) => ({
    remove: removeStatement(merge, pass),
    merge: mergeStatement(merge, pass),
    update: updateStatement(merge, pass),
    insert: insertStatement(merge, pass),
    countNewer: merge.yieldsToNewer ? newerStatement(merge, pass) : undefined,
    isIndexed: pass.isIndexed,
  }));
}

/** What a row of the destination is replaced for: a difference wherever it is, or one in a column that no UPDATE may set. */
export type ReplacedFor = 'differing' | 'fixed';

/**
 * Changed rows are deleted and inserted in one statement, one for each pass, so that values which a constraint keeps
 * unique can move from row to row. All rows are gone before the first one comes back: the count is taken first.
 * `kept`: columns that people have added, whose values come back with their row.
 */
export const replaceStatements = (
  merge: Merge,
  kept: readonly string[],
  what: ReplacedFor,
): readonly string[] => passesOf(merge).map((pass) => replaceStatement(merge, pass, { kept, what }));

function replaceStatement(
  merge: Merge,
  { match, filter }: Pass,
  { kept, what }: { readonly kept: readonly string[]; readonly what: ReplacedFor },
): string {
  const isOther =
    what === 'differing'
      ? differs(merge)
      : `(${unsettable(merge)
          .map((name) => `${isSame(`t.${ident(name)}`, `s.${ident(name)}`)} IS NOT TRUE`)
          .join(' OR ')}) AND ${differs(merge)}`;
  const names = [insertedNames(merge), ...kept.map(ident)].join(', ');
  const values = [insertedValues(merge), ...kept.map((name) => `t.${ident(name)}`)].join(', ');
  return /* sql */ `
  WITH gone AS (
    DELETE FROM ONLY ${qualified(merge.destination)} t USING ${qualified(merge.staging)} s
    WHERE ${filter('t')} AND ${filter('s')} AND ${match} AND ${isOther} RETURNING t.*)
  INSERT INTO ${qualified(merge.destination)} (${names}) ${OVERRIDING}
    SELECT ${values} FROM gone t, ${qualified(merge.staging)} s WHERE ${match} AND (SELECT pg_catalog.count(*) FROM gone) ${GREATER} 0::bigint`;
}

/** Those of them that may differ: what a row is found by is equal. */
export const unsettable = ({ fixed, mergeKey }: Merge): readonly string[] =>
  fixed.filter((name) => !mergeKey.includes(name));

/** Where a column is GENERATED ALWAYS AS IDENTITY; elsewhere it says nothing. */
const OVERRIDING = 'OVERRIDING SYSTEM VALUE';

/** Answers with the counts of what the statement has done, which before version 17 nothing else tells apart. */
export const counted = (statement: string): string =>
  /* sql */ `EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) ${statement}`;

/**
 * Looks each row up by the index. Left alone, the planner reads the whole table as soon as a window is a few per
 * cent of it, which costs what is there and not what changed, and spills both to disk.
 */
export const BY_INDEX = ['SET LOCAL enable_hashjoin = off', 'SET LOCAL enable_mergejoin = off'];
export const AS_IT_WAS = ['SET LOCAL enable_hashjoin TO DEFAULT', 'SET LOCAL enable_mergejoin TO DEFAULT'];

interface Pass {
  readonly isIndexed: boolean;
  /** Joins t and s. */
  readonly match: string;
  /** Which rows of one side take part. */
  readonly filter: (alias: string) => string;
}

const passesOf = (merge: Merge): Pass[] =>
  merge.nullableKey.length === 0 ? [plainPass(merge)] : [notNullPass(merge), nullPass(merge)];

const plainPass = ({ mergeKey, own }: Merge): Pass => ({
  isIndexed: true,
  match: [
    ...oursIn(own, 't.'),
    ...mergeKey.map((name) => `t.${ident(name)} ${EQUALS} s.${ident(name)}`),
  ].join(' AND '),
  filter: () => 'true',
});

const notNullPass = (merge: Merge): Pass => ({
  ...plainPass(merge),
  filter: (alias) => merge.nullableKey.map((name) => `${alias}.${ident(name)} IS NOT NULL`).join(' AND '),
});

const nullPass = ({ mergeKey, nullableKey, own }: Merge): Pass => ({
  isIndexed: false,
  match: [
    ...oursIn(own, 't.'),
    ...mergeKey.map((name) => {
      const [t, s] = [`t.${ident(name)}`, `s.${ident(name)}`];
      return nullableKey.includes(name) ? isSame(t, s) : `${t} ${EQUALS} ${s}`;
    }),
  ].join(' AND '),
  filter: (alias) => `(${nullableKey.map((name) => `${alias}.${ident(name)} IS NULL`).join(' OR ')})`,
});

const removeStatement = (merge: Merge, { match, filter }: Pass): string => {
  const { destination, staging, own } = merge;
  const isGone = [
    filter('t'),
    ...oursIn(own, 't.'),
    `NOT EXISTS (SELECT FROM ${qualified(staging)} s WHERE ${match})`,
  ].join(' AND ');
  const mark = markIn(own);
  return mark
    ? /* sql */ `UPDATE ONLY ${qualified(destination)} t SET ${assigned(own, 'marked').join(', ')} WHERE ${isGone} AND t.${ident(mark.name)} IS NULL`
    : /* sql */ `DELETE FROM ONLY ${qualified(destination)} t WHERE ${isGone}`;
};

const mergeStatement = (merge: Merge, { match, filter }: Pass): string => /* sql */ `
  MERGE INTO ONLY ${qualified(merge.destination)} t
  USING (SELECT ${identList(merge.columns)} FROM ${qualified(merge.staging)} s WHERE ${filter('s')}) s
  ON ${filter('t')} AND ${match}
  WHEN MATCHED AND ${differs(merge)} THEN UPDATE SET ${assignments(merge)}
  WHEN NOT MATCHED THEN INSERT (${insertedNames(merge)}) ${OVERRIDING}
    VALUES (${insertedValues(merge)})`;

const updateStatement = (
  merge: Merge,
  { match, filter }: Pass,
): string => /* sql */ `UPDATE ONLY ${qualified(merge.destination)} t SET ${assignments(merge)}
    FROM ${qualified(merge.staging)} s WHERE ${filter('t')} AND ${match} AND ${differs(merge)}`;

const assignments = ({ columns, own, fixed }: Merge): string => {
  const set = [
    ...columns.filter((name) => !fixed.includes(name)).map((name) => `${ident(name)} = s.${ident(name)}`),
    ...assigned(own, 'changed'),
  ];
  // A table may have no other columns than those. No row that is found differs then, and none is updated.
  return set.length > 0 ? set.join(', ') : fixed.map((name) => `${ident(name)} = DEFAULT`).join(', ');
};

const insertedNames = ({ columns, own }: Merge): string =>
  identList([...columns, ...own.filter(({ inserted }) => inserted !== undefined).map(({ name }) => name)]);

const insertedValues = ({ columns, own }: Merge): string =>
  [
    ...columns.map((name) => `s.${ident(name)}`),
    ...own.flatMap(({ inserted }) => (inserted === undefined ? [] : [inserted])),
  ].join(', ');

function differs(merge: Merge): string {
  const mark = markIn(merge.own);
  const isOther = mark
    ? `(${imagesDiffer(merge)} OR t.${ident(mark.name)} IS NOT NULL)`
    : imagesDiffer(merge);
  return merge.yieldsToNewer ? `${isOther} AND NOT ${isNewer(merge)}` : isOther;
}

/** The destination's row. One without a replication key is older than all that have one. */
const isNewer = ({ replicationKey }: Merge): string => {
  if (replicationKey === undefined) throw new Error('without a replication key no row is newer');
  const key = ident(replicationKey);
  return `coalesce(t.${key} ${GREATER} s.${key}, t.${key} IS NOT NULL)`;
};

const newerStatement = (
  merge: Merge,
  { match, filter }: Pass,
): string => /* sql */ `SELECT pg_catalog.count(*)::float8 AS rows FROM ONLY ${qualified(merge.destination)} t, ${qualified(merge.staging)} s
    WHERE ${filter('t')} AND ${match} AND ${isNewer(merge)}`;

const insertStatement = (
  merge: Merge,
  { match, filter }: Pass,
): string => /* sql */ `INSERT INTO ${qualified(merge.destination)} (${insertedNames(merge)}) ${OVERRIDING}
    SELECT ${insertedValues(merge)} FROM ${qualified(merge.staging)} s
    WHERE ${filter('s')} AND NOT EXISTS (SELECT FROM ONLY ${qualified(merge.destination)} t WHERE ${match})`;

/**
 * Equal means equal bytes. IS DISTINCT FROM fails for json, xml and point and calls 1.0 equal to 1.00; the record
 * image operator is right for every type. Where the two sides differ in columns, both rows are built by name.
 */
function imagesDiffer({ columns, hasSameColumns }: Merge): string {
  if (hasSameColumns) return `t.* ${DIFFERS} s.*`;
  const alias = freeAlias(columns);
  const row = (side: string) =>
    `(SELECT ${alias} FROM (SELECT ${columns.map((name) => `${side}.${ident(name)}`).join(', ')}) ${alias})`;
  return `${row('t')} ${DIFFERS} ${row('s')}`;
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
      SELECT s.ctid AS place, pg_catalog.row_number() OVER (
        PARTITION BY ${mergeKey.map((name) => `s.${ident(name)}`).join(', ')}
        ORDER BY ${replicationKey === undefined ? '' : `s.${ident(replicationKey)} DESC NULLS LAST, `}(s.*)::text COLLATE "C" DESC) AS rank
      FROM ${qualified(staging)} s) ranked
    WHERE t.ctid ${EQUALS} ranked.place AND ranked.rank ${GREATER} 1::bigint`;
