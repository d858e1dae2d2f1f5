/**
 * Merges the staging table into the destination table. Every statement uses the unique key and skips equal rows, so
 * reading a row again costs no write.
 */
import type { TableName } from '../schema/names.ts';
import { ident, identList, qualified } from './identifiers.ts';
import { assigned, markIn, pipelineConditions, type MetadataColumnDefinition } from './metadata-columns.ts';
import { lockMatched, logConflicts, pruneConflicts, type ConflictLog } from './conflicts.ts';
import {
  changedVersion,
  insertedVersion,
  isChangedByOthers,
  isNewVersion,
  valueAfter,
  type RowVersions,
} from './row-versions.ts';
import { ROW_VERSION } from '../schema/metadata-columns.ts';
import { isFoundByIndex, isNull, isPresent, nullSafeMatch } from './null-safe-match.ts';
import { DIFFERS, EQUALS, GREATER, equalOrBothNull } from './search-path.ts';

export interface Merge {
  readonly destination: TableName;
  readonly staging: TableName;
  /** In the order of the staging table. */
  readonly columns: readonly string[];
  /** The columns that identify a row on both sides. For a history, the replication key is one of them. */
  readonly mergeKey: readonly string[];
  /** The column that tells which of two rows with the same key is newer; undefined if there is none. */
  readonly replicationKey: string | undefined;
  /** The columns of the unique key that may be NULL at the source. */
  readonly nullableKey: readonly string[];
  /** True if the destination has exactly `columns`, in that order. */
  readonly hasSameColumns: boolean;
  /** Metadata columns of the destination. They are written with each row, identify it, or mark it as deleted. */
  readonly metadataColumns: readonly MetadataColumnDefinition[];
  /** Whether a destination row with a newer replication key is kept. */
  readonly yieldsToNewer: boolean;
  /** GENERATED ALWAYS AS IDENTITY at the destination: an INSERT may set them, an UPDATE may not. */
  readonly fixed: readonly string[];
  /** Columns that users added at the destination. A replaced row keeps their values. */
  readonly kept: readonly string[];
  /** Set if columns are merged, or if the destination row records what increp last wrote. */
  readonly versions?: RowVersions | undefined;
  /** Set if conflicts are recorded. */
  readonly conflictLog?: ConflictLog | undefined;
  /** Whether the destination supports MERGE (PostgreSQL 15) on this table. A table with rules does not. */
  readonly canMerge: boolean;
}

/** The statements of one pass over the rows of a merge. */
export interface MergePass {
  /** For a staging table that contains the whole source. */
  readonly remove: string;
  /** Updates and inserts in one statement. */
  readonly merge: string;
  readonly update: string;
  readonly insert: string;
  /** Counts the rows that are kept because the destination row is newer; undefined if no row is. */
  readonly countNewer: string | undefined;
  /** Whether the index of the unique key can be used. */
  readonly isIndexed: boolean;
}

/** Most rows have no NULL in their key and join by `=` alone. Rows with a NULL in their key have a separate pass. */
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

export interface ConflictStatements {
  /** One for each pass. */
  readonly lock: readonly string[];
  /** Each returns counts by resolution. */
  readonly log: readonly string[];
  readonly prune: string;
}

/** Run before all other statements of the merge. Undefined unless conflicts are recorded. */
export function conflictStatements(merge: Merge): ConflictStatements | undefined {
  const { conflictLog, versions } = merge;
  if (!conflictLog || !versions) return undefined;
  const isNew = versions.merged.length > 0 ? isNewVersion(versions) : undefined;
  const isMerged = (name: string) => versions.merged.some((column) => column.name === name);
  const rows = passesOf(merge).map(({ match, filter }) => ({
    staging: merge.staging,
    matches: `${filter('t')} AND ${filter('s')} AND ${match}`,
    key: merge.mergeKey,
    columns: merge.columns.map((name) => ({ name, ...(isMerged(name) && { counts: isNew }) })),
    isConflict: `${isChangedByOthers(versions)} AND ${decides(merge, versions)}`,
    resolution: resolutionOf(merge, isNew),
  }));
  return {
    lock: rows.map((each) => lockMatched(conflictLog, each)),
    log: rows.map((each) => logConflicts(conflictLog, each)),
    prune: pruneConflicts(conflictLog),
  };
}

/**
 * Whether both rows differ in what this merge decides about. If the destination row stays, an old version of the source
 * row loses nothing.
 */
function decides(merge: Merge, versions: RowVersions): string {
  const image = (names: readonly string[]) => imagesDiffer({ columns: names, hasSameColumns: false });
  const { columns } = merge;
  const others = columns.filter((name) => !versions.merged.some((column) => column.name === name));
  const isNew = isNewVersion(versions);
  const overwrites = merge.yieldsToNewer ? `${image(others)} AND NOT ${isNewer(merge)}` : image(others);
  return `(${overwrites} OR ${isNew} AND ${image(columns)})`;
}

