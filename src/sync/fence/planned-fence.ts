/** The fence of a plan in any mode. */
import type { TableFacts } from '../facts/facts.ts';
import { fenceTarget, listFence, readClock, waitForListed, type RaisedFence } from './fence.ts';
import { isKeyedPlan, type IncrementalPlan, type LoadPlan } from '../plan/plan.ts';
import { instanceOf } from '../facts/server-instance.ts';
import type { RunContext } from '../context/run-context.ts';

interface PlannedFence {
  /** Everything that determines the fence. Plans with the same target may share one. */
  readonly target: string;
  /** Reads the mark and lists the transactions in flight, in one message. */
  readonly list: (context: RunContext) => Promise<RaisedFence>;
  /** Waits for the listed transactions. */
  readonly settle: (context: RunContext, listed: RaisedFence) => Promise<RaisedFence>;
}

export const raise = async (context: RunContext, { list, settle }: PlannedFence): Promise<RaisedFence> =>
  settle(context, await list(context));

export function fenceFor(facts: TableFacts, plan: IncrementalPlan | LoadPlan): PlannedFence {
  if (isKeyedPlan(plan)) {
    const target = fenceTarget(facts, plan);
    return {
      target: JSON.stringify(target),
      list: (context) => listFence(context, target),
      settle: (context, listed) => waitForListed(context, target, listed),
    };
  }
  const instance = instanceOf(facts);
  return {
    target: JSON.stringify(['clock', instance]),
    list: (context) => readClock(context, instance),
    settle: (_context, listed) => Promise.resolve(listed),
  };
}
