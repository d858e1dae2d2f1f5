/**
 * Merges single columns by expressions of the user, each version of a source row once. Every destination row records in
 * ROW_VERSION which version increp last brought, and how it left the row:
 *
 * - [1] a hash of the source row, NULL if the row was there before versions were recorded
 * - [2] a hash of the destination row as increp left it, '' if increp has not written it
 * - [3] the replication key of the source row, and [4] its column and type
 * - [5] the columns of the hashes
 */
import { ROW_VERSION } from '../schema/metadata-columns.ts';
import { hashOf } from './compare.ts';
import { ident, literal } from './identifiers.ts';
import { DIFFERS_FROM, EQUALS, GREATER, LESS } from './search-path.ts';

/** In the statements of a merge, `t` is the destination table and `s` the staging table. */
export interface RowVersions {
  readonly merged: readonly {
    readonly name: string;
    readonly expression: string;
    /** Of the column, without its modifier: an explicit cast to varchar(5) would cut a value silently. */
    readonly base: string;
    readonly type: string;
  }[];
  /** The copied columns, with their names at the source. */
  readonly columns: readonly { readonly name: string; readonly column: string }[];
  /** All columns of the destination table, for the row `destination`. */
  readonly destinationColumns: readonly string[];
  readonly key: { readonly name: string; readonly type: string };
  /** Identifies the names and types of the columns. */
  readonly shape: string;
  /** Whether all expressions give the same value again, so that a row with an unknown version can be merged. */
  readonly isRepeatable?: boolean;
  /** Whether [2] is needed. */
  readonly recordsWritten: boolean;
}

const record = `t.${ident(ROW_VERSION)}`;
const recorded = (place: number): string => `(${record})[${place}]`;

const rowHash = (values: readonly string[]): string => hashOf(`ROW(${values.join(', ')})::text`);

/** The hash of a row as it is. */
const hashOfRow = ({ columns }: Pick<RowVersions, 'columns'>, alias: 's' | 't'): string =>
  rowHash(columns.map(({ name }) => `${alias}.${ident(name)}`));

const keyTag = ({ key }: RowVersions): string => literal(`${key.name} ${key.type}`);

/** Whether the version of the source row was not brought before. An older version does not count as new. */
export function isNewVersion(versions: RowVersions): string {
  const key = ident(versions.key.name);
  const [theirs, ours] = [`t.${key}`, `s.${key}`];
  const last = `${recorded(3)}::${versions.key.type}`;
  const isLater = (before: string) =>
    `coalesce(${ours} ${GREATER} ${before}, ${before} IS NULL AND ${ours} IS NOT NULL)`;
  const isOther = `coalesce(${recorded(5)} ${EQUALS} ${literal(versions.shape)} AND ${recorded(1)} ${DIFFERS_FROM} ${hashOfRow(versions, 's')}, false)`;
  return `(${record} IS NULL OR CASE WHEN coalesce(${recorded(4)} ${EQUALS} ${keyTag(versions)}, false)
    THEN ${isLater(last)} OR (${isOther} AND NOT coalesce(${ours} ${LESS} ${last}, false)) ELSE ${versions.isRepeatable === true ? 'true' : isLater(theirs)} END)`;
}

/**
 * Whether others have changed the destination row: it differs from what increp last left there. If that is unknown, a row
 * counts as changed if its replication key is not that of the version that increp last brought, or is higher than that of
 * the source row. A change of shape makes the hash unknown, but not the key.
 */
export function isChangedByOthers(versions: RowVersions): string {
  const key = ident(versions.key.name);
  const isKnown = `coalesce(${recorded(5)} ${EQUALS} ${literal(versions.shape)} AND ${recorded(2)} IS NOT NULL, false)`;
  return `(${record} IS NULL OR CASE WHEN ${isKnown} THEN ${recorded(2)} ${DIFFERS_FROM} ${hashOfRow(versions, 't')}
    WHEN coalesce(${recorded(4)} ${EQUALS} ${keyTag(versions)}, false) AND t.${key} ${DIFFERS_FROM} ${recorded(3)}::${versions.key.type} THEN true
    ELSE coalesce(t.${key} ${GREATER} s.${key}, false) END)`;
}

/** The expression of a column, over rows with the names that the user knows. */
function mergedValue({ columns, destinationColumns }: RowVersions, expression: string): string {
  const source = columns.map(({ name, column }) => `s.${ident(name)} AS ${ident(column)}`).join(', ');
  const destination = destinationColumns.map((name) => `t.${ident(name)}`).join(', ');
  return `(SELECT (${expression}\n) FROM (SELECT ${source}) AS source, (SELECT ${destination}) AS destination)`;
}

/** The value of a column after the merge. `isKept`: a condition for rows whose other columns stay. */
export function valueAfter(versions: RowVersions, name: string, isKept: string | undefined): string {
  const merged = versions.merged.find((column) => column.name === name);
  const [theirs, ours] = [`t.${ident(name)}`, `s.${ident(name)}`];
  if (merged)
    return `CASE WHEN ${isNewVersion(versions)} THEN ${mergedValue(versions, merged.expression)}::${merged.base} ELSE ${theirs} END`;
  return isKept === undefined || versions.merged.length === 0
    ? ours
    : `CASE WHEN ${isKept} THEN ${theirs} ELSE ${ours} END`;
}

const versionArray = (elements: readonly string[]): string => `ARRAY[${elements.join(', ')}]::text[]`;

/** The record of a row that is inserted. */
export const insertedVersion = (versions: RowVersions): string =>
  versionArray([
    hashOfRow(versions, 's'),
    versions.recordsWritten ? hashOfRow(versions, 's') : 'NULL',
    `s.${ident(versions.key.name)}::text`,
    keyTag(versions),
    literal(versions.shape),
  ]);

/** The record of a row that is changed. An older version of the source row never takes the place of a later one. */
export function changedVersion(versions: RowVersions, isKept: string | undefined): string {
  const written = versions.recordsWritten ? writtenHash(versions, isKept) : 'NULL';
  return `CASE WHEN ${isNewVersion(versions)}
    THEN ${versionArray([hashOfRow(versions, 's'), written, `s.${ident(versions.key.name)}::text`, keyTag(versions), literal(versions.shape)])}
    ELSE ${versionArray([recorded(1), written, recorded(3), recorded(4), recorded(5)])} END`;
}

function writtenHash(versions: RowVersions, isKept: string | undefined): string {
  const values = versions.columns.map(({ name }) => {
    const merged = versions.merged.find((column) => column.name === name);
    const value = valueAfter(versions, name, isKept);
    return merged ? `(${value})::${merged.type}` : value;
  });
  const hash = rowHash(values);
  const before = `CASE WHEN ${record} IS NULL THEN '' ELSE ${recorded(2)} END`;
  return isKept === undefined ? hash : `CASE WHEN ${isKept} THEN ${before} ELSE ${hash} END`;
}
