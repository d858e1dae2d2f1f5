/**
 * Copies that hold more than one source can give again: versions that are gone there, rows of other pipelines, rows of
 * their own. Such a table is never exchanged for a new one, and only extended in place. Pure.
 */
import { IncrepError } from '../../errors.ts';
import type { ReloadHindrance } from '../../reasons.ts';
import { hindranceText } from '../../report/differences.ts';
import { carriedType } from '../../schema/columns.ts';
import { printName } from '../../schema/names.ts';
import { OWN_TYPES, SOURCE } from '../../schema/metadata-columns.ts';
import { uniqueIndexOn, type Relation, type UniqueKey } from '../../schema/relations.ts';
import { copyKey, isAppend, isShared, rowKey } from '../../schema/row-identity.ts';
import { PLAINLY, type StateRecord } from '../../schema/state-record.ts';
import { ident, qualified } from '../../sql/identifiers.ts';
import type { Alteration } from '../../sql/reshape.ts';
import type { TableFacts } from '../facts/facts.ts';

type Settings = TableFacts['settings'];

/** Undefined where the destination table holds nothing but rows of the source. */
export function reloadHindrance(settings: Settings): ReloadHindrance | undefined {
  if (isAppend(settings)) return { code: 'holds-versions' };
  if (isShared(settings)) return { code: 'holds-rows-of-pipelines' };
  return settings.onConflict === 'last_update_wins' ? { code: 'holds-own-rows' } : undefined;
}

/** Whether rows of ours that the source does not have may be there for good. */
export const keepsRest = (settings: Settings): boolean =>
  isAppend(settings) || settings.onConflict === 'last_update_wins';

/** What makes room for the rows of the source as it is now, without a look at any row. */
export function extensionFor({ destination, saved, settings }: TableFacts, source: Relation): Alteration {
  const columns = destination?.columns ?? [];
  const isThere = ({ name }: { name: string }) => columns.some((column) => column.name === name);
  const once = saved.kind === 'record' ? saved.record.shape.columns.map(({ name }) => name) : [];
  // What another pipeline brings along, or what the source had once: new rows have no value for it.
  const isOptional = (name: string) => !(name in OWN_TYPES) && (once.includes(name) || isShared(settings));
  const mayBeNull = ({ name }: { name: string }) => {
    const column = source.columns.find((candidate) => candidate.name === name);
    return column ? !column.isNotNull : isOptional(name);
  };
  return {
    added: source.columns.filter((column) => !isThere(column)),
    dropped: [],
    loosened: columns.filter((column) => column.isNotNull && mayBeNull(column)).map(({ name }) => name),
    tightened: [],
  };
}

export const isExtended = ({ added, loosened }: Alteration): boolean => added.length + loosened.length > 0;

/** The identity that the copy's rows had at the last sync. */
export const formerKey = ({ mergeKey, replicationKey, writtenAs }: StateRecord): readonly string[] =>
  copyKey({ ...(writtenAs ?? PLAINLY), mergeKey, replicationKey });

const isSameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((name) => b.includes(name));

/** Unique indexes that would keep rows of the copy out, which differ in nothing but what their identity has besides. */
export function blockingKeys({ destination, settings, saved }: TableFacts): {
  readonly ours: readonly UniqueKey[];
  readonly others: readonly UniqueKey[];
} {
  const wanted = copyKey(settings);
  const besides = wanted.filter((name) => !settings.mergeKey.includes(name));
  const before = saved.kind === 'record' ? formerKey(saved.record) : settings.mergeKey;
  const isFormer = ({ columns }: UniqueKey) =>
    !isSameSet(columns, wanted) &&
    [before, settings.mergeKey, rowKey(settings)].some((key) => isSameSet(columns, key));
  const keys = reloadHindrance(settings) === undefined ? [] : (destination?.uniqueKeys ?? []);
  const ours = keys.filter(isFormer);
  return {
    ours,
    others: keys.filter((key) => !ours.includes(key) && !besides.every((name) => key.columns.includes(name))),
  };
}

/** What cannot be done to a copy without losing what it holds. @returns the first reason */
export function lossRefusal(now: TableFacts, source: Relation): IncrepError | undefined {
  const { destination, saved, settings } = now;
  if (!destination) return undefined;
  const record = saved.kind === 'record' ? saved.record : undefined;
  const hindrance = reloadHindrance(settings);
  return (
    historyRefusal(now, destination, record) ??
    othersRefusal(now) ??
    ownTypeRefusal(now, destination) ??
    (hindrance &&
      (identityRefusal(now, record, hindrance) ??
        shapeRefusal(now, source, { destination, hindrance }) ??
        indexRefusal(now)))
  );
}

const again = ({ destinationName, settings }: TableFacts): string =>
  `To begin anew, drop ${printName(destinationName)} at the destination, or give "${settings.name}" another "dest_name".`;

