/**
 * Destination tables with rows that this source cannot give again: older versions, rows of other pipelines, rows that
 * exist only at the destination. increp never replaces such a table, and only extends it in place. Pure.
 */
import type { TableSettings } from '../../config/settings.ts';
import type { ReloadHindrance } from '../../reasons.ts';
import { carriedType } from '../../schema/columns.ts';
import { keepsDeleted } from '../../schema/deleted-rows.ts';
import type { KnownDifference } from '../../schema/known-differences.ts';
import { METADATA_COLUMN_TYPES } from '../../schema/metadata-columns.ts';
import { uniqueIndexOn, type Relation, type UniqueKey } from '../../schema/relations.ts';
import { copyKey, isAppend, isShared, rowKey } from '../../schema/row-identity.ts';
import { PLAINLY, type StateRecord } from '../../schema/state-record.ts';
import type { Alteration } from '../../sql/reshape.ts';
import type { TableFacts } from '../facts/facts.ts';
import { formerColumns } from '../facts/saved-state.ts';
import { columnsToDrop } from './alteration.ts';
import { renamesOfKept, withRenames } from './renames-in-place.ts';

/** Undefined if the destination table holds only rows of the source. */
export function reloadHindrance(settings: TableSettings): ReloadHindrance | undefined {
  if (isAppend(settings)) return { code: 'holds-versions' };
  if (isShared(settings)) return { code: 'holds-rows-of-pipelines' };
  if (settings.onConflict === 'last_update_wins') return { code: 'holds-own-rows' };
  if (settings.merge.length > 0) return { code: 'holds-merged-values' };
  return keepsDeleted(settings) ? { code: 'holds-deleted-rows' } : undefined;
}

/** The same, without rows that are gone from the source: these do not prevent other changes of the table in place. */
export function shapeHindrance(settings: TableSettings): ReloadHindrance | undefined {
  const hindrance = reloadHindrance(settings);
  return hindrance?.code === 'holds-deleted-rows' ? undefined : hindrance;
}

/** Whether the destination table may keep rows of this pipeline that the source does not have. */
export const keepsRest = (settings: TableSettings): boolean =>
  isAppend(settings) ||
  settings.onConflict === 'last_update_wins' ||
  settings.merge.length > 0 ||
  settings.deletes === 'keep';

/** Settings that keep rows which the source no longer has answer what a sync has said of them. */
export const standingIn = (
  settings: TableSettings,
  difference: KnownDifference | undefined,
): KnownDifference | undefined =>
  difference?.foundBy === 'lost-rows' && keepsRest(settings) ? undefined : difference;

/** The ALTER TABLE that lets the table take the rows of the source. No row is removed. */
export function extensionFor(facts: TableFacts, source: Relation): Alteration {
  const renamed = renamesOfKept(facts, source);
  const { destination, saved, settings, natives } = withRenames(facts, renamed);
  const columns = destination?.columns ?? [];
  const isThere = ({ name }: { name: string }) => columns.some((column) => column.name === name);
  const recorded = formerColumns(saved);
  const isReshaped = shapeHindrance(settings) === undefined;
  const dropped = isReshaped ? columnsToDrop(facts, source).map(({ name }) => name) : [];
  // New rows have no value for a column of another pipeline, or for a column that the source no longer has.
  const isOptional = (name: string) =>
    !(name in METADATA_COLUMN_TYPES) && (recorded.includes(name) || isShared(settings));
  const mayBeNull = ({ name }: { name: string }) => {
    const column = source.columns.find((candidate) => candidate.name === name);
    return column ? !column.isNotNull : isOptional(name);
  };
  return {
    renamed,
    added: source.columns.filter((column) => !isThere(column)),
    dropped,
    // For a table that only gets new columns, another type was refused before.
    retyped: isReshaped
      ? columns.flatMap(({ name, type }) => {
          const column = source.columns.find((candidate) => candidate.name === name);
          const to = column && carriedType(column, natives);
          return to === undefined || to === type ? [] : [{ name, from: type, to, isCast: true }];
        })
      : [],
    loosened: columns
      .filter((column) => column.isNotNull && mayBeNull(column) && !dropped.includes(column.name))
      .map(({ name }) => name),
    tightened: [],
  };
}

export const isExtended = ({ renamed = [], added, dropped, loosened, retyped = [] }: Alteration): boolean =>
  renamed.length + added.length + dropped.length + loosened.length + retyped.length > 0;

/** The columns that identified a row of the destination table at the last sync. */
export const formerKey = ({ mergeKey, replicationKey, writtenAs }: StateRecord): readonly string[] =>
  copyKey({ ...(writtenAs ?? PLAINLY), mergeKey, replicationKey });

const isSameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((name) => b.includes(name));

/**
 * Unique indexes that would reject rows of the destination table, because they lack a column of the rows' identity.
 * `ownIndexes`: increp made them for a former identity.
 */
export function blockingKeys({ destination, settings, saved }: TableFacts): {
  readonly ownIndexes: readonly UniqueKey[];
  readonly otherIndexes: readonly UniqueKey[];
} {
  const wanted = copyKey(settings);
  const besides = wanted.filter((name) => !settings.mergeKey.includes(name));
  const before = saved.kind === 'record' ? formerKey(saved.record) : settings.mergeKey;
  const isFormer = ({ columns }: UniqueKey) =>
    !isSameSet(columns, wanted) &&
    [before, settings.mergeKey, rowKey(settings)].some((key) => isSameSet(columns, key));
  const keys = reloadHindrance(settings) === undefined ? [] : (destination?.uniqueKeys ?? []);
  const ownIndexes = keys.filter(isFormer);
  return {
    ownIndexes,
    otherIndexes: keys.filter(
      (key) => !ownIndexes.includes(key) && !besides.every((name) => key.columns.includes(name)),
    ),
  };
}

/** Whether the table has the unique index that a merge needs, and no unique index of a former identity. */
export const isIndexed = (facts: TableFacts): boolean =>
  facts.destination !== undefined &&
  uniqueIndexOn(facts.destination, copyKey(facts.settings)) !== undefined &&
  blockingKeys(facts).ownIndexes.length === 0;
