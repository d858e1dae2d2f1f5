/** Copied objects within a run: after the sync of a table, and at the end of the run for all tables. */
import type { TableSettings } from '../../config/settings.ts';
import { asIncrepError } from '../../errors.ts';
import type { Failure, TableOutcome } from '../../events.ts';
import type { ObjectChange } from '../../reasons.ts';
import { objectWarning } from '../../report/object-texts.ts';
import { tableKey } from '../../schema/names.ts';
import {
  readRefusedObjects,
  writeRefusedObjects,
  type RefusedObject,
} from '../../state/refused-objects-file.ts';
import type { RunContext } from '../context/run-context.ts';
import { copiesObjects, describeCopies, type CopiedTable } from '../objects/copied-table.ts';
import { releaseCopies, type Released } from '../objects/release-copies.ts';
import { takeSteps } from '../objects/take-steps.ts';
import type { TableOutline } from './table-outline.ts';
import { waitsForOthers } from './foreign-keys.ts';

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
  return (
    (await copyObjects(context, [settings], new Map([[settings.name, outcome]]), isLoaded)).get(
      settings.name,
    ) ?? outcome
  );
}

/**
 * Syncs the table again if a copied object made it fail. Without the object, the sync has the same result as in a pipeline
 * that copies none.
 */
export async function withoutRefusingObjects(
  context: RunContext,
  settings: TableSettings,
  outcome: TableOutcome,
  syncAgain: () => Promise<TableOutcome>,
): Promise<TableOutcome> {
  if (!outcome.error || waitsForOthers(outcome)) return outcome;
  const { changes, refused } = await released(context, settings, outcome.error);
  if (changes.length === 0) return outcome;
  const { stateDirectory } = context.settings;
  await writeRefusedObjects(stateDirectory, [...(await readRefusedObjects(stateDirectory)), ...refused]);
  return withChanges(context, await syncAgain(), changes);
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
    false,
  );
  for (const [table] of tables) {
    const outcome = outcomes.get(table.settings.name);
    if (outcome) held.set(table, outcome);
  }
}

type Outcomes = Map<string, TableOutcome>;

/** `retries`: objects that were refused a short time ago are tried again. Returns the outcomes with what was done. */
async function copyObjects(
  context: RunContext,
  tables: readonly TableSettings[],
  outcomes: Outcomes,
  retries: boolean,
): Promise<Outcomes> {
  try {
    for (const table of await describeCopies(context, tables)) {
      const outcome = outcomes.get(table.settings.name);
      if (!outcome) continue;
      const changes = await withRefused(context, table, retries);
      outcomes.set(table.settings.name, await withChanges(context, outcome, changes));
    }
  } catch (thrown) {
    // The rows are in, so this is no failure of the sync.
    context.signal?.throwIfAborted();
    const error = asIncrepError(thrown);
    if (error.code === 'INTERNAL') throw thrown;
    const message = `the indexes were not compared: ${error.message}`;
    for (const { name } of tables) {
      const outcome = outcomes.get(name);
      if (outcome) outcomes.set(name, await withWarnings(context, outcome, [message]));
    }
  }
  return outcomes;
}

/** Takes the steps of a table, and remembers what its rows refuse. What the source no longer has is forgotten. */
async function withRefused(
  context: RunContext,
  table: CopiedTable,
  retries: boolean,
): Promise<readonly ObjectChange[]> {
  const { stateDirectory } = context.settings;
  const all = await readRefusedObjects(stateDirectory);
  const isOfTable = (each: RefusedObject) => each.table === tableKey(table.destinationName);
  const isHeld = ({ hash, at }: RefusedObject) =>
    !retries &&
    table.hashes.includes(hash) &&
    Date.now() - Date.parse(at) < context.timing.refusedObjectPause * 1000;
  const known = all.filter(isOfTable);
  const held = known.filter(isHeld);
  const { changes, refused } = await takeSteps(context, table, held);
  if (held.length < known.length || refused.length > 0)
    await writeRefusedObjects(stateDirectory, [
      ...all.filter((each) => !isOfTable(each)),
      ...held,
      ...refused,
    ]);
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
