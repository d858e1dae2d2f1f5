/** What is said of a run after a signal: whoever sent it will not wait for more than ten seconds. */
import type { RunSummary } from '../events.ts';

export const FAREWELL_MS = 3000;

/** Aborts a little later than `signal` does. */
export function afterwards(signal: AbortSignal, milliseconds: number): AbortSignal {
  const later = new AbortController();
  const start = () => void setTimeout(() => later.abort(), milliseconds).unref();
  if (signal.aborted) start();
  else signal.addEventListener('abort', start, { once: true });
  return later.signal;
}

/** After a signal there is little time before we are killed: one attempt, no waiting. */
export const attemptsAtEnd = ({ error }: RunSummary, attempts: number): number =>
  error?.code === 'INTERRUPTED' ? 1 : attempts;
