/** What is said of loads in chunks. */
import { IncrepError, reworded } from '../../errors.ts';

export const oneGoWarning = (why: string): string => `loaded in one go instead of in chunks: ${why}`;

/** How far a load has come. Counted here, because whoever fails or is stopped can ask nobody any more. */
export interface Progress {
  /** Chunks that are committed. */
  done: number;
  /** Of how many; 0 where a table is not loaded in chunks. */
  of: number;
}

/** An error that says what it has not cost, and what `goesOn` with the rest. */
export const withKept = (error: unknown, { done, of }: Progress, goesOn: string): unknown =>
  error instanceof IncrepError && done > 0
    ? reworded(error, {
        what: `${error.message}; ${done} of ${of} chunks are kept`,
        // What a signal's own advice says is true of loads in one go.
        next: `${error.code === 'INTERRUPTED' ? '' : `${error.next} `}${goesOn} goes on with ${done === of ? 'what has changed since' : 'the other chunks'}.`,
      })
    : error;
