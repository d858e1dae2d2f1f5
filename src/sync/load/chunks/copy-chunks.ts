/** Copies the missing chunks. Each chunk is committed in one transaction together with the record that it is done. */
import type pg from 'pg';
import * as z from 'zod';
import { asIncrepError, IncrepError } from '../../../errors.ts';
import type { Copied } from '../../../postgres/copy-pipe.ts';
import { rewrittenLeaves } from '../../../postgres/heap.ts';
import { codeOf } from '../../../postgres/identity.ts';
import { rangeOf } from '../../../schema/heap.ts';
import { isKeyed } from '../../../schema/state-record.ts';
import { printName } from '../../../schema/names.ts';
import { claimChunk, finishChunk, sumChunks } from '../../../sql/loads.ts';
import { lockTimeout } from '../../../sql/reshape.ts';
import type { Window } from '../../../sql/window.ts';
import type { Timing } from '../../../timing.ts';
import type { TableFacts } from '../../facts/facts.ts';
import type { LoadPlan } from '../../plan/plan.ts';
import { readWindow } from '../../read/read-window.ts';
import type { RunContext } from '../../context/run-context.ts';
import type { BegunLoad } from '../../plan/chunk-choice.ts';
import type { ChunkWorkers } from './workers.ts';
import type { ChunkProgress } from './chunked-load.ts';
import { enterPhase } from '../../context/phases.ts';
import { SQLSTATE } from '../../../postgres/sqlstate.ts';

interface ChunkCopying {
  readonly facts: TableFacts;
  readonly plan: LoadPlan;
  readonly load: BegunLoad;
  readonly workers: ChunkWorkers;
  readonly progress: ChunkProgress;
  /** Rejects if the session that holds the lock of the table is lost. */
  readonly ensureLocked: () => Promise<unknown>;
}

/**
 * Returns false if the time limit is over; then chunks may be missing.
 * @throws the error of the first worker that failed; the other workers are stopped and their chunks rolled back
 */
export async function copyChunks(copying: ChunkCopying): Promise<boolean> {
  const { facts, load, workers, progress } = copying;
  const [first] = workers.contexts;
  if (!first) throw new Error('a load in chunks has no worker');
  const { starts } = load.header;
  progress.of = starts.length;
  progress.done = load.done.length;
  const before = await first.destination.withReading((client) =>
    sumsOf(client, facts.destinationName.schema, load.id),
  );
  const meter = meterOver(before);
  const left = starts.map((_, chunk) => chunk).filter((chunk) => !load.done.includes(chunk));
  const allCopied = new AbortController();
  const worker = async (context: RunContext) => {
    const metered = { ...context, emit: meter(context) };
    for (let chunk = left.shift(); chunk !== undefined; chunk = left.shift()) {
      await copyChunk(copying, metered, chunk);
      if (context.timeLimit.isOver) break;
    }
    allCopied.abort();
  };
  const helper = async () => {
    let isRefused = false;
    const copyNext = async (context: RunContext) => {
      const chunk = left.shift();
      if (chunk === undefined) return;
      try {
        await copyChunk(copying, { ...context, emit: meter(context) }, chunk);
      } catch (error) {
        // The load works without the help.
        isRefused = asIncrepError(error).code === 'TOO_MANY_CONNECTIONS';
        if (!isRefused) throw error;
        left.unshift(chunk);
      }
    };
    while (left.length > 0 && !isRefused && !first.timeLimit.isOver)
      if (!(await workers.help(copyNext, allCopied.signal))) return;
  };
  const orStop = (work: Promise<void>) => work.catch((error: unknown) => workers.stop(error));
  await Promise.all([
    ...workers.contexts.map((context) => orStop(worker(context))),
    ...Array.from({ length: workers.helpers }, () => orStop(helper())),
  ]);
  // A chunk came back after the worker had ended.
  if (left.length > 0 && !first.timeLimit.isOver && first.signal?.aborted !== true)
    await orStop(worker(first));
  first.signal?.throwIfAborted();
  // A run that only finishes the load continues past the time limit. Otherwise a short limit would never finish it.
  return !first.timeLimit.isOver || load.done.length === starts.length;
}

const sumsRow = z.object({ chunks: z.number(), rows: z.number(), bytes: z.number() });