function resolutionOf(merge: Merge, isNew: string | undefined): string {
  const unmerged = merge.yieldsToNewer
    ? `CASE WHEN ${isNewer(merge)} THEN 'destination' ELSE 'source' END`
    : `'source'`;
  return isNew === undefined ? unmerged : `CASE WHEN ${isNew} THEN 'merged' ELSE ${unmerged} END`;
}

/** Why a destination row is replaced: because a column differs, or because a column differs that no UPDATE may set. */
export type ReplacedFor = 'differing' | 'fixed';

/**
 * Changed rows are deleted and inserted in one statement per pass, so that unique values can move from row to row.
 * All rows are deleted before the first one is inserted, because the count is computed first. `kept`: columns that
 * users added, whose values are inserted again with their row.
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
          .map((name) => `${equalOrBothNull(`t.${ident(name)}`, `s.${ident(name)}`)} IS NOT TRUE`)
          .join(' OR ')}) AND ${differs(merge)}`;
  const names = [insertedNames(merge), ...kept.map(ident)].join(', ');
  const values = [replacedValues(merge), ...kept.map((name) => `t.${ident(name)}`)].join(', ');
  return /* sql */ `
  WITH gone AS (
    DELETE FROM ONLY ${qualified(merge.destination)} t USING ${qualified(merge.staging)} s
    WHERE ${filter('t')} AND ${filter('s')} AND ${match} AND ${isOther} RETURNING t.*)
  INSERT INTO ${qualified(merge.destination)} (${names}) ${OVERRIDING}
    SELECT ${values} FROM gone t, ${qualified(merge.staging)} s WHERE ${match} AND (SELECT pg_catalog.count(*) FROM gone) ${GREATER} 0::bigint`;
}

/** The columns that may differ. The columns of the key are equal. */
export const unsettable = ({ fixed, mergeKey }: Merge): readonly string[] =>
  fixed.filter((name) => !mergeKey.includes(name));

/** Needed for GENERATED ALWAYS AS IDENTITY, and without effect otherwise. */
const OVERRIDING = 'OVERRIDING SYSTEM VALUE';

/** Returns the counts of inserted and updated rows, which only version 17 can return otherwise. */
export const counted = (statement: string): string =>
  /* sql */ `EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) ${statement}`;

/**
 * Finds each row by the index. The planner would read the whole table for a window of a few per cent. That cost
 * depends on the size of the table instead of the changes, and both sides would spill to disk.
 */
export const BY_INDEX = ['SET LOCAL enable_hashjoin = off', 'SET LOCAL enable_mergejoin = off'];
export const AS_IT_WAS = ['SET LOCAL enable_hashjoin TO DEFAULT', 'SET LOCAL enable_mergejoin TO DEFAULT'];

interface Pass {
  readonly isIndexed: boolean;
  /** Joins t and s. */
  readonly match: string;
  /** Selects the rows of one side. */
  readonly filter: (alias: string) => string;
}

const passesOf = (merge: Merge): Pass[] =>
  merge.nullableKey.length === 0 ? [plainPass(merge)] : [notNullPass(merge), nullPass(merge)];

const plainPass = ({ mergeKey, metadataColumns }: Merge): Pass => ({
  isIndexed: true,
  match: [
    ...pipelineConditions(metadataColumns, 't.'),
    ...mergeKey.map((name) => `t.${ident(name)} ${EQUALS} s.${ident(name)}`),
  ].join(' AND '),
  filter: () => 'true',
});

const notNullPass = (merge: Merge): Pass => ({
  ...plainPass(merge),
  filter: (alias) => merge.nullableKey.map((name) => isPresent(`${alias}.${ident(name)}`)).join(' AND '),
});

const nullPass = ({ mergeKey, nullableKey, metadataColumns }: Merge): Pass => ({
  isIndexed: isFoundByIndex(nullableKey.length),
  match: [
    ...pipelineConditions(metadataColumns, 't.'),
    nullSafeMatch(
      mergeKey.map((name) => ({
        left: `t.${ident(name)}`,
        right: `s.${ident(name)}`,
        isNullable: nullableKey.includes(name),
      })),
      'with NULL',
    ),
  ].join(' AND '),
  filter: (alias) => `(${nullableKey.map((name) => isNull(`${alias}.${ident(name)}`)).join(' OR ')})`,
});

