/** The fence of a plan in any mode. */
import type { TableFacts } from '../facts/facts.ts';
import { fenceTarget, readClock, raiseFence, type RaisedFence } from './fence.ts';
import { isKeyedPlan, type IncrementalPlan, type LoadPlan } from '../plan/plan.ts';
import { instanceOf } from '../facts/server-instance.ts';
import type { RunContext } from '../context/run-context.ts';

interface PlannedFence {
  /** Everything that determines the fence. Plans with the same target may share one. */
  readonly target: string;
  readonly raise: (context: RunContext) => Promise<RaisedFence>;
}

export function fenceFor(facts: TableFacts, plan: IncrementalPlan | LoadPlan): PlannedFence {
  if (isKeyedPlan(plan)) {
    const target = fenceTarget(facts, plan);
    return { target: JSON.stringify(target), raise: (context) => raiseFence(context, target) };
  }
  const instance = instanceOf(facts);
  return { target: JSON.stringify(['clock', instance]), raise: (context) => readClock(context, instance) };
}
