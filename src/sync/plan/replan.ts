import { IncrepError } from '../../errors.ts';
import type { PlanRequest } from './plan.ts';

/** What to request instead of a plan that cannot be carried out. */
export type PlanChange = Pick<PlanRequest, 'notInPlace' | 'removesFirst'>;

/**
 * Rolls back the transaction of a plan that cannot be carried out. The table is planned once more with `change`; if that
 * was tried before, this is the error of the table.
 */
export class Replan extends IncrepError {
  readonly change: PlanChange;

  constructor({ code, message, next, sqlstate }: IncrepError, change: PlanChange, cause?: unknown) {
    super(code, { what: message, next, sqlstate, cause });
    this.change = change;
  }
}