const removeStatement = (merge: Merge, { match, filter }: Pass): string => {
  const { destination, staging, metadataColumns } = merge;
  const isGone = [
    filter('t'),
    ...pipelineConditions(metadataColumns, 't.'),
    `NOT EXISTS (SELECT FROM ${qualified(staging)} s WHERE ${match})`,
  ].join(' AND ');
  const mark = markIn(metadataColumns);
  return mark?.marked !== undefined
    ? /* sql */ `UPDATE ONLY ${qualified(destination)} t SET ${assigned(metadataColumns, 'marked').join(', ')} WHERE ${isGone} AND t.${ident(mark.name)} IS NULL`
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

const assignments = (merge: Merge): string => {
  const { columns, metadataColumns, fixed, versions } = merge;
  const set = [
    ...columns
      .filter((name) => !fixed.includes(name))
      .map((name) => `${ident(name)} = ${changedTo(merge, name)}`),
    ...assigned(metadataColumns, 'changed'),
    ...(versions ? [`${ident(ROW_VERSION)} = ${changedVersion(versions, keptIf(merge))}`] : []),
  ];
  // A table may have no other columns. Then no row is found different, and none is updated.
  return set.length > 0 ? set.join(', ') : fixed.map((name) => `${ident(name)} = DEFAULT`).join(', ');
};

/** The value of a column in a row that exists. */
const changedTo = (merge: Merge, name: string): string =>
  merge.versions ? valueAfter(merge.versions, name, keptIf(merge)) : `s.${ident(name)}`;

/** The condition for rows of the destination that win. Their merged columns still get the values of both rows. */
const keptIf = (merge: Merge): string | undefined => (merge.yieldsToNewer ? isNewer(merge) : undefined);

const insertedNames = ({ columns, metadataColumns, versions }: Merge): string =>
  identList([
    ...columns,
    ...(versions ? [ROW_VERSION] : []),
    ...metadataColumns.filter(({ inserted }) => inserted !== undefined).map(({ name }) => name),
  ]);

const insertedValues = ({ columns, metadataColumns, versions }: Merge): string =>
  [
    ...columns.map((name) => `s.${ident(name)}`),
    ...(versions ? [insertedVersion(versions)] : []),
    ...metadataColumns.flatMap(({ inserted }) => (inserted === undefined ? [] : [inserted])),
  ].join(', ');

/** The values of a row that is deleted and inserted again. */
const replacedValues = (merge: Merge): string =>
  merge.versions
    ? [
        ...merge.columns.map((name) => changedTo(merge, name)),
        changedVersion(merge.versions, keptIf(merge)),
        ...merge.metadataColumns.flatMap(({ inserted }) => (inserted === undefined ? [] : [inserted])),
      ].join(', ')
    : insertedValues(merge);

function differs(merge: Merge): string {
  const mark = markIn(merge.metadataColumns);
  const marked = mark ? [`t.${ident(mark.name)} IS NOT NULL`] : [];
  const { versions, yieldsToNewer } = merge;
  if (versions) return needsVersion(merge, versions, marked);
  const isOther = mark ? `(${[imagesDiffer(merge), ...marked].join(' OR ')})` : imagesDiffer(merge);
  return yieldsToNewer ? `${isOther} AND NOT ${isNewer(merge)}` : isOther;
}

/** Counts the rows of the staging table that the destination table does not have as they are, after a merge. */
export const countUntaken = (merge: Merge): string => {
  const counts = passesOf(merge).map(
    ({ match, filter }) => /* sql */ `SELECT pg_catalog.count(*) AS rows FROM ${qualified(merge.staging)} s
    WHERE ${filter('s')} AND NOT EXISTS (
      SELECT FROM ONLY ${qualified(merge.destination)} t WHERE ${filter('t')} AND ${match} AND NOT (${differs(merge)}))`,
  );
  return /* sql */ `SELECT pg_catalog.sum(c.rows)::float8 AS rows FROM (${counts.join(' UNION ALL ')}) c`;
};

/** A merged column never equals the source, so only a new version changes it. Only then a newer row is changed, too. */
function needsVersion(merge: Merge, versions: RowVersions, marked: readonly string[]): string {
  const columns = merge.columns.filter((name) => !versions.merged.some((column) => column.name === name));
  const isOther = [imagesDiffer({ columns, hasSameColumns: false }), ...marked];
  const isNew = isNewVersion(versions);
  const unlessNewer = merge.yieldsToNewer ? ` AND NOT ${isNewer(merge)}` : '';
  return versions.merged.length > 0
    ? `((${isOther.join(' OR ')})${unlessNewer} OR ${isNew})`
    : `(${[...isOther, isNew].join(' OR ')})${unlessNewer}`;
}

/** A destination row without a replication key is older than every row with one. */
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
 * Equal means equal bytes. IS DISTINCT FROM fails for json, xml and point, and treats 1.0 and 1.00 as equal. The
 * record image operator is correct for every type. If the columns of both sides differ, both rows are built by name.
 */
function imagesDiffer({ columns, hasSameColumns }: Pick<Merge, 'columns' | 'hasSameColumns'>): string {
  if (hasSameColumns) return `t.* ${DIFFERS} s.*`;
  const alias = freeAlias(columns);
  const row = (side: string) =>
    `(SELECT ${alias} FROM (SELECT ${columns.map((name) => `${side}.${ident(name)}`).join(', ')}) ${alias})`;
  return `${row('t')} ${DIFFERS} ${row('s')}`;
}

/** A bare alias would be read as a column of the same name. */
function freeAlias(columns: readonly string[]): string {
  let alias = 'image';
  while (columns.includes(alias)) alias += '_';
  return alias;
}

/** Keeps the newest row of each key. Ties are broken by the text of the row, so the result is always the same. */
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
