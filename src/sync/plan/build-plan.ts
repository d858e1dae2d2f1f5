/** Builds the plan of a load and of an incremental sync. Pure. */
import type { Difference, Reason, Rewritten } from '../../reasons.ts';
import { differencesText } from '../../report/shape-texts.ts';
import { destinationDrift } from '../../schema/drift.ts';
import { altersTable, type Evolution } from '../../schema/evolution.ts';
import type { NativeCarriers } from '../../schema/columns.ts';
import { DELETED_AT } from '../../schema/metadata-columns.ts';
import { keyTypeOf } from '../../schema/keys.ts';
import { printName } from '../../schema/names.ts';
import { takesMerge, type Relation } from '../../schema/relations.ts';
import { rewrittenSince } from '../../schema/table-rewrites.ts';
import { isAppend } from '../../schema/row-identity.ts';
import { shapeOf } from '../../schema/shape.ts';
import { isKeyed } from '../../schema/state-record.ts';
import type { TableFacts } from '../facts/facts.ts';
import { logPosition } from '../facts/deletion-log.ts';
import { holdsFormerMarks } from '../facts/marks.ts';
import { formerColumns, formerWriting } from '../facts/saved-state.ts';
import {
  extensionFor,
  isExtended,
  keepsRest,
  reloadHindrance,
  shapeHindrance,
  isIndexed,
} from './reload-guard.ts';
import { keptColumns } from './alteration.ts';
import { findsDeleted } from '../../schema/deleted-rows.ts';
import { notAdoptable } from '../facts/unclaimed.ts';
import {
  refuse,
  type DraftPlan,
  type Keyed,
  type LoadDraft,
  type PlanBase,
  type PlanRequest,
  type Way,
} from './plan.ts';
import { typeChangesOf } from './type-changes.ts';

function plannedFrom(source: Relation, { natives }: TableFacts, reasons: readonly Reason[]): PlanBase {
  const typeChanges = typeChangesOf(natives);
  return { reasons: [...reasons, ...typeChanges], typeChanges, source, shape: shapeOf(source) };
}

function replicationKeyOf(source: Relation, { settings: { replicationKey } }: TableFacts): Keyed {
  const key = source.columns.find(({ name }) => name === replicationKey);
  const keyType = key && keyTypeOf(key);
  if (!keyType) throw new Error('sourceRefusals accepted a table without a replication key');
  return { replicationKey: key.name, keyType };
}

export function load(
  now: TableFacts,
  source: Relation,
  action: LoadDraft['action'],
  reason: Reason,
): LoadDraft {
  const base = {
    kind: 'load',
    action,
    way: wayFor(now, source),
    ...plannedFrom(source, now, [reason]),
  } as const;
  return now.settings.mode === 'full-refresh'
    ? { ...base, unchangedCheck: undefined }
    : { ...base, ...replicationKeyOf(source, now) };
}

/** Adoption keeps the shape of a table that increp did not create. So the table must fit. Empty if it does. */
export const adoptionMisfit = (
  { destination, settings, natives }: Pick<TableFacts, 'destination' | 'settings' | 'natives'>,
  source: Relation,
): string =>
  destination && shapeHindrance(settings) === undefined ? misfitText(source, destination, natives) : '';

export function misfitText(source: Relation, destination: Relation, natives: NativeCarriers): string {
  const unfit: Difference[] = [
    ...(destination.isUnlogged ? [{ code: 'table-unlogged' } as const] : []),
    ...destinationDrift(source.columns, destination.columns, natives),
  ];
  return differencesText(unfit);
}

export function adopt(now: TableFacts, source: Relation): DraftPlan {
  const { settings } = now;
  const isKept = shapeHindrance(settings) !== undefined;
  const misfit = adoptionMisfit(now, source);
  if (misfit !== '') return refuse(notAdoptable(now, misfit));
  const plan = load(now, source, 'initial', { code: 'adopted' });
  if (settings.mergeKey.length === 0) return { ...plan, adoption: 'reload' };
  return { ...plan, way: isKept ? plan.way : 'merge-whole', adoption: 'compare' };
}

