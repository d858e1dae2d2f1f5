/** Who copies chunks: each over connections of its own, so that each chunk is a transaction of its own on both sides. */
import { Database } from '../../../postgres/database.ts';
import type { RunContext } from '../../context/run-context.ts';

export interface Jobs extends AsyncDisposable {
  readonly works: readonly RunContext[];
  /** Ends what all of them are doing; their chunks roll back. */
  readonly stop: (reason: unknown) => void;
}

export function openJobs(context: RunContext, count: number): Jobs {
  const failure = new AbortController();
  const signal = AbortSignal.any([failure.signal, ...(context.signal ? [context.signal] : [])]);
  const { settings, timing } = context;
  const open = new AsyncDisposableStack();
  const connectTo = (side: 'source' | 'destination') =>
    open.use(new Database(settings[side], { ...settings, signal, timing }));
  const works = Array.from({ length: count }, () => ({
    ...context,
    source: connectTo('source'),
    destination: connectTo('destination'),
    signal,
  }));
  return {
    works,
    stop: (reason) => failure.abort(reason),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
