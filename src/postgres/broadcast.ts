/** One stream of bytes into several, at the pace of the slowest: nothing is held but what streams hold. */
import { PassThrough, type Readable } from 'node:stream';

export interface Patience {
  /** How long, in seconds, one that takes nothing may hold up the others. */
  readonly seconds: number;
  readonly tooSlow: () => Error;
  /** Told of each piece, in bytes. */
  readonly onBytes?: (bytes: number) => void;
}

/** One receiver's end. It may be destroyed at any time, and the others go on. */
export function newBranch(): PassThrough {
  const branch = new PassThrough();
  // Whoever reads it hears of it there; nobody may have begun to.
  branch.on('error', () => undefined);
  return branch;
}

/**
 * Resolves when all has been handed to those that are left. What `data` fails with all of them fail with.
 * @throws that error, or one when nobody is left: then `data` was given up in the middle.
 */
export async function broadcast(
  data: Readable,
  branches: readonly PassThrough[],
  patience: Patience,
): Promise<void> {
  try {
    for await (const chunk of data as AsyncIterable<Buffer>) {
      const open = branches.filter(({ destroyed }) => !destroyed);
      if (open.length === 0) throw new Error('nobody receives any more');
      patience.onBytes?.(chunk.length);
      await Promise.all(open.map((branch) => handOver(branch, chunk, open, patience)));
    }
    for (const branch of branches) branch.end();
  } catch (error) {
    for (const branch of branches) branch.destroy(error as Error);
    throw error;
  }
}

/** Resolves when there is room for more, or when nobody will make any. */
function handOver(
  branch: PassThrough,
  chunk: Buffer,
  open: readonly PassThrough[],
  { seconds, tooSlow }: Patience,
): Promise<void> {
  if (branch.write(chunk)) return Promise.resolve();
  return new Promise((resolve) => {
    // One that is alone holds up nobody.
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
