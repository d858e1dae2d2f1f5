/**
 * Syncs tables that wait for each other because of foreign keys of the destination. All of them are read in one snapshot.
 *
 * A row that takes over a unique value can be written only after the row that had the value is removed. Rows that refer to
 * the old row prevent that, and their table waits for the new row. Besides, the source may change between the syncs of two
 * tables, so that a row refers to a row that is newer than the first sync, or already deleted. In one snapshot every
 * reference is valid. So increp first removes the deleted rows, from the referring tables before the referenced tables,
 * in separate transactions that move no cursor. Then it syncs the referenced tables, and then the referring tables.
 */
import { asIncrepError } from '../../errors.ts';
import type { TableOutcome } from '../../events.ts';
import { openWorkers } from '../load/chunks/workers.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { RaisedFence } from '../fence/fence.ts';
import { fenceFor, raise } from '../fence/planned-fence.ts';
import type { IncrementalPlan, LoadPlan, Plan } from '../plan/plan.ts';
import { planCompletely } from '../plan/complete-plan.ts';
import { withTableSnapshot } from '../read/read-window.ts';
import { removeDeleted } from '../incremental/remove-deleted.ts';
import { exportSnapshot } from '../fan-out/shared-snapshot.ts';
import { gatherAgain, syncTable, type TableRequest } from './sync-table.ts';
import type { TableOutline } from './table-outline.ts';
import { holdTable, lockingStatements } from '../lock/table-lock.ts';
import type { RunContext } from '../context/run-context.ts';
import { enterPhase } from '../context/phases.ts';

interface WaitingTable {
  readonly table: TableOutline;
  readonly facts: TableFacts;
  readonly plan: IncrementalPlan | LoadPlan;
}

type OutcomeChange = (table: TableOutline, change: (before: TableOutcome) => TableOutcome) => void;

/**
 * `tables`: referenced tables come first. `update` is called with the result of each table. An error before the sync of a
 * table is not reported, because the table already has the error of its first attempt.
 */
export async function syncInOneSnapshot(
  context: RunContext,
  tables: readonly TableOutline[],
  request: TableRequest,
  update: OutcomeChange,
): Promise<void> {
  try {
    const fences = new Map<string, RaisedFence>();
    const waiting: WaitingTable[] = [];
    for (const table of tables) {
      const facts = await gatherAgain(context, table.settings);
      if ('error' in facts) continue;
      const plan = await planCompletely(context, facts, request);
      if (!staysInPlace(plan)) continue;
      const fence = fenceFor(facts, plan);
      fences.set(fence.target, await raise(context, fence));
      waiting.push({ table, facts, plan });
    }
    await using workers = openWorkers(context, 1);
    const [holder] = workers.contexts;
    await holder?.source.withSnapshot([], async (client) => {
      const snapshot = await exportSnapshot(client);
      await syncWaiting({ ...context, fencedSnapshot: { snapshot, fences } }, waiting, request, update);
    });
  } catch (thrown) {
    context.signal?.throwIfAborted();
    if (asIncrepError(thrown).code === 'INTERNAL') throw thrown;
  }
}

const staysInPlace = (plan: Plan): plan is IncrementalPlan | LoadPlan =>
  (plan.kind === 'incremental' && plan.evolution === undefined) ||
  (plan.kind === 'load' && plan.way === 'merge-whole' && plan.chunking.kind === 'whole');

async function syncWaiting(
  context: RunContext,
  waiting: readonly WaitingTable[],
  request: TableRequest,
  update: OutcomeChange,
): Promise<void> {
  for (const { table, ...planned } of waiting.toReversed()) {
    const rowsDeleted = await removeGone(context, planned, request);
    update(table, (before) => ({ ...before, rowsDeleted: before.rowsDeleted + rowsDeleted }));
  }
  for (const { table, facts } of waiting) {
    const outcome = await syncTable(context, facts, request);
    update(table, () => outcome);
    context.signal?.throwIfAborted();
  }
}

/** Returns how many rows were removed. */
async function removeGone(
  context: RunContext,
  { facts, plan }: Omit<WaitingTable, 'table'>,
  { isForced }: TableRequest,
): Promise<number> {
  if (facts.settings.deletes !== 'hard' || facts.settings.mergeKey.length === 0) return 0;
  return context.destination.withWriting(
    lockingStatements(facts, context),
    async (destination, transaction) => {
      await holdTable(destination, facts, transaction, { ...context, waitSeconds: 0 });
      await enterPhase(context, facts, 'deletes');
      return withTableSnapshot({ context, facts, plan, isCompared: true }, undefined, [], (view) =>
        view.afterCopy(async (source) => {
          const removing = { context, facts, relation: plan.source, source, destination, isForced };
          return (await removeDeleted(removing)).deleted;
        }),
      );
    },
  );
}
