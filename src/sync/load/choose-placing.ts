/** How a staging table becomes the destination table or is merged into it. */
import type pg from 'pg';
import type { TableFacts } from '../facts/facts.ts';
import { extensionFor } from '../plan/reload-guard.ts';
import type { LoadPlan } from '../plan/plan.ts';
import type { LockTiming } from '../lock/exclusive-lock.ts';
import { chooseReshape, type Reshape } from '../reshape/reshape.ts';
import type { TableJob } from '../plan/table-job.ts';

export type Placing = Reshape | { readonly way: 'create' | 'merge-whole' };

/** A load with the way in which it will be put in place. */
export interface Load extends TableJob<LoadPlan> {
  readonly placing: Placing;
  /** Whether the staging table has the index of the unique key already. */
  readonly hasMergeKey: boolean;
}

/** Decided before any row is read. @throws IncrepError DEPENDENT_OBJECTS */
export const choosePlacing = async (
  destination: pg.ClientBase,
  facts: TableFacts,
  plan: LoadPlan,
  timing: LockTiming,
): Promise<Placing> => {
  if (plan.way === 'swap') return chooseReshape(destination, facts, plan.source, timing);
  return plan.way === 'extend'
    ? { way: 'alter', alteration: extensionFor(facts, plan.source) }
    : { way: plan.way };
};

export const becomesTable = ({ way }: Placing): boolean => way === 'create' || way === 'exchange';