/** The sums of all finished chunks, including those of earlier runs unless they are left out. */
export const sumsOf = async (
  client: pg.ClientBase,
  schema: string,
  id: string,
  leftOut: readonly number[] = [],
): Promise<z.infer<typeof sumsRow>> =>
  sumsRow.parse((await client.query(sumChunks(schema), [id, leftOut])).rows[0]);

/** Each worker counts from the start of its chunk. The meter turns these counts into totals over all chunks and workers. */
function meterOver(before: {
  readonly rows: number;
  readonly bytes: number;
}): (context: RunContext) => RunContext['emit'] {
  const total = { rows: before.rows, bytes: before.bytes };
  return ({ emit }) => {
    let counted = { rows: 0, bytes: 0 };
    return (event) => {
      if (event.type === 'phase-started') counted = { rows: 0, bytes: 0 };
      if (event.type !== 'rows-copied') return emit(event);
      const { bytes, rows = counted.rows } = event;
      total.bytes += bytes - counted.bytes;
      total.rows += rows - counted.rows;
      counted = { rows, bytes };
      return emit({ ...event, ...total, earlier: before.bytes });
    };
  };
}

async function copyChunk(copying: ChunkCopying, context: RunContext, chunk: number): Promise<void> {
  const { facts, load, progress } = copying;
  await copying.ensureLocked();
  const detail = `chunk ${chunk + 1} of ${load.header.starts.length}`;
  await enterPhase(context, facts, 'copy', { detail, chunks: { ...progress } });
  const { schema } = facts.destinationName;
  let copied: Copied = { rows: 0, bytes: 0 };
  await context.destination.withWriting([], async (destination) => {
    if (!(await isClaimed(destination, context.timing, { facts, id: load.id, chunk }))) return;
    copied = await readChunk(copying, context, destination, chunk);
    await destination.query(finishChunk(schema), [load.id, chunk, copied.rows, copied.bytes]);
  });
  progress.done += 1;
  progress.rowsRead += copied.rows;
  progress.bytes += copied.bytes;
}

/** False if another session has committed the chunk meanwhile. */
async function isClaimed(
  client: pg.ClientBase,
  { chunkLockGrace, lockTimeout: usual }: Timing,
  { facts, id, chunk }: { readonly facts: TableFacts; readonly id: string; readonly chunk: number },
): Promise<boolean> {
  const { destinationName } = facts;
  await client.query(lockTimeout(chunkLockGrace));
  try {
    const { rowCount } = await client.query(claimChunk(destinationName.schema), [id, chunk]);
    if (rowCount === 0) return false;
  } catch (error) {
    // The chunk refers to the row of its load, which another run has deleted.
    if (codeOf(error) !== SQLSTATE.foreignKeyViolation) throw error;
    throw new IncrepError('SCHEMA_CHANGED', {
      what: `another run abandoned the load of ${printName(destinationName)} in chunks`,
      next: 'Run increp again. It loads the table from the beginning.',
      cause: error,
    });
  }
  await client.query(lockTimeout(usual));
  return true;
}

const readChunk = (
  { facts, plan, load: { header } }: ChunkCopying,
  context: RunContext,
  destination: pg.ClientBase,
  chunk: number,
): Promise<Copied> =>
  readWindow(
    { context, facts, plan, destination },
    { questions: [], choose: () => Promise.resolve({ window: windowOf(header, chunk), isQuiet: false }) },
    async (source, copied) => {
      // Checked after the copy: since the first row was read, a lock has prevented a rewrite of the table.
      const [moved] = await rewrittenLeaves(source, header.source.leaves);
      if (moved === undefined) return copied;
      throw new IncrepError('SCHEMA_CHANGED', {
        what: `"${moved}" was rewritten at the source (VACUUM FULL, CLUSTER, TRUNCATE or REFRESH) during the load of ${printName(facts.sourceName)} in chunks, so its pages are no longer the same`,
        next: 'Run increp again. It loads the table from the beginning.',
      });
    },
  );

function windowOf({ record, starts }: BegunLoad['header'], chunk: number): Window {
  if (record.cursor === null || !isKeyed(record))
    throw new Error('a load in chunks without a high-water mark');
  return {
    replicationKey: record.replicationKey,
    keyType: record.keyType,
    from: null,
    lookbackSeconds: 0,
    nullKeys: 'include',
    chunk: { blocks: rangeOf(starts, chunk), upTo: record.cursor },
  };
}
