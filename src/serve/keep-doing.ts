/** Work that is repeated until a signal. An error of one time does not end it. */
import { sleep } from '../backoff.ts';

interface Repeated {
  readonly everySeconds: number;
  readonly signal: AbortSignal;
  readonly work: () => Promise<unknown>;
  readonly onError: (error: unknown) => void;
}

/** Resolves when the signal is aborted and the work has ended. */
export async function keepDoing({ everySeconds, signal, work, onError }: Repeated): Promise<void> {
  while (!signal.aborted) {
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) onError(error);
    }
    await pause(everySeconds, signal);
  }
}

/** Ends early at the signal. */
export async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await sleep(seconds, signal).catch(() => undefined);
}
