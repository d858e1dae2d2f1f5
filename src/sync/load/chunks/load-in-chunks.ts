/**
 * Loads a large table in chunks. One fence is raised before the first chunk. The rows at or below its mark are copied chunk
 * by chunk, each chunk in its own snapshot. Later changes are read as in every sync, from that fence on.
 */
import type pg from 'pg';
import { fenceTarget, raiseFence } from '../../fence/fence.ts';
import { beginLoad } from './begin-load.ts';
import type { BegunLoad } from '../../plan/chunk-choice.ts';
import type { ChunkedLoad, ChunkedResult } from './chunked-load.ts';
import { copyChunks } from './copy-chunks.ts';
import { finishLoad } from './finish-load.ts';
import { openChunkWorkers, type Workers } from './workers.ts';
import { choosePlacing } from '../choose-placing.ts';

export async function loadInChunks(request: ChunkedLoad): Promise<ChunkedResult> {
  const copied = await copyAll(request);
  return copied.kind === 'copied' ? { kind: 'loaded', ...(await finishLoad(request, copied.load)) } : copied;
}

type CopiedAll =
  { readonly kind: 'copied'; readonly load: BegunLoad } | Exclude<ChunkedResult, { readonly kind: 'loaded' }>;

/** The connections of the workers are closed before the load is finished. */
async function copyAll(request: ChunkedLoad): Promise<CopiedAll> {
  const { context, facts, plan, chunks, progress } = request;
  await using workers = openChunkWorkers(context, facts.settings.loadJobs);
  const load = await begin(request, workers);
  if (!load)
    return {
      kind: 'as-a-whole',
      cause: { code: 'no-plausible-key', replicationKey: plan.replicationKey },
    };
  const ensureLocked = lockChecker(request.destination);
  const hasTime = await copyChunks({ facts, plan, load, workers, progress, ensureLocked });
  return hasTime
    ? { kind: 'copied', load: { ...load, done: chunks.starts.map((_, chunk) => chunk) } }
    : { kind: 'stopped' };
}

/** Undefined if no row has a plausible key for the mark. Then increp cannot separate the rows of the chunks from later rows. */
async function begin(
  { context, facts, plan, chunks }: ChunkedLoad,
  { contexts: [first] }: Workers,
): Promise<BegunLoad | undefined> {
  if (!first) throw new Error('a load in chunks has no worker');
  // A dependent object that would not survive is reported now, and not after hours. The end of the load checks again.
  const rehearse = (client: pg.ClientBase) => choosePlacing(client, facts, plan, context.timing);
  const { resumed } = chunks;
  if (resumed) {
    await first.destination.withWriting([], rehearse);
    return resumed;
  }
  const fence = await raiseFence(context, fenceTarget(facts, plan));
  if (fence.high === null) return undefined;
  return first.destination.withWriting([], async (client) => {
    await rehearse(client);
    return beginLoad(client, { context, facts, plan, chunks, fence });
  });
}

/**
 * Verifies that the session with the table lock is alive. Queries are queued, one at a time, and keep the connection from
 * being dropped by a firewall.
 */
function lockChecker(client: pg.ClientBase): () => Promise<unknown> {
  let queue: Promise<unknown> = Promise.resolve();
  return () => (queue = queue.then(() => client.query('SELECT 1')));
}
