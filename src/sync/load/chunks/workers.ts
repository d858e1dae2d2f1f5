/** Run contexts with separate connections, so that each works in its own transactions on both sides. */
import { Database } from '../../../postgres/database.ts';
import type { RunContext } from '../../context/run-context.ts';

export interface Workers extends AsyncDisposable {
  readonly contexts: readonly RunContext[];
  /** Aborts the work of all workers; their transactions roll back. */
  readonly stop: (reason: unknown) => void;
}

export function openWorkers(context: RunContext, count: number): Workers {
  const failure = new AbortController();
  const signal = AbortSignal.any([failure.signal, ...(context.signal ? [context.signal] : [])]);
  const { settings, timing, timeLimit } = context;
  const open = new AsyncDisposableStack();
  const connectTo = (side: 'source' | 'destination') =>
    open.use(
      new Database(settings[side], {
        ...settings,
        tunnels: context[side].tunnels,
        signal,
        timing,
        timeLimit,
      }),
    );
  const contexts = Array.from({ length: count }, () => ({
    ...context,
    source: connectTo('source'),
    destination: connectTo('destination'),
    signal,
  }));
  return {
    contexts,
    stop: (reason) => failure.abort(reason),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
