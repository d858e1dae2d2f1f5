/** The fence of a plan, whatever its mode. */
import type { TableFacts } from '../facts/facts.ts';
import { fenceTarget, lookAtClock, raiseFence, type RaisedFence } from './fence.ts';
import { isKeyedPlan, type IncrementalPlan, type LoadPlan } from '../plan/plan.ts';
import { instanceOf } from '../facts/server-instance.ts';
import type { RunContext } from '../context/run-context.ts';

interface PlannedFence {
  /** All that decides what it is: plans with the same target may share one. */
  readonly target: string;
  readonly raise: (context: RunContext) => Promise<RaisedFence>;
}

export function fenceFor(facts: TableFacts, plan: IncrementalPlan | LoadPlan): PlannedFence {
  if (isKeyedPlan(plan)) {
    const target = fenceTarget(facts, plan);
    return { target: JSON.stringify(target), raise: (context) => raiseFence(context, target) };
  }
  const life = instanceOf(facts);
  return { target: JSON.stringify(['clock', life]), raise: (context) => lookAtClock(context, life) };
}
