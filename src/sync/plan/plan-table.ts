/** Decides what to do with a table, and why. Pure. `completePlan` decides how a load reads its rows. */
import { IncrepError } from '../../errors.ts';
import type { Difference, EvolutionObstacle, Reason } from '../../reasons.ts';
import { evolutionOf } from '../../schema/evolution.ts';
import type { Relation } from '../../schema/relations.ts';
import { selectsAlike } from '../../schema/selection-drift.ts';
import { shapeOf } from '../../schema/shape.ts';
import { hadRows, isKeyed } from '../../schema/state-record.ts';
import { adopt, adoptionMisfit, incremental, load } from './build-plan.ts';
import { driftRefusal } from './drift-refusal.ts';
import { driftOf, settingsDrift } from './table-drift.ts';
import type { TableFacts } from '../facts/facts.ts';
import { reloadHindrance, shapeHindrance } from './reload-guard.ts';
import { lossRefusal, renamedRefusal } from './reload-refusals.ts';
import { keepsDeleted } from '../../schema/deleted-rows.ts';
import { isKeyedPlan, refuse, type DraftPlan, type PlanRequest } from './plan.ts';
import { unchangedCheckFor } from './unchanged-check.ts';
import { elsewhereRefusal, refusalsOf, swapRefusal } from './refusals.ts';
import { renamesInPlace, renamedColumns } from './renames-in-place.ts';
import { sourceRefusals } from './source-refusals.ts';
import { typeDrift } from './type-changes.ts';
import { isRenamed, renamedNames, replacedBy } from '../facts/renamed-tables.ts';
import { isClaimed, notOurs, type Unclaimed } from '../facts/unclaimed.ts';

export function planTable(now: TableFacts, request: PlanRequest): DraftPlan {
  const plan = planFor(now, request);
  const { claim: flag } = request;
  const isNeedless = flag && now.destination && !now.unclaimed;
  return isNeedless && (plan.kind === 'load' || plan.kind === 'incremental')
    ? { ...plan, reasons: [...plan.reasons, { code: 'claim-needless', flag, name: now.settings.name }] }
    : plan;
}

function planFor(now: TableFacts, request: PlanRequest): DraftPlan {
  if (!now.settings.isEnabled) return { kind: 'skip', action: 'skipped', reasons: [{ code: 'disabled' }] };
  const swapped = swapRefusal(now, request);
  if (swapped) return refuse(now.unclaimed ? notOursOf(now, now.unclaimed, request) : swapped);
  const elsewhere = elsewhereRefusal(now, request);
  if (elsewhere) return refuse(elsewhere, sourceRefusals(now));
  const [refusal, ...others] = refusalsOf(now);
  if (refusal || !now.source)
    return refuse(refusal ?? new IncrepError('INTERNAL', { what: 'no source', next: '' }), others);
  const renamed = request.isFullRefresh ? undefined : renamedRefusal(now);
  if (renamed) return refuse(renamed);
  if (!now.destination) return loadMissing(now, now.source, request);
  // Comes before the refusals that propose a change of the table: only its owner may decide about its rows.
  if (now.unclaimed && !isClaimed(now.unclaimed, request))
    return refuse(notOursOf(now, now.unclaimed, request));
  const loss = lossRefusal(now, now.source, request);
  if (loss) return refuse(loss);
  if (now.unclaimed) return claimed(now, now.source, now.unclaimed, request);
  if (request.isFullRefresh) return load(now, now.source, 'full-refresh', { code: 'full-refresh-requested' });
  if (now.saved.kind === 'none')
    return isStranger(now)
      ? load(now, now.source, 'initial', { code: 'empty-destination' })
      : load(now, now.source, now.saved.why.code === 'was-reset' ? 'reset' : 'initial', now.saved.why);
  if (now.settings.mode === 'full-refresh') return refresh(now, now.source, now.destination, request);
  if (now.saved.kind === 'record' && !isKeyed(now.saved.record))
    return load(now, now.source, 'initial', { code: 'was-full-refresh-mode' });
  const drift = [
    ...driftOf(now, now.source, now.destination),
    // Under the other policies this is no drift: increp adds the label, and no row has to be read again.
    ...(now.settings.onSchemaChange === 'fail' && now.saved.kind === 'record' ? typeDrift(now.natives) : []),
  ];
  if (drift.length > 0) return onDrift(now, now.source, now.destination, { request, drift });
  if (wasEmptied(now))
    return load(now, now.source, 'initial', { code: 'destination-emptied', ...keptBefore(now) });
  return incremental(now, now.source, request);
}

const notOursOf = (now: TableFacts, unclaimed: Unclaimed, request: PlanRequest): IncrepError =>
  notOurs(now, unclaimed, { ...request, misfit: now.source ? adoptionMisfit(now, now.source) : '' });

const keptBefore = ({ settings }: Pick<TableFacts, 'settings'>): { readonly keptRows?: true } =>
  reloadHindrance(settings) ? { keptRows: true } : {};

function loadMissing(now: TableFacts, source: Relation, { isFullRefresh }: PlanRequest): DraftPlan {
  const reason = withoutDestination(now);
  const plan = load(now, source, 'initial', reason);
  return isFullRefresh && reason.code !== 'no-destination-table'
    ? { ...plan, reasons: [...plan.reasons, { code: 'full-refresh-requested' }] }
    : plan;
}

