/** The sync of one table, as its stages share it. */
import type pg from 'pg';
import type { RunContext } from '../context/run-context.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { IncrementalPlan, LoadPlan } from './plan.ts';

export interface TableJob<P extends IncrementalPlan | LoadPlan = IncrementalPlan | LoadPlan> {
  readonly context: RunContext;
  readonly facts: TableFacts;
  readonly plan: P;
  /** Its transaction holds the lock of the table, and commits all changes of the sync. */
  readonly destination: pg.ClientBase;
  /** --verify: compare the copied rows with the source before the commit. */
  readonly isVerified: boolean;
  /** --force: no limit on the share of rows that the sync removes. */
  readonly isForced: boolean;
}
