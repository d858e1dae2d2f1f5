/** What was planned as a change in place turns out to be none: the table is planned anew, as a reset. */
import { IncrepError } from '../../errors.ts';

export class NotInPlace extends IncrepError {
  /** For a person, as part of the reason of the reset. */
  readonly why: string;

  constructor(why: string, cause?: unknown) {
    super('SCHEMA_CHANGED', { what: why, next: 'Run increp again.', cause });
    this.why = why;
  }
}
