/** Copied objects within a run: after the sync of a table, and at the end of the run for all tables. */
import type { TableSettings } from '../../config/settings.ts';
import { asIncrepError } from '../../errors.ts';
import type { Failure, TableOutcome } from '../../events.ts';
import type { ObjectChange } from '../../reasons.ts';
import { objectWarning } from '../../report/object-texts.ts';
import { tableKey } from '../../schema/names.ts';
import {
  readCopiedObjects,
  changeCopiedObjects,
  type CopiedDefault,
  type RefusedObject,
} from '../../state/copied-objects-file.ts';
import type { RunContext } from '../context/run-context.ts';
import { stageOf, type StepStage } from '../objects/compare-objects.ts';
import { copiesObjects, describeCopies, type CopiedTable } from '../objects/copied-table.ts';
import { releaseCopies, type Released } from '../objects/release-copies.ts';
import { takeSteps } from '../objects/take-steps.ts';
import type { TableOutline } from './table-outline.ts';

/**
 * As soon as the rows are in. With several jobs only at the end of the run: CREATE INDEX CONCURRENTLY waits for the
 * transactions of all sessions, and another job may be loading a table for hours.
 */
export async function copyObjectsAfter(
  context: RunContext,
  settings: TableSettings,
  outcome: TableOutcome,
): Promise<TableOutcome> {
  if (!copiesObjects(settings) || outcome.status !== 'ok' || context.pairs) return outcome;
  const isLoaded = outcome.loader !== undefined;
  const outcomes = await copyObjects(context, [settings], new Map([[settings.name, outcome]]), {
    stages: ['drop-foreign-keys', 'own'],
    retries: isLoaded,
  });
  return outcomes.get(settings.name) ?? outcome;
}

/**
 * Syncs the table again if a copied object made it fail. Without the object, the sync has the same result as in a pipeline
 * that copies none. If that sync fails too, the objects are copied again.
 */
export async function withoutRefusingObjects(
  context: RunContext,
  settings: TableSettings,
  outcome: TableOutcome,
  syncAgain: () => Promise<TableOutcome>,
): Promise<TableOutcome> {
  const changes: ObjectChange[] = [];
  const refused: RefusedObject[] = [];
  let now = outcome;
  // Each time at least one object goes, so this ends.
  while (now.error) {
    const found = await released(context, settings, now.error);
    if (found.changes.length === 0) break;
    changes.push(...found.changes);
    refused.push(...found.refused);
    now = await syncAgain();
  }
  if (changes.length === 0) return now;
  if (now.error) return restored(context, settings, now, changes);
  await changeCopiedObjects(context.settings.stateDirectory, (before) => ({
    ...before,
    refused: [...before.refused, ...refused],
  }));
  return withChanges(context, now, changes);
}

/** Copies the dropped objects again. Returns the outcome with the objects that are still missing. */
async function restored(
  context: RunContext,
  settings: TableSettings,
  outcome: TableOutcome,
  dropped: readonly ObjectChange[],
): Promise<TableOutcome> {
  const now = await copyObjects(context, [settings], new Map([[settings.name, outcome]]), {
    stages: ['own', 'foreign-keys'],
    retries: true,
  });
  const after = now.get(settings.name) ?? outcome;
  const isBack = ({ kind, name }: ObjectChange) =>
    (after.objects ?? []).some(
      (each) => each.change === 'created' && each.kind === kind && each.name === name,
    );
  const missing = dropped.filter((each) => !isBack(each));
  return withChanges(context, { ...outcome, warnings: after.warnings }, missing);
}

/** The error of the sync matters more than an error here. */
async function released(context: RunContext, settings: TableSettings, failure: Failure): Promise<Released> {
  try {
    return await releaseCopies(context, settings, failure);
  } catch (thrown) {
    context.signal?.throwIfAborted();
    if (asIncrepError(thrown).code === 'INTERNAL') throw thrown;
    return { changes: [], refused: [] };
  }
}

