/** What is said of a run after a signal: whoever sent it will not wait for more than ten seconds. */
import type { RunSummary } from '../events.ts';

/** Aborts so many seconds later than `signal` does. */
export function afterwards(signal: AbortSignal, seconds: number): AbortSignal {
  const later = new AbortController();
  const start = () => void setTimeout(() => later.abort(), seconds * 1000).unref();
  if (signal.aborted) start();
  else signal.addEventListener('abort', start, { once: true });
  return later.signal;
}

/** After a signal there is little time before we are killed: one attempt, no waiting. */
export const attemptsAtEnd = ({ error }: RunSummary, attempts: number): number =>
  error?.code === 'INTERRUPTED' ? 1 : attempts;