function withoutDestination({
  saved,
  renamedTo,
  destinationName,
  settings,
}: Pick<TableFacts, 'saved' | 'renamedTo' | 'destinationName' | 'settings'>): Reason {
  const [renamed, ...others] = renamedTo;
  const former = keptBefore({ settings });
  if (saved.kind === 'record')
    return saved.isFromFile
      ? { code: 'destination-without-state', ...former }
      : {
          code: 'destination-dropped',
          ...former,
          ...(renamed && { renamedTo: renamedNames({ renamedTo }) }),
          ...(isRenamed({ renamedTo }) && { isRenamed: true }),
          ...(renamed?.rivals.length === 0 &&
            others.length === 0 && { back: replacedBy(renamed, destinationName) }),
        };
  return saved.kind === 'none' && saved.why.code === 'state-file-of-another-database'
    ? { ...saved.why, ...former }
    : { code: 'no-destination-table' };
}

/** A table of which increp never had a state. It has no rows, or it would be unclaimed. */
const isStranger = ({ saved, destinationHasRows, pendingLoad }: TableFacts): boolean =>
  saved.kind === 'none' && saved.why.code === 'cursor-unknown' && !destinationHasRows && !pendingLoad;

/** The table has rows and increp has no state of it. The user has decided, by --adopt or --replace. */
const claimed = (
  now: TableFacts,
  source: Relation,
  { rows, isMore }: Unclaimed,
  request: PlanRequest,
): DraftPlan =>
  request.claim === 'adopt'
    ? adopt(now, source)
    : load(now, source, 'initial', { code: 'rows-replaced', rows, isMore });

/** A table without a replication key is loaded at every sync, because nothing shows which rows have changed. */
function refresh(now: TableFacts, source: Relation, destination: Relation, request: PlanRequest): DraftPlan {
  const drift = driftOf(now, source, destination);
  if (drift.length > 0) return onDrift(now, source, destination, { request, drift });
  if (wasEmptied(now))
    return load(now, source, 'initial', { code: 'destination-emptied', ...keptBefore(now) });
  const plan = load(now, source, 'full-refresh', { code: 'full-refresh-mode' });
  const unchangedCheck =
    isKeyedPlan(plan) || plan.typeChanges.length > 0 ? undefined : unchangedCheckFor(now, source);
  return unchangedCheck
    ? { ...plan, reasons: [{ code: 'full-refresh-mode', unless: unchangedCheck.kind }], unchangedCheck }
    : plan;
}

interface Drifted {
  readonly request: PlanRequest;
  readonly drift: readonly Difference[];
}

function onDrift(now: TableFacts, source: Relation, destination: Relation, drifted: Drifted): DraftPlan {
  const { drift } = drifted;
  if (now.settings.onSchemaChange === 'reset')
    return load(now, source, 'reset', {
      code: 'drift',
      differences: drift,
      answer: { kind: 'reset', obstacles: [] },
    });
  if (now.settings.onSchemaChange === 'evolve') return evolve(now, source, destination, drifted);
  return refuse(driftRefusal(now, drift));
}

/** Changes the table in place if no data is lost. Any other change is a reset, and the plan says why. */
function evolve(
  now: TableFacts,
  source: Relation,
  destination: Relation,
  { request, drift }: Drifted,
): DraftPlan {
  const { saved, settings, natives } = now;
  const reset = (...obstacles: readonly EvolutionObstacle[]) =>
    load(now, source, 'reset', { code: 'drift', differences: drift, answer: { kind: 'reset', obstacles } });
  const hindrance = request.notInPlace ?? shapeHindrance(settings);
  if (hindrance !== undefined) return reset(hindrance);
  // Another key or another selection needs a new load. ALTER TABLE gains nothing for an empty or reloaded table.
  if (
    settings.mode === 'full-refresh' ||
    saved.kind !== 'record' ||
    !isKeyed(saved.record) ||
    settingsDrift(saved.record, settings).length > 0 ||
    !selectsAlike(saved.record.selection, settings.selection) ||
    wasEmptied(now)
  )
    return reset();
  const renamed = renamesInPlace(now, source);
  const evolved = evolutionOf({
    recorded: { ...saved.record.shape, columns: renamedColumns(saved.record.shape.columns, renamed) },
    current: shapeOf(source),
    copy: renamedColumns(destination.columns, renamed),
    natives,
    mergeKey: settings.mergeKey,
    replicationKey: saved.record.replicationKey,
    keepsDeleted: keepsDeleted(settings),
    keepsDropped: settings.droppedColumns === 'keep',
  });
  return evolved.kind === 'in-place'
    ? incremental(now, source, request, { evolution: { ...evolved.evolution, renamed }, drift })
    : reset(...evolved.obstacles);
}

/** A TRUNCATE by hand causes a new load, as DROP does. A table that never had a row does not count as emptied. */
const wasEmptied = ({ saved, destinationHasRows }: TableFacts): boolean =>
  saved.kind === 'record' && hadRows(saved.record) && !destinationHasRows;
