/**
 * Tables that wait for each other because of foreign keys of the destination, synced as one moment of the source shows them.
 *
 * A row that takes over a unique value needs the row that had it removed. That one is kept by rows that refer to it, and
 * their table waits for the new row. And while the source is written, a row may refer to one that is newer, or gone, when the
 * other table is read. Seen at one moment, all rows have what they refer to. So the rows that are gone go first, out of the
 * children before the parents, in transactions of their own that move no cursor; then the parents are synced, then the children.
 */
import { asIncrepError } from '../../errors.ts';
import type { TableOutcome } from '../../events.ts';
import { openWorkers } from '../load/chunks/workers.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { RaisedFence } from '../fence/fence.ts';
import { fenceFor } from '../fence/planned-fence.ts';
import type { IncrementalPlan, LoadPlan, Plan } from '../plan/plan.ts';
import { planCompletely } from '../plan/complete-plan.ts';
import { withTableSnapshot } from '../read/read-window.ts';
import { removeDeleted } from '../incremental/remove-deleted.ts';
import { exportSnapshot } from '../fan-out/shared-snapshot.ts';
import { refreshed, syncTable, type TableRequest } from './sync-table.ts';
import { holdTable, lockingStatements } from '../lock/table-lock.ts';
import type { RunContext } from '../context/run-context.ts';
import { enterPhase } from '../context/phases.ts';

interface WaitingTable {
  readonly table: TableFacts;
  readonly facts: TableFacts;
  readonly plan: IncrementalPlan | LoadPlan;
}

type OutcomeChange = (table: TableFacts, change: (before: TableOutcome) => TableOutcome) => void;

/**
 * `tables`: those that others refer to come first. `tell` is called with what came of each. What fails before a table is
 * synced is not told: the table has failed before.
 */
export async function syncAtOneMoment(
  context: RunContext,
  tables: readonly TableFacts[],
  request: TableRequest,
  tell: OutcomeChange,
): Promise<void> {
  try {
    const fences = new Map<string, RaisedFence>();
    const waiting: WaitingTable[] = [];
    for (const table of tables) {
      const facts = await refreshed(context, table);
      if ('error' in facts) continue;
      const plan = await planCompletely(context, facts, request);
      if (!staysInPlace(plan)) continue;
      const { target, raise } = fenceFor(facts, plan);
      fences.set(target, await raise(context));
      waiting.push({ table, facts, plan });
    }
    await using workers = openWorkers(context, 1);
    const [holder] = workers.contexts;
    await holder?.source.withSnapshot([], async (client) => {
      const snapshot = await exportSnapshot(client);
      await syncWaiting({ ...context, moment: { snapshot, fences } }, waiting, request, tell);
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
  tell: OutcomeChange,
): Promise<void> {
  for (const { table, ...planned } of waiting.toReversed()) {
    const rowsDeleted = await removeGone(context, planned, request);
    tell(table, (before) => ({ ...before, rowsDeleted: before.rowsDeleted + rowsDeleted }));
  }
  for (const { table, facts } of waiting) {
    const outcome = await syncTable(context, facts, request);
    tell(table, () => outcome);
    context.signal?.throwIfAborted();
  }
}

/** Returns how many rows went. */
async function removeGone(
  context: RunContext,
  { facts, plan }: Omit<WaitingTable, 'table'>,
  { isForced }: TableRequest,
): Promise<number> {
  if (facts.settings.deletes !== 'hard' || facts.settings.mergeKey.length === 0) return 0;
  const { timing, signal } = context;
  return context.destination.withWriting(lockingStatements(facts), async (destination, { answers }) => {
    await holdTable(destination, facts, answers, { timing, waitSeconds: 0, signal });
    await enterPhase(context, facts, 'deletes');
    return withTableSnapshot({ context, facts, plan, isCompared: true }, undefined, [], (view) =>
      view.look(async (source) => {
        const removing = { facts, relation: plan.source, source, destination, isForced };
        return (await removeDeleted(removing)).deleted;
      }),
    );
  });
}
