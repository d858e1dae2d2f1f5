/** What to do with a table, and why: the whole policy, pure. */
import type { Action } from '../events.ts';
import { IncrepError } from '../errors.ts';
import { destinationDrift, sourceDrift } from '../schema/drift.ts';
import { keyTypeOf, type KeyType } from '../schema/keys.ts';
import { printName } from '../schema/names.ts';
import { uniqueIndexOn, type Relation } from '../schema/relations.ts';
import { shapeOf, type Shape } from '../schema/shape.ts';
import { shellWord } from '../shell-word.ts';
import { selectionDrift, without } from '../schema/selection-drift.ts';
import type { StateRecord } from '../schema/state-record.ts';
import { chooseChunks, type Chunks } from './chunks/chunk-choice.ts';
import type { TableFacts } from './facts.ts';
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
  | 'swap';

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
  readonly action: 'incremental';
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
  if (request.isFullRefresh) return load(now, now.source, 'full-refresh', 'a full refresh was asked for');
  if (now.saved.kind === 'none') return load(now, now.source, 'initial', now.saved.why);
  const drift = [
    ...driftOf(now, now.source, now.destination),
    // To us no drift: the label is added, and no row has to be read again.
    ...(now.settings.onSchemaChange === 'fail' && now.saved.kind === 'record' ? typeDrift(now) : []),
  ];
  if (drift.length > 0) return onDrift(now, now.source, drift.join('; '));
  if (wasEmptied(now)) return load(now, now.source, 'initial', 'the destination table has been emptied');
  return incremental(now, now.source, now.destination, request);
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
  const selected = selectionDrift(record.selection, settings.selection, record.shape, shapeOf(source));
  const fromSource = selected.isOther
    ? []
    : sourceDrift(without(record.shape, selected.columns), without(shapeOf(source), selected.columns));
  return [
    ...settingsDrift(record, settings),
    ...selected.sentences,
    ...fromSource,
    ...(fromSource.length + selected.sentences.length === 0 ? fromDestination : []),
  ];
}

function settingsDrift(record: StateRecord, { replicationKey, mergeKey }: TableFacts['settings']): string[] {
  const [was, is] = [record.mergeKey.join(', '), mergeKey.join(', ')];
  return [
    ...(record.replicationKey === replicationKey
      ? []
      : [`replication_key changed from "${record.replicationKey}" to "${replicationKey}"`]),
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
    selection: now.settings.selection,
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
function wayFor({ destination, saved, settings, natives }: TableFacts, source: Relation): Way {
  if (!destination) return 'create';
  const isGone = ({ name }: { name: string }) => !source.columns.some((column) => column.name === name);
  const hasLeftOver = saved.kind === 'record' && saved.record.shape.columns.some(isGone);
  const fits =
    destinationDrift(source.columns, destination.columns, natives).length === 0 && !destination.isUnlogged;
  return fits && !hasLeftOver && uniqueIndexOn(destination, settings.mergeKey) ? 'merge-whole' : 'swap';
}

function incremental(now: TableFacts, source: Relation, destination: Relation, request: Request): Plan {
  const since =
    now.saved.kind === 'record'
      ? now.saved.record
      : now.saved.kind === 'legacy'
        ? { legacyCursor: now.saved.cursor }
        : undefined;
  if (!since) throw new Error('planned an incremental sync without a cursor');
  const planned = plannedFrom(source, now, 'the copy and its cursor are known');
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
    action: 'incremental',
    since,
    removesDeleted: areDeletesDue(now, request),
    hasMergeIndex: uniqueIndexOn(destination, now.settings.mergeKey) !== undefined,
    ...planned,
  };
}

function areDeletesDue({ settings, saved }: TableFacts, { areDeletesForced, now }: Request): boolean {
  if (settings.deletes === 'ignore') return false;
  const last = saved.kind === 'record' ? saved.record.deletesCheckedAt : null;
  if (areDeletesForced || last === null) return true;
  const ageSeconds = (now.getTime() - Date.parse(last)) / 1000;
  // A clock that was set back must not put it off for ever.
  return ageSeconds >= settings.deletesEverySeconds || ageSeconds < 0;
}
