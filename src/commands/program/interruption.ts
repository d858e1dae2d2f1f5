/** What to do after a signal, by command. The signal does not know which command it stops. */
import { IncrepError, reworded } from '../../errors.ts';

/** The text of the signal is about `sync` and `demo`, which continue. `init` has a text of its own. */
const WITH_OWN_TEXT = ['sync', 'demo', 'init'];

function nextAfterSignal(command: string, options: object): string | undefined {
  if (WITH_OWN_TEXT.includes(command)) return undefined;
  const isWriting = command === 'reset' || ('repair' in options && options.repair === true);
  return `${isWriting ? 'Work that was not committed was rolled back' : 'Nothing was changed'}. Run the command again.`;
}

/** Returns any other error unchanged. */
export function interrupted(thrown: unknown, command: string, options: object): unknown {
  if (!(thrown instanceof IncrepError) || thrown.code !== 'INTERRUPTED') return thrown;
  const next = nextAfterSignal(command, options);
  return next === undefined ? thrown : reworded(thrown, { what: thrown.message, next });
}
