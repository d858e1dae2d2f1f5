import { IncrepError, reworded } from '../../../errors.ts';
import { continuationText } from '../../../report/reasons.ts';
import type { Progress } from './chunked-load.ts';

/** An error of a load in chunks also says which chunks are kept, and what continues the load. */
export function withKeptChunks(error: unknown, progress: Progress, nextCommand: string | undefined): unknown {
  if (!(error instanceof IncrepError) || progress.done === 0) return error;
  const continues = continuationText(progress, nextCommand);
  // The advice for a signal is about loads that have no chunks.
  const advice = error.code === 'INTERRUPTED' ? '' : `${error.next} `;
  return reworded(error, {
    what: `${error.message}; ${progress.done} of ${progress.of} chunks are kept`,
    next: `${advice}${continues.charAt(0).toUpperCase()}${continues.slice(1)}.`,
  });
}
