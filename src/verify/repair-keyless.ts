/** `verify --repair` for a table without a unique key: reads it completely, and writes only the rows that differ. */
import { applyPlan } from '../sync/run/apply-plan.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { ordinaryRequest } from '../sync/plan/plan.ts';
import { planCompletely } from '../sync/plan/complete-plan.ts';
import type { Repaired, RepairRequest } from './repair.ts';
import { comparableTable } from './verify.ts';
import type { RunContext } from '../sync/context/run-context.ts';

export async function repairWhole(
  context: RunContext,
  facts: TableFacts,
  { isForced }: RepairRequest,
): Promise<Repaired> {
  comparableTable(facts);
  const plan = await planCompletely(context, facts, { ...ordinaryRequest(), isFullRefresh: true });
  if (plan.kind !== 'load') throw new Error('a full refresh that was asked for is no load');
  const request = { waitLockSeconds: 0, isForced, isVerified: false };
  const applied = await applyPlan(context, facts, plan, request);
  if (applied.kind === 'replan') throw applied.error;
  if (applied.kind === 'stopped') throw new Error('a load without chunks was stopped at one');
  const { transfer } = applied;
  return {
    inserted: transfer.rowsInserted,
    updated: transfer.rowsUpdated,
    removed: transfer.rowsDeleted,
  };
}