/** A copy of the latest rows would remove all older versions. */
function historyRefusal(
  now: TableFacts,
  destination: Relation,
  record: StateRecord | undefined,
): IncrepError | undefined {
  const { settings } = now;
  if (isAppend(settings)) return undefined;
  const versions = { ...settings, mode: 'incremental-append' };
  const looksLikeHistory =
    rowKey(versions) !== settings.mergeKey &&
    uniqueIndexOn(destination, settings.mergeKey) === undefined &&
    [copyKey(versions), rowKey(versions)].some((key) => uniqueIndexOn(destination, key) !== undefined);
  const isHistory = record ? isAppend(record.writtenAs ?? PLAINLY) : looksLikeHistory;
  if (!isHistory) return undefined;
  return new IncrepError('SCHEMA_CHANGE_REFUSED', {
    what: `${printName(now.destinationName)} keeps every version of a row, and mode "${settings.mode}" would remove all but the latest`,
    next: `Set "mode" of "${settings.name}" back to "incremental-append". ${again(now)}`,
  });
}

/** Without the column that tells them apart, rows of other pipelines would be taken for rows that are gone. */
function othersRefusal(now: TableFacts): IncrepError | undefined {
  if (!now.hasOthersRows) return undefined;
  return new IncrepError('SCHEMA_CHANGE_REFUSED', {
    what: `${printName(now.destinationName)} holds rows of other pipelines, which only the column "${SOURCE}" tells apart`,
    next: `Put "${SOURCE}" back into "metadata_columns" of "${now.settings.name}". ${again(now)}`,
  });
}

function ownTypeRefusal({ settings, destinationName }: TableFacts, destination: Relation) {
  const taken = destination.columns.find(
    ({ name, type }) => settings.metadataColumns.some((own) => own === name) && OWN_TYPES[name] !== type,
  );
  return (
    taken &&
    new IncrepError('CONFIG_INVALID', {
      what: `${printName(destinationName)} at the destination has a column "${taken.name}" of type ${taken.type}, where increp would keep ${OWN_TYPES[taken.name]}`,
      next: `Rename that column, or remove "${taken.name}" from "metadata_columns" of "${settings.name}".`,
    })
  );
}

/** Old rows have been told apart by other columns. */
function identityRefusal(
  now: TableFacts,
  record: StateRecord | undefined,
  hindrance: ReloadHindrance,
): IncrepError | undefined {
  const { settings } = now;
  if (!record) return undefined;
  const isChanged = (was: readonly string[], is: readonly string[]) => was.join('\n') !== is.join('\n');
  const [what, was, is] = isChanged(record.mergeKey, settings.mergeKey)
    ? ['unique_cols', record.mergeKey.join(', '), settings.mergeKey.join(', ')]
    : ['replication_key', record.replicationKey, settings.replicationKey];
  const isIdentity = what === 'unique_cols' ? isAppend(settings) || isShared(settings) : isAppend(settings);
  if (was === is || !isIdentity) return undefined;
  return new IncrepError('SCHEMA_CHANGE_REFUSED', {
    what: `${what} changed from [${was}] to [${is}], and ${printName(now.destinationName)} cannot be loaded again by them: ${hindranceText(hindrance)}`,
    next: `Set ${what} back to [${was}]. ${again(now)}`,
  });
}

function shapeRefusal(
  now: TableFacts,
  source: Relation,
  { destination, hindrance }: { readonly destination: Relation; readonly hindrance: ReloadHindrance },
): IncrepError | undefined {
  const { destinationName, natives } = now;
  for (const column of source.columns) {
    const copy = destination.columns.find(({ name }) => name === column.name);
    const wanted = carriedType(column, natives);
    if (copy && copy.type !== wanted)
      return new IncrepError('SCHEMA_CHANGE_REFUSED', {
        what: `column "${column.name}" of ${printName(destinationName)} is ${copy.type} and must be ${wanted} now, and the table cannot be loaded again: ${hindranceText(hindrance)}`,
        next: `Change the column by hand, where its values allow it; at the destination: ALTER TABLE ${qualified(destinationName)} ALTER COLUMN ${ident(column.name)} TYPE ${wanted} USING ${ident(column.name)}::${wanted}. ${again(now)}`,
      });
  }
  return undefined;
}

function indexRefusal(now: TableFacts): IncrepError | undefined {
  const [index] = blockingKeys(now).others;
  if (!index) return undefined;
  const { destinationName, settings } = now;
  const what = isAppend(settings)
    ? 'a second version of a row'
    : 'a row of another pipeline with the same value';
  return new IncrepError('DEPENDENT_OBJECTS', {
    what: `the unique index ${index.index} on (${index.columns.join(', ')}) of ${printName(destinationName)} would not let ${what} in`,
    next: `Drop it, or make it one that is not unique; at the destination, for one: DROP INDEX ${qualified({ ...destinationName, table: index.index })}`,
  });
}

/** And nothing narrower keeps rows out. */
export const isIndexed = (facts: TableFacts): boolean =>
  facts.destination !== undefined &&
  uniqueIndexOn(facts.destination, copyKey(facts.settings)) !== undefined &&
  blockingKeys(facts).ours.length === 0;
