import { IncrepError } from '../../errors.ts';
import type { GlobalOptions } from '../terminal/options.ts';

/** Also aborts if the process that started this one is gone. */
export function untilEnd({ signal, terminal }: GlobalOptions): AbortSignal {
  const gone = new AbortController();
  const { input } = terminal.dialogue;
  const end = () =>
    gone.abort(
      new IncrepError('INTERRUPTED', {
        what: 'the program that started it has ended',
        next: 'Start it again.',
        exitCode: 143,
      }),
    );
  input.on('end', end).on('error', end).resume();
  return AbortSignal.any([signal, gone.signal]);
}
