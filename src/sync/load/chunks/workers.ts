/** Who copies chunks: each over connections of its own, so that each chunk is a transaction of its own on both sides. */
import { Database } from '../../../postgres/database.ts';
import type { Work } from '../../context/run-context.ts';

export interface Jobs extends AsyncDisposable {
  readonly works: readonly Work[];
  /** Ends what all of them are doing; their chunks roll back. */
  readonly stop: (reason: unknown) => void;
}

export function openJobs(work: Work, count: number): Jobs {
  const failure = new AbortController();
  const signal = AbortSignal.any([failure.signal, ...(work.signal ? [work.signal] : [])]);
  const { settings, timing } = work;
  const open = new AsyncDisposableStack();
  const connectTo = (side: 'source' | 'destination') =>
    open.use(new Database(settings[side], { ...settings, signal, timing }));
  const works = Array.from({ length: count }, () => ({
    ...work,
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
