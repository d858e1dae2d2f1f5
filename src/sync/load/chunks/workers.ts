/** Run contexts with separate connections, so that each works in its own transactions on both sides. */
import { Database } from '../../../postgres/database.ts';
import type { ConnectionPair, RunContext } from '../../context/run-context.ts';

export interface Workers extends AsyncDisposable {
  readonly contexts: readonly RunContext[];
  /** Aborts the work of all workers; their transactions roll back. */
  readonly stop: (reason: unknown) => void;
}

interface OwnWorkers extends Workers {
  /** Connects the first workers before they have work. An error shows when they work. */
  readonly connect: (count: number) => void;
}

export function openWorkers(context: RunContext, count: number): OwnWorkers {
  const { signal, stop } = stoppable(context);
  const contexts = Array.from({ length: count }, () => ({
    ...context,
    source: connectTo(context, 'source', signal),
    destination: connectTo(context, 'destination', signal),
    signal,
  }));
  const close = async () => {
    const open = contexts.flatMap(({ source, destination }) => [source, destination]);
    await Promise.all(open.map((database) => database[Symbol.asyncDispose]()));
  };
  let connected = 0;
  const connect = (needed: number) => {
    for (const { source, destination } of contexts.slice(connected, needed))
      for (const database of [source, destination]) database.identity().catch(() => undefined);
    connected = Math.max(connected, needed);
  };
  return { contexts, stop, connect, [Symbol.asyncDispose]: close };
}

/** The workers of one load in chunks. */
export interface ChunkWorkers extends Workers {
  /** How many chunks may be copied besides, over connections that no other job of the run needs. */
  readonly helpers: number;
  /** Copies a chunk over such connections. Waits for them. Returns false if the signal was aborted before. */
  readonly help: (copy: (context: RunContext) => Promise<void>, signal: AbortSignal) => Promise<boolean>;
}

/**
 * If one table is synced at a time, each worker has its own connections. With several jobs, the first worker reads over the
 * connection of its table, and the others over the connections of idle jobs. So the run reads no more at the same time than
 * it has jobs.
 */
export function openChunkWorkers(context: RunContext, count: number): ChunkWorkers {
  const { pairs } = context;
  if (!pairs) return { ...openWorkers(context, count), helpers: 0, help: () => Promise.resolve(false) };
  const { signal, stop } = stoppable(context);
  const { source } = context;
  // The other connection to the destination holds the lock of the table, in a transaction.
  const destination = connectTo(context, 'destination', signal);
  const busy = new Set<ConnectionPair>([{ source, destination }]);
  return {
    contexts: [{ ...context, source, destination, signal }],
    helpers: count - 1,
    help: (copy, until) =>
      pairs.forChunk(
        async (pair) => {
          busy.add(pair);
          try {
            await copy({ ...context, ...pair, signal });
          } finally {
            busy.delete(pair);
          }
        },
        AbortSignal.any([signal, until]),
      ),
    stop: (reason) => {
      stop(reason);
      // These connections do not listen to the signal of the load, because they are used again after it.
      for (const pair of busy) [pair.source, pair.destination].forEach((database) => database.discard());
    },
    [Symbol.asyncDispose]: () => destination[Symbol.asyncDispose](),
  };
}

function stoppable({ signal }: RunContext): Pick<Workers, 'stop'> & { readonly signal: AbortSignal } {
  const failure = new AbortController();
  return {
    signal: AbortSignal.any([failure.signal, ...(signal ? [signal] : [])]),
    stop: (reason) => failure.abort(reason),
  };
}

const connectTo = (context: RunContext, side: 'source' | 'destination', signal: AbortSignal): Database => {
  const { settings, timing, timeLimit } = context;
  const { tunnels, asides } = context[side];
  return new Database(settings[side], { ...settings, tunnels, asides, signal, timing, timeLimit });
};
