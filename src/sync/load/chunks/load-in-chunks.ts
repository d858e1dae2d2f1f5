/**
 * A table too large for one go. One fence is raised before the first chunk, and rows at or below its mark are copied chunk
 * by chunk, each with a snapshot of its own; what has changed meanwhile comes as it does in every sync, from that fence on.
 */
import type pg from 'pg';
import { choosePlacing } from '../load.ts';
import { fenceTarget, raiseFence } from '../../fence/fence.ts';
import { beginLoad } from './begin-load.ts';
import type { BegunLoad } from '../../plan/chunk-choice.ts';
import type { ChunkedLoad, Loaded } from './chunked-load.ts';
import { copyChunks } from './copy-chunks.ts';
import { finishLoad } from './finish-load.ts';
import { openJobs, type Jobs } from './workers.ts';

/** Stopped by the time limit, or undefined where no row has a key that could be the mark: then there is nothing that tells early rows from late. */
export async function loadInChunks(request: ChunkedLoad): Promise<Loaded | 'stopped' | undefined> {
  const load = await copyAll(request);
  return load === undefined || load === 'stopped' ? load : finishLoad(request, load);
}

/** The connections are closed before the rest begins. */
async function copyAll(request: ChunkedLoad): Promise<BegunLoad | 'stopped' | undefined> {
  const { context, facts, plan, chunks, progress } = request;
  await using jobs = openJobs(context, facts.settings.loadJobs);
  const load = await begin(request, jobs);
  if (!load) return undefined;
  const ensureLocked = lockWatch(request.destination);
  const goesOn = await copyChunks({ facts, plan, load, jobs, progress, ensureLocked });
  if (!goesOn) return 'stopped';
  return { ...load, done: chunks.starts.map((_, chunk) => chunk) };
}

async function begin(
  { context, facts, plan, chunks }: ChunkedLoad,
  jobs: Jobs,
): Promise<BegunLoad | undefined> {
  const [first] = jobs.works;
  if (!first) throw new Error('a load in chunks has no job');
  // In passing: what would not survive is said now, and not after hours. People may still change things until the end.
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

/** One question at a time, however many jobs ask; it also keeps the connection from looking dead to a firewall. */
function lockWatch(client: pg.ClientBase): () => Promise<unknown> {
  let asked: Promise<unknown> = Promise.resolve();
  return () => (asked = asked.then(() => client.query('SELECT 1')));
}
