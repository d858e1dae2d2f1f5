/** What to do with a table, and why: the whole policy, pure. */
import type { Action } from '../events.ts';
import { IncrepError } from '../errors.ts';
import { destinationDrift, sourceDrift } from '../schema/drift.ts';
import { evolutionOf, type Evolution } from '../schema/evolution.ts';
import { keyTypeOf, type KeyType } from '../schema/keys.ts';
import { printName } from '../schema/names.ts';
import { takesMerge, type Relation } from '../schema/relations.ts';
import { shapeOf, type Shape } from '../schema/shape.ts';
import { isAppend } from '../schema/row-identity.ts';
import { shellWord } from '../shell-word.ts';
import { isKeyed, PLAINLY, type KeyedRecord, type StateRecord } from '../schema/state-record.ts';
import { probeFor, type Probe } from './probe.ts';
import { selectionDrift, selectsAlike, without } from '../schema/selection-drift.ts';
import { chooseChunks, type Chunks } from './chunks/chunk-choice.ts';
import { evolvingWords } from './evolve/words.ts';
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
}

/** What orders the changes of a table, and so leaves a cursor. */
interface Keyed {
  readonly replicationKey: string;
  readonly keyType: KeyType;
}

interface LoadBase extends Planned {
  readonly kind: 'load';
  readonly action: Extract<Action, 'initial' | 'reset' | 'full-refresh'>;
  readonly way: Way;
  readonly loader: LoaderChoice;
}

/** The beginning of incremental syncs. */
export interface KeyedLoadPlan extends LoadBase, Keyed {
  /** Undefined: in one go. */
  readonly chunks: Chunks | undefined;
  /** Why in one go although chunks were asked for. */
  readonly oneGoWhy: string | undefined;
}

/** Mode full-refresh: the snapshot alone says what the copy is, and nothing of it can come late. */
export interface RefreshPlan extends LoadBase {
  readonly chunks: undefined;
  readonly oneGoWhy: undefined;
  /** How to find out whether there is anything to do; undefined where it is loaded whatever comes of it. */
  readonly probe: Probe | undefined;
}

export type LoadPlan = KeyedLoadPlan | RefreshPlan;
/** One with a cursor, before or after. */
export type KeyedPlan = IncrementalPlan | KeyedLoadPlan;

export const isKeyedPlan = (plan: LoadPlan | IncrementalPlan): plan is KeyedPlan => 'keyType' in plan;

