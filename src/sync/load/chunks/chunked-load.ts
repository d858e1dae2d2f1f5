/** The request and the result of a load in chunks. */
import type { WholeLoadCause } from '../../../reasons.ts';
import type { PendingLoad } from '../../../schema/pending-load.ts';
import type { StateRecord } from '../../../schema/state-record.ts';
import type { RaisedFence } from '../../fence/fence.ts';
import type { Chunks } from '../../plan/chunk-choice.ts';
import type { KeyedLoadPlan } from '../../plan/plan.ts';
import type { TableJob } from '../../plan/table-job.ts';
import type { TableTransfer } from '../../write/table-transfer.ts';
import { IncrepError, reworded } from '../../../errors.ts';
import { capitalized } from '../../../format.ts';
import { endpointOf } from '../../../postgres/endpoint.ts';
import { freeSpace } from '../../../postgres/server-verdicts.ts';
import { printName } from '../../../schema/names.ts';
import { tableCommand } from '../../../shell-word.ts';
import type { TableFacts } from '../../facts/facts.ts';
import { continuationText, restOfLoad } from '../../../report/reasons.ts';

/** How many chunks are done. The load updates this object, so that the caller can read it after an error. */
export interface ChunkProgress {
  /** Chunks that are committed. */
  done: number;
  /** All chunks; 0 if the table is not loaded in chunks. */
  of: number;
  /** What this run has read in chunks that are committed, in all its attempts. */
  rowsRead: number;
  bytes: number;
}

export const noChunks = (): ChunkProgress => ({ done: 0, of: 0, rowsRead: 0, bytes: 0 });

/** The transaction of the job is idle until all chunks are done, so it holds no lock that readers wait for. */
export interface ChunkedLoad extends TableJob<KeyedLoadPlan> {
  readonly chunks: Chunks;
  readonly progress: ChunkProgress;
  /** The interrupted load that this run has found. Earlier runs have read its chunks. */
  readonly loadBefore?: PendingLoad | undefined;
}

export interface Loaded {
  readonly transfer: TableTransfer;
  readonly record: StateRecord;
  /** The fence that was raised last. */
  readonly fence: RaisedFence;
  /** RFC 3339. Set if nothing was read, because the source has not changed since that time. */
  readonly unchangedSince?: string;
}

/** The time limit ended the load after a chunk. */
export interface Stopped {
  readonly kind: 'stopped';
}

export type ChunkedResult =
  | (Loaded & { readonly kind: 'loaded' })
  | Stopped
  /** `cause`: why the table is not loaded in chunks although the plan said so. */
  | { readonly kind: 'as-a-whole'; readonly cause: WholeLoadCause | undefined };

/** Its staging table keeps the space of the chunks, also of a chunk that was rolled back. */
interface KeptStaging extends Pick<TableFacts, 'stagingName'> {
  readonly settings: { readonly name: string };
}

/** A full refresh has a destination table with a cursor, so a plain sync discards the load and continues from there. */
function spaceAdvice(
  error: IncrepError,
  { settings: { name }, stagingName }: KeptStaging,
  nextCommand: string | undefined,
): string {
  const isOfSource = error.cause instanceof Error && endpointOf(error.cause)?.side === 'source';
  if (error.code !== 'DISK_FULL' || isOfSource) return '';
  const command = nextCommand === undefined ? tableCommand('reset', name) : tableCommand('sync', name);
  return `If there is no other space, discard the load, which frees the space of ${printName(stagingName)}: "${command}". `;
}

/** The command comes first, because a plain sync would discard the chunks. */
function fullDisk(
  error: IncrepError,
  progress: Pick<ChunkProgress, 'done' | 'of'>,
  nextCommand: string,
  space: string,
): IncrepError {
  const { message = '' } = error.cause instanceof Error ? error.cause : {};
  const hasChunks = progress.done > 0;
  const then = hasChunks ? `then continue with ${restOfLoad(progress)}` : 'then run the load again';
  const kept = hasChunks
    ? ' A sync without --full-refresh, for example by cron, discards the kept chunks.'
    : '';
  return reworded(error, {
    what: hasChunks ? `${error.message}; ${keptText(progress)}` : error.message,
    next: `${freeSpace('destination', message)}, ${then}: "${nextCommand}".${kept} ${space.trimEnd()}`,
    cause: error.cause,
  });
}

const keptText = ({ done, of }: Pick<ChunkProgress, 'done' | 'of'>): string =>
  `${done} of ${of} chunks are kept`;

/** An error of a load in chunks also says how many chunks are kept and which command continues the load. */
export function withKeptChunks(
  error: unknown,
  progress: Pick<ChunkProgress, 'done' | 'of'>,
  nextCommand: string | undefined,
  table: KeptStaging,
): unknown {
  if (!(error instanceof IncrepError)) return error;
  const space = progress.of === 0 ? '' : spaceAdvice(error, table, nextCommand);
  if (space !== '' && nextCommand !== undefined) return fullDisk(error, progress, nextCommand, space);
  if (progress.done === 0 && space !== '')
    return reworded(error, { what: error.message, next: `${error.next} ${space.trimEnd()}` });
  if (progress.done === 0)
    return error.code === 'INTERRUPTED' && nextCommand !== undefined
      ? reworded(error, {
          what: error.message,
          next: `Work that was not committed was rolled back. Run again: "${nextCommand}".`,
        })
      : error;
  const continues = continuationText(progress, nextCommand);
  // The advice after a signal describes loads without chunks, so it is omitted.
  const advice = error.code === 'INTERRUPTED' ? '' : `${error.next}${error.next.endsWith('.') ? ' ' : '\n'}`;
  return reworded(error, {
    what: `${error.message}; ${keptText(progress)}`,
    next: `${advice}${space}${capitalized(continues)}.`,
  });
}
