/** What to do with a table, and why: the whole policy, pure. */
import type { Action } from '../events.ts';
import { IncrepError } from '../errors.ts';
import { destinationDrift, sourceDrift } from '../schema/drift.ts';
import { keyTypeOf, type KeyType } from '../schema/keys.ts';
import { printName } from '../schema/names.ts';
import { uniqueIndexOn, type Relation } from '../schema/relations.ts';
import { shapeOf, type Shape } from '../schema/shape.ts';
import { isAppend } from '../schema/row-identity.ts';
import { shellWord } from '../shell-word.ts';
import { PLAINLY, type StateRecord } from '../schema/state-record.ts';
import { chooseChunks, type Chunks } from './chunks/chunk-choice.ts';
import type { TableFacts } from './facts.ts';
import { isIndexed } from './key-index.ts';
import { extensionFor, isExtended, keptBecause, lossRefusal } from './kept-copy.ts';
import { chooseLoader, type LoaderChoice } from './loader-choice.ts';
import { refusalOf } from './refusals.ts';
import { describeChanges } from './type-changes.ts';
import { typeDrift } from './type-refusals.ts';

/** How a loaded staging table becomes the table. */
export type Way =
  /** There is no table yet: the staging table takes its name. */
  | 'create'
  /** The table stays, with everything that people have built on it; differing rows are changed in place. */
  | 'merge-whole'
  /** The columns change: the staging table takes the place of the table. */
  | 'swap'
  /** The table holds what cannot be loaded again: it gets columns and an index in place, and rows are only added. */
  | 'extend';

interface Planned {
  readonly reason: string;
  /** What happens to types of the destination beforehand; part of the reason. */
  readonly typeChanges: readonly string[];
  readonly source: Relation;
  readonly shape: Shape;
  readonly keyType: KeyType;
}

export interface LoadPlan extends Planned {
  readonly kind: 'load';
  readonly action: Extract<Action, 'initial' | 'reset' | 'full-refresh'>;
  readonly way: Way;
  readonly loader: LoaderChoice;
  /** Undefined: in one go. */
  readonly chunks: Chunks | undefined;
  /** Why in one go although chunks were asked for. */
  readonly oneGoWhy: string | undefined;
}

/** Continue from what an earlier sync, or the older script, has left. */
export interface IncrementalPlan extends Planned {
  readonly kind: 'incremental';
  readonly action: 'incremental' | 'append';
  readonly since: StateRecord | { readonly legacyCursor: string };
  /** False after a hand has dropped the index that makes a merge cheap. */
  readonly hasMergeIndex: boolean;
  /** Whether this run looks for rows that are gone from the source. */
  readonly removesDeleted: boolean;
}

export type Plan =
  | LoadPlan
  | IncrementalPlan
  | { readonly kind: 'skip'; readonly action: 'skipped'; readonly reason: string }
  | {
      readonly kind: 'refuse';
      readonly action: 'skipped';
      readonly reason: string;
      readonly error: IncrepError;
    };

/** What an ordinary sync would be asked for. */
export const ordinaryRequest = (): Request => ({
  isFullRefresh: false,
  areDeletesForced: false,
  now: new Date(),
});

export interface Request {
  readonly isFullRefresh: boolean;
  /** Look for deleted rows now, whenever that was done last. */
  readonly areDeletesForced: boolean;
  readonly now: Date;
}

export function planTable(now: TableFacts, request: Request): Plan {
  if (!now.settings.isEnabled)
    return { kind: 'skip', action: 'skipped', reason: 'it is disabled in tables-config.json' };
  const refusal = refusalOf(now);
  if (refusal || !now.source)
    return refuse(refusal ?? new IncrepError('INTERNAL', { what: 'no source', next: '' }));
  if (!now.destination) return load(now, now.source, 'initial', 'there is no copy yet');
  const loss = lossRefusal(now, now.source);
  if (loss) return refuse(loss);
  if (request.isFullRefresh) return load(now, now.source, 'full-refresh', 'a full refresh was asked for');
  if (now.saved.kind === 'none') return load(now, now.source, 'initial', now.saved.why);
  const drift = [
    ...driftOf(now, now.source, now.destination),
    // To us no drift: the label is added, and no row has to be read again.
    ...(now.settings.onSchemaChange === 'fail' && now.saved.kind === 'record' ? typeDrift(now) : []),
  ];
  if (drift.length > 0) return onDrift(now, now.source, drift.join('; '));
  if (wasEmptied(now)) return load(now, now.source, 'initial', 'the destination table has been emptied');
  return incremental(now, now.source, request);
}

/** Every difference that makes the copy something else than a copy, one sentence each. */
function driftOf(
  { settings, saved, natives }: TableFacts,
  source: Relation,
  destination: Relation,
): string[] {
  const fromDestination = destinationDrift(source.columns, destination.columns, natives);
  if (saved.kind !== 'record') return fromDestination;
  const { record } = saved;
  const fromSource = sourceDrift(record.shape, shapeOf(source));
  return [
    ...settingsDrift(record, settings),
    ...fromSource,
    ...(fromSource.length === 0 ? fromDestination : []),
  ];
}

