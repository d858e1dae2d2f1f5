/**
 * Limits the messages about a run after a signal. A supervisor often kills the process ten seconds after its signal.
 */
import type { RunSummary } from '../events.ts';

/** Aborts this many seconds after `signal` aborts. */
export function afterwards(signal: AbortSignal, seconds: number): AbortSignal {
  const later = new AbortController();
  const start = () => void setTimeout(() => later.abort(), seconds * 1000).unref();
  if (signal.aborted) start();
  else signal.addEventListener('abort', start, { once: true });
  return later.signal;
}

/** After a signal, there is little time before the process is killed. So there is one attempt and no wait. */
export const attemptsAtEnd = ({ error }: RunSummary, attempts: number): number =>
  error?.code === 'INTERRUPTED' ? 1 : attempts;
