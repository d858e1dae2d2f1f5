/** What `status` and `history` could not look at, on stderr: the answer itself stands on stdout. */
import type { IncrepError } from '../../errors.ts';
import type { Redact } from '../../redact.ts';
import { printable, wrapLines } from '../../report/text.ts';
import type { Context } from './context.ts';
import type { Terminal } from '../terminal/terminal.ts';

interface Trouble {
  readonly isLocal: boolean;
  readonly unreachable: IncrepError | undefined;
  readonly sourceTrouble?: IncrepError | undefined;
  readonly historyTrouble: IncrepError | undefined;
  /** Those of which not all could be found out. */
  readonly tables?: readonly { readonly name: string; readonly trouble: IncrepError | undefined }[];
}

/** What there is to say of the patterns of tables-config.json. */
export function sayRemarks(
  remarks: readonly string[],
  { terminal: { say, sayStyle }, redact }: Pick<Context, 'terminal' | 'redact'>,
): void {
  for (const remark of remarks) say(wrapLines(printable(redact(`warning: ${remark}\n`)), sayStyle.width));
}

export function warnUnreachable(
  { isLocal, unreachable, sourceTrouble, historyTrouble, tables = [] }: Trouble,
  { say, sayStyle }: Pick<Terminal, 'say' | 'sayStyle'>,
  redact: Redact,
): void {
  const line = (what: string, error: IncrepError) =>
    say(wrapLines(printable(redact(`${what}${error.message}\n  next: ${error.next}\n`)), sayStyle.width));
  if (isLocal) say('note: from the files of the state directory alone (--local)\n');
  if (unreachable) line('warning: from the files of the state directory alone, because ', unreachable);
  if (sourceTrouble) line('note: drift was not looked for, because ', sourceTrouble);
  if (historyTrouble) line('warning: ', historyTrouble);
  for (const { name, trouble } of tables)
    if (trouble) line(`warning: not all is known of ${name}: `, trouble);
}
