/** `verify --repair`: fetches or removes exactly the rows that differ, in one destination transaction. */
import { asIncrepError, IncrepError } from '../errors.ts';
import { goneRowsText } from '../format.ts';
import { removalVerb } from '../schema/deleted-rows.ts';
import { printName } from '../schema/names.ts';
import { rowsFrom } from '../schema/selection.ts';
import { tableCommand } from '../shell-word.ts';
import { listTriggers } from '../sql/inspect.ts';
import { comparedLoss, inWords, isWithin, type GoneRows } from '../sync/load/removed-rows.ts';
import { compareSides } from '../sync/compare/compare-sides.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { withEmptiedStaging } from '../sync/run/with-staging-space.ts';
import { ensureMetadataColumns } from '../sync/write/metadata-columns.ts';
import { dropOlderVersions, mergeOf } from '../sync/write/merge-staging.ts';
import { mergeInto } from '../sync/write/merge-into.ts';
import { emptyStaging, freeStaging } from '../sync/write/staging.ts';
import { addMetadataColumns } from '../sync/write/add-metadata-columns.ts';
import { addMissingLabels } from '../sync/write/create-types.ts';
import { lockTable } from '../sync/lock/table-lock.ts';
import { comparableTable, recordIn, withSettledSides } from './verify.ts';
import { unfilledRefusal } from '../sync/plan/altered-destination.ts';
import { foreignKeyRefusal, violationOf } from '../sync/write/violations.ts';
import type { RunContext } from '../sync/context/run-context.ts';
import { applyDifferences } from '../sync/compare/apply-differences.ts';

export interface Repaired {
  readonly inserted: number;
  readonly updated: number;
  readonly removed: number;
}

export interface RepairRequest {
  /** --force: `delete_limit` does not apply. */
  readonly isForced: boolean;
}

/**
 * Compares again, because a sync may have fixed differences since the report. @throws IncrepError DELETE_LIMIT_EXCEEDED;
 * then nothing is changed
 */
export async function repairTable(
  context: RunContext,
  reported: TableFacts,
  request: RepairRequest,
): Promise<Repaired> {
  try {
    return await repair(context, reported, request);
  } catch (error) {
    // An interrupted load keeps its chunks.
    throw reported.pendingLoad ? error : await withEmptiedStaging(context, reported, asIncrepError(error));
  }
}

async function repair(
  context: RunContext,
  reported: TableFacts,
  { isForced }: RepairRequest,
): Promise<Repaired> {
  const { relation, known } = comparableTable(reported);
  await addMissingLabels(context, reported);
  const { timing, signal, startedAt } = context;
  const lockWait = { waitSeconds: 0, timing, signal, startedAt };
  const facts = await addMetadataColumns(context, reported, lockWait);
  return context.destination.withWriting([], async (destination) => {
    await lockTable(destination, facts, lockWait);
    await ensureMetadataColumns(destination, facts);
    await emptyStaging(destination, facts, relation.columns);
    const record = (await recordIn(destination, facts)) ?? known;
    const removed = await withSettledSides(context, facts, { relation, record }, async (source, sides) => {
      const compared = await compareSides(
        { database: context.source, client: source, rows: sides.source },
        { client: destination, rows: sides.destination },
      );
      const gone = await namingConstraints(facts, () =>
        applyDifferences({ context, facts, relation, source, destination }, compared.differences),
      );
      const rows = comparedLoss(facts.settings, gone, compared);
      if (!isForced && !isWithin(facts.settings, rows)) throw overLimit(facts, rows);
      return gone;
    });
    const merge = mergeOf(facts, relation);
    await dropOlderVersions(destination, merge, relation);
    const { inserted, updated } = await mergeInto({
      context,
      facts,
      relation,
      destination,
      share: 'few',
      isRemovalOver: true,
    });
    await freeStaging(destination, facts.stagingName);
    return { inserted, updated, removed };
  });
}

/** After a repair. Both sides were compared again, and rows that wait for the next sync do not count. */
export const notTaken = ({ destinationName }: TableFacts): IncrepError =>
  new IncrepError('VERIFY_FAILED', {
    what: `${printName(destinationName)} did not take each row as it was written`,
    next: `Probably a trigger or a rule of that table discards or changes rows. Drop it, or change its function. To list the triggers, run at the destination: ${listTriggers(destinationName)}`,
  });

function overLimit(
  { settings: { name, deleteLimit, deletes, selection }, destinationName }: TableFacts,
  { gone, of, left }: GoneRows,
): IncrepError {
  const verb = removalVerb({ deletes });
  return new IncrepError('DELETE_LIMIT_EXCEEDED', {
    what: `repairing ${printName(destinationName)} would ${verb} ${inWords({ gone: Math.max(gone, of - left), of })} ${goneRowsText(rowsFrom(selection))}, which is over delete_limit${deleteLimit === undefined ? '' : ` (${deleteLimit})`}; nothing was changed`,
    next: `If increp may ${verb} these rows, run "${tableCommand('verify', name, '--repair', '--force')}".`,
  });
}

async function namingConstraints<T>(facts: TableFacts, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const violation = violationOf(error);
    if (violation?.kind === 'foreign key') throw foreignKeyRefusal(facts, violation, undefined);
    throw (facts.source && unfilledRefusal(facts, facts.source, error)) ?? error;
  }
}
