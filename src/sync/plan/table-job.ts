/** The sync of one table, as the stages that carry it out share it. */
import type pg from 'pg';
import type { RunContext } from '../context/run-context.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { IncrementalPlan, LoadPlan } from './plan.ts';

export interface TableJob<P extends IncrementalPlan | LoadPlan = IncrementalPlan | LoadPlan> {
  readonly context: RunContext;
  readonly facts: TableFacts;
  readonly plan: P;
  /** The session whose transaction holds the lock of the table, and commits all that the sync does to it. */
  readonly destination: pg.ClientBase;
  /** --verify: copied rows are compared with their source before the commit. */
  readonly isVerified: boolean;
  /** --force: no limit on the share of rows that the sync removes. */
  readonly isForced: boolean;
}
