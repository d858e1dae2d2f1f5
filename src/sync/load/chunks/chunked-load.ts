/** A load in chunks: what it needs, and what it gives back. */
import type { WholeLoadCause } from '../../../reasons.ts';
import type { StateRecord } from '../../../schema/state-record.ts';
import type { RaisedFence } from '../../fence/fence.ts';
import type { Chunks } from '../../plan/chunk-choice.ts';
import type { KeyedLoadPlan } from '../../plan/plan.ts';
import type { TableJob } from '../../plan/table-job.ts';
import type { Transfer } from '../../write/transfer.ts';
import { IncrepError, reworded } from '../../../errors.ts';
import { continuationText } from '../../../report/reasons.ts';

/** How far a load has come. It counts here, because an error or a time limit can ask nobody else. */
export interface Progress {
  /** Chunks that are committed. */
  done: number;
  /** Of how many; 0 where a table is not loaded in chunks. */
  of: number;
}

/** The transaction of the job is idle until all chunks are done, and so blocks nobody. */
export interface ChunkedLoad extends TableJob<KeyedLoadPlan> {
  readonly chunks: Chunks;
  readonly progress: Progress;
}

export interface Loaded {
  readonly transfer: Transfer;
  readonly record: StateRecord;
  /** The last one that was raised. */
  readonly fence: RaisedFence;
  /** RFC 3339; set where nothing was read, because the source had not changed since then. */
  readonly unchangedSince?: string;
}

/** The time limit ended the load at a chunk. */
export interface Stopped {
  readonly kind: 'stopped';
}

export type ChunkedResult =
  | (Loaded & { readonly kind: 'loaded' })
  | Stopped
  /** `cause`: why not in chunks, although that was planned. */
  | { readonly kind: 'as-a-whole'; readonly cause: WholeLoadCause | undefined };

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
