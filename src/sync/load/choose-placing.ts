/** How a staging table becomes the destination table or is merged into it. */
import type pg from 'pg';
import type { TableFacts } from '../facts/facts.ts';
import { extensionFor, shapeHindrance } from '../plan/reload-guard.ts';
import type { LoadPlan } from '../plan/plan.ts';
import type { LockTiming } from '../lock/exclusive-lock.ts';
import { rehearseInPlace } from '../reshape/alter-in-place.ts';
import { chooseReshape, type Reshape } from '../reshape/reshape.ts';
import { conversionsOf, ensureConvertible } from './kept-conversions.ts';
import type { TableJob } from '../plan/table-job.ts';

export type Placing = Reshape | { readonly way: 'create' | 'merge-whole' };

/** A load with the way in which it will be put in place. */
export interface Load extends TableJob<LoadPlan> {
  readonly placing: Placing;
  /** Whether the staging table has the index of the unique key already. */
  readonly hasMergeKey: boolean;
}

/** Decided before any row is read. @throws IncrepError DEPENDENT_OBJECTS, SCHEMA_CHANGE_REFUSED */
export const choosePlacing = async (
  destination: pg.ClientBase,
  facts: TableFacts,
  plan: LoadPlan,
  timing: LockTiming,
): Promise<Placing> => {
  if (plan.way === 'swap') return chooseReshape(destination, facts, plan.source, timing);
  if (plan.way !== 'extend') return { way: plan.way };
  const { source } = plan;
  const alteration = extensionFor(facts, source);
  if (shapeHindrance(facts.settings) === undefined && facts.destination) {
    await rehearseInPlace({ client: destination, facts, source, timing }, alteration);
    await ensureConvertible(destination, facts, conversionsOf(facts, source));
  }
  return { way: 'alter', alteration };
};

export const becomesTable = ({ way }: Placing): boolean => way === 'create' || way === 'exchange';
