/** What a merge needs to know to merge each version of a source row once. */
import { carriedType, withoutModifier } from '../../schema/columns.ts';
import { keyTypeOf } from '../../schema/keys.ts';
import { isRowVersion } from '../../schema/metadata-columns.ts';
import { converges, tracksVersions } from '../../schema/merged-columns.ts';
import type { Relation } from '../../schema/relations.ts';
import { sourceColumn } from '../../schema/selection.ts';
import { digestOf } from '../../schema/shape.ts';
import type { Merge } from '../../sql/merge.ts';
import type { RowVersions } from '../../sql/row-versions.ts';
import type { CopyFacts } from '../facts/facts.ts';

/**
 * A merge of the columns that both tables have with one type, for the conflicts of a table that will be replaced. Undefined
 * if the rows cannot be compared.
 */
export function commonMerge(
  merge: Merge,
  { destination, natives }: CopyFacts,
  source: Relation,
): Merge | undefined {
  const { versions, mergeKey, replicationKey = '' } = merge;
  const isCommon = (name: string) => {
    const [now, old] = [source, destination].map((side) =>
      side?.columns.find((column) => column.name === name),
    );
    return now !== undefined && carriedType(now, natives) === old?.type;
  };
  const isTracked = destination?.columns.some(isRowVersion) === true;
  if (!versions || !isTracked || ![...mergeKey, replicationKey].every(isCommon)) return undefined;
  return {
    ...merge,
    columns: merge.columns.filter(isCommon),
    hasSameColumns: false,
    versions: { ...versions, columns: versions.columns.filter(({ name }) => isCommon(name)) },
  };
}

const SQL_TYPES = {
  timestamptz: 'timestamptz',
  timestamp: 'timestamp',
  date: 'date',
  integer: 'bigint',
} as const;

/** Undefined if the settings need no versions. */
export function rowVersionsOf(
  { settings, destination, natives }: Pick<CopyFacts, 'settings' | 'destination' | 'natives'>,
  source: Relation,
): RowVersions | undefined {
  if (!tracksVersions(settings)) return undefined;
  const key = source.columns.find(({ name }) => name === settings.replicationKey);
  const keyType = key && keyTypeOf(key);
  if (!keyType) throw new Error('versions of rows need a replication key');
  const names = source.columns.map(({ name }) => name);
  const types = source.columns.map((column) => carriedType(column, natives));
  return {
    merged: settings.merge.flatMap(({ name, expression }) => {
      const type = types[names.indexOf(name)];
      return type === undefined ? [] : [{ name, expression, type, base: withoutModifier(type) }];
    }),
    columns: names.map((name) => ({ name, column: sourceColumn(settings.selection, name) })),
    destinationColumns: [...new Set([...(destination?.columns ?? []).map(({ name }) => name), ...names])],
    key: { name: key.name, type: SQL_TYPES[keyType] },
    shape: digestOf(names.map((name, place) => [name, types[place]])),
    isRepeatable: settings.merge.length > 0 && settings.merge.every(converges),
    recordsWritten: settings.conflictLog,
  };
}
