/** The fence of a plan, whatever its mode. */
import type { TableFacts } from '../facts/facts.ts';
import { fenceTarget, lookAtClock, raiseFence, type RaisedFence } from './fence.ts';
import { isKeyedPlan, type IncrementalPlan, type LoadPlan } from '../plan/plan.ts';
import { lifeOf } from '../facts/server-instance.ts';
import type { Work } from '../context/run-context.ts';

interface PlannedFence {
  /** All that decides what it is: plans with the same target may share one. */
  readonly target: string;
  readonly raise: (work: Work) => Promise<RaisedFence>;
}

export function fenceFor(facts: TableFacts, plan: IncrementalPlan | LoadPlan): PlannedFence {
  if (isKeyedPlan(plan)) {
    const target = fenceTarget(facts, plan);
    return { target: JSON.stringify(target), raise: (work) => raiseFence(work, target) };
  }
  const life = lifeOf(facts);
  return { target: JSON.stringify(['clock', life]), raise: (work) => lookAtClock(work, life) };
}
