/**
 * Copies one stream of bytes into several streams, at the pace of the slowest. It holds no more than the buffers of
 * the streams.
 */
import { PassThrough, type Readable } from 'node:stream';

export interface ReceiverLimit {
  /** How long, in seconds, a slow receiver may delay the other receivers. */
  readonly seconds: number;
  readonly tooSlow: () => Error;
  /** Called with the size of each chunk, in bytes. */
  readonly onBytes?: (bytes: number) => void;
}

/** The end of one receiver. It may be destroyed at any time; the other receivers continue. */
export function newBranch(): PassThrough {
  const branch = new PassThrough();
  // The reader of this branch handles its errors. Before there is a reader, an error must not be unhandled.
  branch.on('error', () => undefined);
  return branch;
}

/**
 * Resolves when all remaining receivers have all data. If `data` fails, all receivers fail with the same error.
 * @throws that error, or an error if no receiver is left; then `data` ends early
 */
export async function broadcast(
  data: Readable,
  branches: readonly PassThrough[],
  limit: ReceiverLimit,
): Promise<void> {
  try {
    for await (const chunk of data as AsyncIterable<Buffer>) {
      const open = branches.filter(({ destroyed }) => !destroyed);
      if (open.length === 0) throw new Error('no receiver is left');
      limit.onBytes?.(chunk.length);
      await Promise.all(open.map((branch) => handOver(branch, chunk, open, limit)));
    }
    for (const branch of branches) branch.end();
  } catch (error) {
    for (const branch of branches) branch.destroy(error as Error);
    throw error;
  }
}

/** Resolves when the branch has room for more, or is destroyed. */
function handOver(
  branch: PassThrough,
  chunk: Buffer,
  open: readonly PassThrough[],
  { seconds, tooSlow }: ReceiverLimit,
): Promise<void> {
  if (branch.write(chunk)) return Promise.resolve();
  return new Promise((resolve) => {
    // A single receiver delays no other receiver.
    const isWaitedFor = () => open.some((other) => other !== branch && !other.destroyed);
    const timer = setInterval(() => isWaitedFor() && branch.destroy(tooSlow()), seconds * 1000);
    const done = () => {
      clearInterval(timer);
      branch.off('drain', done).off('close', done);
      resolve();
    };
    branch.on('drain', done).on('close', done);
  });
}