/** At the end of a run, also for tables without changes: an index may be new at the source. */
export async function copyObjectsOfAll(
  context: RunContext,
  held: Map<TableOutline, TableOutcome>,
): Promise<void> {
  const tables = [...held].filter(([{ settings }, { status }]) => status === 'ok' && copiesObjects(settings));
  if (tables.length === 0) return;
  const outcomes = await copyObjects(
    context,
    tables.map(([{ settings }]) => settings),
    new Map(tables.map(([{ settings }, outcome]) => [settings.name, outcome])),
    { stages: ['drop-foreign-keys', 'own', 'foreign-keys'], retries: false },
  );
  for (const [table] of tables) {
    const outcome = outcomes.get(table.settings.name);
    if (outcome) held.set(table, outcome);
  }
}

type Outcomes = Map<string, TableOutcome>;

interface CopyRequest {
  readonly stages: readonly StepStage[];
  /** Objects that were refused a short time ago are tried again. */
  readonly retries: boolean;
}

/** Returns the outcomes with what was done. */
async function copyObjects(
  context: RunContext,
  tables: readonly TableSettings[],
  outcomes: Outcomes,
  request: CopyRequest,
): Promise<Outcomes> {
  try {
    const described = await describeCopies(context, tables);
    for (const stage of request.stages)
      for (const table of described) {
        const outcome = outcomes.get(table.settings.name);
        const steps = table.steps.filter((step) => stageOf(step) === stage);
        if (!outcome || (steps.length === 0 && stage !== 'own')) continue;
        const changes = await takeRemembered(context, { ...table, steps }, request);
        outcomes.set(table.settings.name, await withChanges(context, outcome, changes));
      }
  } catch (thrown) {
    // The rows are in, so this is no failure of the sync.
    context.signal?.throwIfAborted();
    const error = asIncrepError(thrown);
    if (error.code === 'INTERNAL') throw thrown;
    const message = `the rows are complete, but their indexes and constraints were not compared: ${error.message}`;
    for (const { name } of tables) {
      const outcome = outcomes.get(name);
      if (outcome) outcomes.set(name, await withWarnings(context, outcome, [message]));
    }
  }
  return outcomes;
}

/** Takes the steps of a table, and remembers what its rows refuse. What the source no longer has is forgotten. */
async function takeRemembered(
  context: RunContext,
  table: CopiedTable,
  { retries }: CopyRequest,
): Promise<readonly ObjectChange[]> {
  const { stateDirectory } = context.settings;
  const all = await readCopiedObjects(stateDirectory);
  const key = tableKey(table.destinationName);
  const isOther = (each: { readonly table: string }) => each.table !== key;
  const isHeld = ({ hash, at }: RefusedObject) =>
    !retries &&
    table.hashes.includes(hash) &&
    Date.now() - Date.parse(at) < context.timing.refusedObjectPause * 1000;
  const known = all.refused.filter((each) => !isOther(each));
  const held = known.filter(isHeld);
  const { changes, refused, defaults } = await takeSteps(context, table, held);
  const isChanged = ({ column }: CopiedDefault) =>
    changes.some(({ kind, name, change }) => kind === 'default' && name === column && change !== 'refused');
  const isKept = (each: CopiedDefault) => isOther(each) || !isChanged(each);
  if (held.length < known.length || refused.length + defaults.length > 0 || !all.defaults.every(isKept))
    await changeCopiedObjects(stateDirectory, (now) => ({
      refused: [...now.refused.filter(isOther), ...held, ...refused],
      defaults: [...now.defaults.filter(isKept), ...defaults],
    }));
  return changes;
}

/** A refusal of the first attempt is not repeated at the end of the run. */
function withChanges(
  context: RunContext,
  outcome: TableOutcome,
  changes: readonly ObjectChange[],
): Promise<TableOutcome> {
  const objects = [
    ...(outcome.objects ?? []),
    ...changes.filter(
      (change) =>
        !(outcome.objects ?? []).some(
          ({ kind, name, change: earlier }) =>
            kind === change.kind && name === change.name && earlier === change.change,
        ),
    ),
  ];
  const warnings = objects.slice(outcome.objects?.length ?? 0).flatMap(objectWarning);
  return withWarnings(context, { ...outcome, ...(objects.length > 0 && { objects }) }, warnings);
}

async function withWarnings(
  { emit }: RunContext,
  outcome: TableOutcome,
  warnings: readonly string[],
): Promise<TableOutcome> {
  for (const message of warnings) await emit({ type: 'warning', table: outcome.name, message });
  return { ...outcome, warnings: [...outcome.warnings, ...warnings] };
}
