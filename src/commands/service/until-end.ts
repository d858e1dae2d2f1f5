import { Socket } from 'node:net';
import { IncrepError } from '../../errors.ts';
import type { GlobalOptions } from '../terminal/options.ts';

interface Ends {
  /** Also aborts if the process that started this one is gone. */
  readonly signal: AbortSignal;
  /** Aborts if that process does not wait for this one, for example because it got a second signal. */
  readonly hurry: AbortSignal;
}

export function untilEnd({ signal, terminal }: GlobalOptions): Ends {
  const [gone, hurry] = [new AbortController(), new AbortController()];
  const { input } = terminal.dialogue;
  const end = () => {
    if (signal.aborted) hurry.abort();
    gone.abort(
      new IncrepError('INTERRUPTED', {
        what: 'the program that started it has ended',
        next: 'Start it again.',
        exitCode: 143,
      }),
    );
  };
  input.on('end', end).on('error', end).resume();
  // A pipe that is still open must not keep a process that has finished.
  if (input instanceof Socket) input.unref();
  return { signal: AbortSignal.any([signal, gone.signal]), hurry: hurry.signal };
}
