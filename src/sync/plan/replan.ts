import { IncrepError } from '../../errors.ts';
import type { PlanRequest } from './plan.ts';

/** The change to the request after a plan has failed. */
export type PlanChange = Pick<PlanRequest, 'notInPlace' | 'removesFirst'>;

/**
 * Rolls back the transaction of a plan that cannot be carried out. increp plans the table once more with `change`. If
 * that was tried before, this is the error of the table.
 */
export class Replan extends IncrepError {
  readonly change: PlanChange;

  constructor({ code, message, next, sqlstate }: IncrepError, change: PlanChange, cause?: unknown) {
    super(code, { what: message, next, sqlstate, cause });
    this.change = change;
  }
}
