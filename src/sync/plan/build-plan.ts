/** A load, or a sync of what has changed, in all that it takes: pure. */
import { CURSOR_KNOWN } from '../../events.ts';
import { destinationDrift } from '../../schema/drift.ts';
import type { Evolution } from '../../schema/evolution.ts';
import { keyTypeOf } from '../../schema/keys.ts';
import { takesMerge, type Relation } from '../../schema/relations.ts';
import { rewrittenSince } from '../../schema/rewritten.ts';
import { isAppend } from '../../schema/row-identity.ts';
import { shapeOf } from '../../schema/shape.ts';
import { isKeyed, PLAINLY } from '../../schema/state-record.ts';
import { chooseChunks } from './chunk-choice.ts';
import { evolvingWords } from './describe-evolution.ts';
import type { TableFacts } from '../facts/facts.ts';
import { extensionFor, isExtended, reloadHindrance, isIndexed } from './reload-guard.ts';
import { chooseLoader } from './loader-choice.ts';
import { notAdoptable } from '../facts/unclaimed.ts';
import type { Keyed, LoadPlan, Plan, Planned, Request, Way } from './plan.ts';
import { describeChanges } from './type-changes.ts';

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

export function load(
  now: TableFacts,
  source: Relation,
  action: LoadPlan['action'],
  reason: string,
): LoadPlan {
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

/** Of a table that was not made by us. Where nothing identifies a row, there is nothing to compare by, and all rows are read. */
export function adopt(now: TableFacts, source: Relation): Plan {
  const { destination, settings, natives } = now;
  const isKept = reloadHindrance(settings) !== undefined;
  const unfit =
    destination && !isKept
      ? [
          ...(destination.isUnlogged ? ['it is unlogged'] : []),
          ...destinationDrift(source.columns, destination.columns, natives),
        ]
      : [];
  if (unfit.length > 0) {
    const error = notAdoptable(now, unfit);
    return { kind: 'refuse', action: 'skipped', reason: error.message, error, others: [] };
  }
  const plan = load(
    now,
    source,
    'initial',
    'the destination table is adopted: compared with the source by key',
  );
  const whole = { ...plan, chunks: undefined, oneGoWhy: undefined };
  if (settings.mergeKey.length === 0) return whole;
  return {
    ...whole,
    way: isKept ? plan.way : 'merge-whole',
    loader: { loader: 'copy', why: undefined, isAgainstWish: false, isForSize: false },
    adopts: true,
  };
}

/** The table itself is kept whenever it can take the rows as it is. */
function wayFor(now: TableFacts, source: Relation): Way {
  const { destination, saved, settings, natives } = now;
  if (!destination) return 'create';
  if (reloadHindrance(settings) !== undefined)
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

export function incremental(
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
  const rewritten = now.saved.kind === 'record' ? rewrittenSince(now.saved.record, source) : undefined;
  const comparing = rewritten ? [`${rewritten.reason}, so its rows are compared`] : [];
  const reason = evolving
    ? [evolvingWords(evolving.evolution, evolving.drift), ...comparing].join('; ')
    : [CURSOR_KNOWN, ...columnChanges(now), ...comparing].join('; ');
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
    removesFirst: request.removesFirst === true && now.settings.deletes !== 'ignore',
    hasMergeIndex: isIndexed(now),
    rewritten,
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
