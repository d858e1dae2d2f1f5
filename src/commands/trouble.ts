/** What `status` and `history` could not look at, on stderr: the answer itself stands on stdout. */
import type { IncrepError } from '../errors.ts';
import { printable } from '../observe/text.ts';

interface Trouble {
  readonly isLocal: boolean;
  readonly unreachable: IncrepError | undefined;
  readonly sourceTrouble?: IncrepError | undefined;
  readonly historyTrouble: IncrepError | undefined;
}

export function sayTrouble(
  { isLocal, unreachable, sourceTrouble, historyTrouble }: Trouble,
  say: (text: string) => void,
): void {
  const line = (what: string, error: IncrepError) =>
    say(printable(`${what}${error.message}\n  next: ${error.next}\n`));
  if (isLocal) say('note: from the files of the state directory alone (--local)\n');
  if (unreachable) line('warning: from the files of the state directory alone, because ', unreachable);
  if (sourceTrouble) line('note: drift was not looked for, because ', sourceTrouble);
  if (historyTrouble) line('warning: ', historyTrouble);
}