function settingsDrift(
  record: StateRecord,
  { mode, replicationKey, mergeKey }: TableFacts['settings'],
): string[] {
  const { mode: formerMode } = record.writtenAs ?? PLAINLY;
  const [was, is] = [record.mergeKey.join(', '), mergeKey.join(', ')];
  return [
    ...(record.replicationKey === replicationKey
      ? []
      : [`replication_key changed from "${record.replicationKey}" to "${replicationKey}"`]),
    ...(formerMode === mode
      ? []
      : [`mode changed from "${formerMode}" to "${mode}": the rows that are there are kept as versions`]),
    ...(was === is ? [] : [`unique_cols changed from [${was}] to [${is}]`]),
  ];
}

function onDrift(now: TableFacts, source: Relation, reason: string): Plan {
  if (now.settings.onSchemaChange === 'reset') return load(now, source, 'reset', reason);
  return refuse(
    new IncrepError('DRIFT_REFUSED', {
      what: `${printName(now.sourceName)} and its copy differ: ${reason}`,
      next: `To load the table again in its new shape, run "increp reset ${shellWord(now.settings.name)}" and "increp sync ${shellWord(now.settings.name)}": on_schema_change is "fail".`,
    }),
  );
}

/** TRUNCATE by hand asks for the table again, as DROP does. A table that never had a row is simply empty. */
const wasEmptied = ({ saved, destinationHasRows }: TableFacts): boolean =>
  saved.kind === 'record' && saved.record.cursor !== null && !destinationHasRows;

const refuse = (error: IncrepError): Plan => ({
  kind: 'refuse',
  action: 'skipped',
  reason: error.message,
  error,
});

const plannedFrom = (source: Relation, { settings, natives }: TableFacts, reason: string): Planned => {
  const key = source.columns.find(({ name }) => name === settings.replicationKey);
  const keyType = key && keyTypeOf(key);
  if (!keyType) throw new Error('refusals let a table without a replication key pass');
  const typeChanges = describeChanges(natives);
  return {
    reason: [reason, ...typeChanges].join('; '),
    typeChanges,
    source,
    shape: shapeOf(source),
    keyType,
  };
};

function load(now: TableFacts, source: Relation, action: LoadPlan['action'], reason: string): LoadPlan {
  const loader = chooseLoader({
    wanted: now.settings.initialLoad,
    source,
    server: now.servers.source,
    tools: now.tools,
    password: now.sourcePassword,
  });
  const { chunks, why: oneGoWhy, words } = chooseChunks(now, source);
  return {
    kind: 'load',
    action,
    way: wayFor(now, source),
    loader,
    chunks,
    oneGoWhy,
    ...plannedFrom(source, now, [reason, ...words].join('; ')),
  };
}

/** The table itself is kept whenever it can take the rows as it is. */
function wayFor(now: TableFacts, source: Relation): Way {
  const { destination, saved, settings, natives } = now;
  if (!destination) return 'create';
  if (keptBecause(settings) !== undefined)
    return isIndexed(now) && !isExtended(extensionFor(now, source)) ? 'merge-whole' : 'extend';
  const isGone = ({ name }: { name: string }) => !source.columns.some((column) => column.name === name);
  const hasLeftOver = saved.kind === 'record' && saved.record.shape.columns.some(isGone);
  const fits =
    destinationDrift(source.columns, destination.columns, natives).length === 0 && !destination.isUnlogged;
  return fits && !hasLeftOver && uniqueIndexOn(destination, settings.mergeKey) ? 'merge-whole' : 'swap';
}

function incremental(now: TableFacts, source: Relation, request: Request): Plan {
  const since =
    now.saved.kind === 'record'
      ? now.saved.record
      : now.saved.kind === 'legacy'
        ? { legacyCursor: now.saved.cursor }
        : undefined;
  if (!since) throw new Error('planned an incremental sync without a cursor');
  const known = ['the copy and its cursor are known', ...columnChanges(now)].join('; ');
  const planned = plannedFrom(source, now, known);
  if ('legacyCursor' in since && planned.keyType !== 'timestamp' && planned.keyType !== 'timestamptz') {
    return load(
      now,
      source,
      'initial',
      `the older state file holds a time, and the replication key is ${planned.keyType}`,
    );
  }
  return {
    kind: 'incremental',
    action: isAppend(now.settings) ? 'append' : 'incremental',
    since,
    removesDeleted: areDeletesDue(now, request),
    hasMergeIndex: isIndexed(now),
    ...planned,
  };
}

/** What happens to columns of ours beforehand. */
function columnChanges({ destination, settings, saved }: TableFacts): string[] {
  const isThere = (wanted: string) => destination?.columns.some(({ name }) => name === wanted) === true;
  const before = saved.kind === 'record' ? (saved.record.writtenAs ?? PLAINLY).metadataColumns : [];
  return [
    ...settings.metadataColumns
      .filter((name) => !isThere(name))
      .map((name) => `column "${name}" is added to the copy`),
    ...before
      .filter((name) => !settings.metadataColumns.includes(name) && isThere(name))
      .map((name) => `column "${name}" of the copy is filled no more, and stays`),
  ];
}

function areDeletesDue({ settings, saved }: TableFacts, { areDeletesForced, now }: Request): boolean {
  if (settings.deletes === 'ignore') return false;
  const last = saved.kind === 'record' ? saved.record.deletesCheckedAt : null;
  if (areDeletesForced || last === null) return true;
  const ageSeconds = (now.getTime() - Date.parse(last)) / 1000;
  // A clock that was set back must not put it off for ever.
  return ageSeconds >= settings.deletesEverySeconds || ageSeconds < 0;
}
