/** What is said of loads in chunks. */
import { IncrepError, reworded } from '../../../errors.ts';
import type { TimeLimit } from '../../context/time-limit.ts';

export const oneGoWarning = (why: string): string => `loaded in one go instead of in chunks: ${why}`;

/** How far a load has come. Counted here, because whoever fails or is stopped can ask nobody any more. */
export interface Progress {
  /** Chunks that are committed. */
  done: number;
  /** Of how many; 0 where a table is not loaded in chunks. */
  of: number;
}

/** A load that the time limit has ended at a chunk. */
export interface Stopped {
  readonly stopped: Progress;
  /** What does, with the rest. */
  readonly goesOn: string;
}

export const stoppedReason = (timeLimit: TimeLimit, { stopped, goesOn }: Stopped): string =>
  `${timeLimit.words()}: ${stopped.done} of ${stopped.of} chunks are there; ${goesOn.replace(/^The/, 'the')} goes on with ${restOf(stopped)}`;

const restOf = ({ done, of }: Progress): string =>
  done === of ? 'what has changed since' : 'the other chunks';

/** An error that says what it has not cost, and what `goesOn` with the rest. */
export const withKept = (error: unknown, progress: Progress, goesOn: string): unknown =>
  error instanceof IncrepError && progress.done > 0
    ? reworded(error, {
        what: `${error.message}; ${progress.done} of ${progress.of} chunks are kept`,
        // What a signal's own advice says is true of loads in one go.
        next: `${error.code === 'INTERRUPTED' ? '' : `${error.next} `}${goesOn} goes on with ${restOf(progress)}.`,
      })
    : error;