/** increp keeps the table whenever its shape can take the rows. */
function wayFor(now: TableFacts, source: Relation): Way {
  const { destination, saved, settings, natives } = now;
  if (!destination) return 'create';
  if (reloadHindrance(settings) !== undefined)
    return isIndexed(now) && !isExtended(extensionFor(now, source)) ? 'merge-whole' : 'extend';
  const kept = keptColumns(now, source);
  const hasLeftOver = formerColumns(saved).some((former) => {
    const isKept = kept.some(({ name, isNotNull }) => name === former && !isNotNull);
    const isLeft = ({ columns }: Relation) => columns.some(({ name }) => name === former);
    return !isKept && !isLeft(source) && isLeft(destination);
  });
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
  request: PlanRequest,
  evolving?: { readonly evolution: Evolution; readonly drift: readonly Difference[] },
): DraftPlan {
  const since =
    now.saved.kind === 'record' && isKeyed(now.saved.record)
      ? now.saved.record
      : now.saved.kind === 'legacy'
        ? { legacyCursor: now.saved.cursor }
        : undefined;
  if (!since) throw new Error('planned an incremental sync without a cursor');
  const rewritten =
    replacedSince(now) ??
    attachedSince(now) ??
    (now.saved.kind === 'record' ? rewrittenSince(now.saved.record, source) : undefined);
  const comparing = [
    ...(rewritten ? [rewritten] : []),
    ...(findsDeleted(now.settings) ? partitionsGone(now) : []),
  ];
  const reasons: Reason[] = evolving
    ? [evolutionReason(evolving.evolution, evolving.drift), ...comparing]
    : [{ code: 'cursor-known' }, ...columnChanges(now), ...comparing];
  const planned = { ...plannedFrom(source, now, reasons), ...replicationKeyOf(source, now) };
  if ('legacyCursor' in since && planned.keyType !== 'timestamp' && planned.keyType !== 'timestamptz') {
    return load(now, source, 'initial', { code: 'legacy-cursor-unfit', keyType: planned.keyType });
  }
  return {
    kind: 'incremental',
    action: isAppend(now.settings) ? 'append' : 'incremental',
    since,
    removesDeleted: areDeletesDue(now, request),
    removesFirst: request.removesFirst === true && findsDeleted(now.settings),
    hasMergeIndex: isIndexed(now),
    rewritten,
    ...(evolving && { evolution: evolving.evolution }),
    ...planned,
  };
}

const replacedSince = ({ saved }: TableFacts): Rewritten | undefined =>
  saved.kind === 'record' && saved.isOtherTable ? { code: 'destination-replaced' } : undefined;

const attachedSince = ({ sourceChanges }: TableFacts): Rewritten | undefined =>
  sourceChanges && sourceChanges.attached.length > 0
    ? { code: 'partitions-attached', names: sourceChanges.attached }
    : undefined;

/** Rows of a detached partition are gone from the source, and no trigger has logged them. */
export function partitionsGone({ settings, sourceChanges, sourceName }: TableFacts): Reason[] {
  if (!sourceChanges || sourceChanges.gone.count === 0 || keepsRest(settings)) return [];
  const keeps = findsDeleted(settings) ? undefined : settings.name;
  return [{ code: 'partitions-gone', table: printName(sourceName), ...sourceChanges.gone, keeps }];
}

const evolutionReason = (evolution: Evolution, differences: readonly Difference[]): Reason => ({
  code: 'drift',
  differences,
  answer: { kind: altersTable(evolution) ? 'alter' : 'keep-shape' },
});

/** Metadata columns that the sync adds first, or that it no longer fills. */
function columnChanges(facts: TableFacts): Reason[] {
  const { destination, settings } = facts;
  const isThere = (wanted: string) => destination?.columns.some(({ name }) => name === wanted) === true;
  const former = formerWriting(facts.saved);
  const before = former.metadataColumns;
  return [
    ...[...(settings.deletes === 'soft' ? [DELETED_AT] : []), ...settings.metadataColumns]
      .filter((name) => !isThere(name))
      .map((column): Reason => ({ code: 'metadata-column-added', column })),
    ...before
      .filter((name) => !settings.metadataColumns.includes(name) && isThere(name))
      .map((column): Reason => ({ code: 'metadata-column-unfilled', column })),
    ...(former.deletes === 'soft' && settings.deletes !== 'soft' && holdsFormerMarks(facts)
      ? [
          {
            code: 'marks-stay',
            column: DELETED_AT,
            deletes: keepsRest(settings) ? 'keep' : settings.deletes,
          } as const,
        ]
      : []),
  ];
}

function areDeletesDue(facts: TableFacts, { areDeletesForced, now }: PlanRequest): boolean {
  const { settings, saved } = facts;
  if (!findsDeleted(settings)) return false;
  if (partitionsGone(facts).length > 0 || replacedSince(facts)) return true;
  if (settings.deletionLog && logPosition(facts, settings) === undefined) return true;
  if (formerWriting(saved).deletes !== settings.deletes) return true;
  const { deletesCheckedAt: last = null, deletesRefusedAt = null } =
    saved.kind === 'record' ? saved.record : {};
  if (areDeletesForced || last === null || deletesRefusedAt !== null) return true;
  const ageSeconds = (now.getTime() - Date.parse(last)) / 1000;
  // A negative age means that the clock was set back. It must not defer the comparison forever.
  return ageSeconds >= settings.deletesEverySeconds || ageSeconds < 0;
}