/** Continue from what an earlier sync, or the older script, has left. */
export interface IncrementalPlan extends Planned, Keyed {
  readonly kind: 'incremental';
  readonly action: 'incremental' | 'append';
  readonly since: KeyedRecord | { readonly legacyCursor: string };
  /** False after a hand has dropped the index that makes a merge cheap. */
  readonly hasMergeIndex: boolean;
  /** Whether this run looks for rows that are gone from the source. */
  readonly removesDeleted: boolean;
  /** What gives the copy the shape of its source first; undefined where it has that. */
  readonly evolution?: Evolution | undefined;
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
  /** Why the copy cannot be altered in place after all. */
  readonly notInPlace?: string;
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
  if (now.settings.mode === 'full-refresh') return refresh(now, now.source, now.destination, request);
  if (now.saved.kind === 'record' && !isKeyed(now.saved.record))
    return load(now, now.source, 'initial', 'no cursor is known, because its mode was full-refresh');
  const drift = [
    ...driftOf(now, now.source, now.destination),
    // To us no drift: the label is added, and no row has to be read again.
    ...(now.settings.onSchemaChange === 'fail' && now.saved.kind === 'record' ? typeDrift(now) : []),
  ];
  if (drift.length > 0) return onDrift(now, now.source, now.destination, { request, drift });
  if (wasEmptied(now)) return load(now, now.source, 'initial', EMPTIED);
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
  const selected = selectionDrift(record.selection, settings.selection, record.shape, shapeOf(source));
  const fromSource = selected.isOther
    ? []
    : sourceDrift(without(record.shape, selected.columns), without(shapeOf(source), selected.columns));
  return [
    // A table that is loaded each time follows its settings by itself.
    ...(settings.mode === 'full-refresh' ? [] : settingsDrift(record, settings)),
    ...selected.sentences,
    ...fromSource,
    ...(fromSource.length + selected.sentences.length === 0 ? fromDestination : []),
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

/** Every time, because nothing tells which rows have changed. */
function refresh(now: TableFacts, source: Relation, destination: Relation, request: Request): Plan {
  const drift = driftOf(now, source, destination);
  if (drift.length > 0) return onDrift(now, source, destination, { request, drift });
  if (wasEmptied(now)) return load(now, source, 'initial', EMPTIED);
  const plan = load(now, source, 'full-refresh', 'loaded again each time: mode is full-refresh');
  const probe = isKeyedPlan(plan) || plan.typeChanges.length > 0 ? undefined : probeFor(now, source);
  return probe ? { ...plan, reason: `${plan.reason}, unless ${PROBED[probe.kind]}`, probe } : plan;
}

const PROBED = {
  numbers: 'one pass over the source shows that nobody has written there (skip_unchanged)',
  digest: 'hashing each row at the source shows that none has changed (skip_unchanged)',
} as const satisfies Record<Probe['kind'], string>;

interface Drifted {
  readonly request: Request;
  readonly drift: readonly string[];
}

function onDrift(now: TableFacts, source: Relation, destination: Relation, drifted: Drifted): Plan {
  const reason = drifted.drift.join('; ');
  if (now.settings.onSchemaChange === 'reset') return load(now, source, 'reset', reason);
  if (now.settings.onSchemaChange === 'evolve') return evolve(now, source, destination, drifted);
  return refuse(
    new IncrepError('DRIFT_REFUSED', {
      what: `${printName(now.sourceName)} and its copy differ: ${reason}`,
      next: `To load the table again in its new shape, run "increp reset ${shellWord(now.settings.name)}" and "increp sync ${shellWord(now.settings.name)}": on_schema_change is "fail".`,
    }),
  );
}

/** In place where nothing is lost by it; any other change is a reset, with the reason why. */
function evolve(now: TableFacts, source: Relation, destination: Relation, { request, drift }: Drifted): Plan {
  const { saved, settings, natives } = now;
  const reset = (...why: readonly string[]) =>
    load(
      now,
      source,
      'reset',
      `${drift.join('; ')}${why.length > 0 ? `; not in place: ${why.join('; ')}` : ''}`,
    );
  if (request.notInPlace !== undefined) return reset(request.notInPlace);
  const kept = keptBecause(settings);
  if (kept !== undefined) return reset(kept);
  // Another key is another way to copy, other rows are another copy, and what is empty or loaded anyway is filled as fast as it is altered.
  if (
    settings.mode === 'full-refresh' ||
    saved.kind !== 'record' ||
    !isKeyed(saved.record) ||
    settingsDrift(saved.record, settings).length > 0 ||
    !selectsAlike(saved.record.selection, settings.selection) ||
    wasEmptied(now)
  )
    return reset();
  const evolution = evolutionOf({
    recorded: saved.record.shape,
    current: shapeOf(source),
    copy: destination.columns,
    natives,
    mergeKey: settings.mergeKey,
    replicationKey: saved.record.replicationKey,
    keepsMarked: settings.deletes === 'soft',
  });
  if ('obstacles' in evolution) return reset(...evolution.obstacles);
  return incremental(now, source, request, { evolution, drift });
}

/** TRUNCATE by hand asks for the table again, as DROP does. A table that never had a row is simply empty. */
const wasEmptied = ({ saved, destinationHasRows }: TableFacts): boolean =>
  saved.kind === 'record' && hadRows(saved.record) && !destinationHasRows;

const hadRows = ({ cursor, contents }: StateRecord): boolean =>
  contents ? contents.rows !== '0' : cursor !== null;

const EMPTIED = 'the destination table has been emptied';

const refuse = (error: IncrepError): Plan => ({
  kind: 'refuse',
  action: 'skipped',
  reason: error.message,
  error,
});

const plannedFrom = (source: Relation, { natives }: TableFacts, reason: string): Planned => {
  const typeChanges = describeChanges(natives);
  return {
    reason: [reason, ...typeChanges].join('; '),
    typeChanges,
    source,
    shape: shapeOf(source),
  };
};

function keyOf(source: Relation, { settings: { replicationKey } }: TableFacts): Keyed {
  const key = source.columns.find(({ name }) => name === replicationKey);
  const keyType = key && keyTypeOf(key);
  if (!keyType) throw new Error('refusals let a table without a replication key pass');
  return { replicationKey: key.name, keyType };
}

function load(now: TableFacts, source: Relation, action: LoadPlan['action'], reason: string): LoadPlan {
  const loader = chooseLoader({
    wanted: now.settings.initialLoad,
    source,
    selection: now.settings.selection,
    server: now.servers.source,
    tools: now.tools,
    password: now.sourcePassword,
  });
  const base = { kind: 'load', action, way: wayFor(now, source), loader } as const;
  if (now.settings.mode === 'full-refresh')
    return {
      ...base,
      chunks: undefined,
      oneGoWhy: undefined,
      probe: undefined,
      ...plannedFrom(source, now, reason),
    };
  const { chunks, why: oneGoWhy, words } = chooseChunks(now, source);
  return {
    ...base,
    chunks,
    oneGoWhy,
    ...plannedFrom(source, now, [reason, ...words].join('; ')),
    ...keyOf(source, now),
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
  const formerKey = saved.kind === 'record' ? saved.record.mergeKey : [];
  return fits && !hasLeftOver && takesMerge(destination, settings.mergeKey, formerKey)
    ? 'merge-whole'
    : 'swap';
}

function incremental(
  now: TableFacts,
  source: Relation,
  request: Request,
  evolving?: { readonly evolution: Evolution; readonly drift: readonly string[] },
): Plan {
  const since =
    now.saved.kind === 'record' && isKeyed(now.saved.record)
      ? now.saved.record
      : now.saved.kind === 'legacy'
        ? { legacyCursor: now.saved.cursor }
        : undefined;
  if (!since) throw new Error('planned an incremental sync without a cursor');
  const reason = evolving
    ? evolvingWords(evolving.evolution, evolving.drift)
    : ['the copy and its cursor are known', ...columnChanges(now)].join('; ');
  const planned = { ...plannedFrom(source, now, reason), ...keyOf(source, now) };
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
    ...(evolving && { evolution: evolving.evolution }),
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
