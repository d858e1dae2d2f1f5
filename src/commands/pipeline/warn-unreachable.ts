/** Reports on stderr what `status` and `history` could not read. The result itself is on stdout. */
import type { IncrepError } from '../../errors.ts';
import { LISTED, listed } from '../../format.ts';
import type { Redact } from '../../redact.ts';
import { cannotBeReached, nextStep } from '../../report/error.ts';
import { printable, wrapLines } from '../../report/text.ts';
import { userName } from '../../ownership.ts';
import type { Context } from './context.ts';
import type { Terminal } from '../terminal/terminal.ts';

interface Unread {
  readonly isLocal: boolean;
  readonly unreachable: IncrepError | undefined;
  readonly sourceError?: IncrepError | undefined;
  readonly historyError: IncrepError | undefined;
  /** Tables about which some facts are missing. */
  readonly tables?: readonly { readonly name: string; readonly problem: IncrepError | undefined }[];
}

interface Speaker extends Pick<Context, 'redact'> {
  readonly terminal: Pick<Terminal, 'say' | 'sayStyle'>;
}

const sayText = ({ terminal: { say, sayStyle }, redact }: Speaker, text: string): void =>
  say(`${wrapLines(printable(redact(text)), sayStyle)}\n`);

function sayProblem(text: string, { next }: IncrepError, { terminal, redact }: Speaker): void {
  sayText({ terminal, redact }, text);
  terminal.say(`${nextStep(redact(next), terminal.sayStyle)}\n`);
}

/** Prints the warnings about the patterns of tables-config.json. */
export function sayRemarks(remarks: readonly string[], speaker: Speaker): void {
  for (const remark of remarks) sayText(speaker, `warning: ${remark}`);
}

/** In the last line of a command that only reads. */
export const unwritableWords = (fault: IncrepError | undefined): string | undefined =>
  fault && `${wouldFail()} (${fault.code})`;

const wouldFail = (): string => `a sync by user "${userName()}" would fail`;

/** A command that only reads works with a state directory that a sync could not write. */
export function warnUnwritable(fault: IncrepError | undefined, speaker: Speaker): void {
  if (!fault) return;
  const text = `warning: ${wouldFail()}: ${fault.message}. Failures that only the state directory has recorded may be missing here`;
  sayProblem(text, fault, speaker);
}

/** A plan is useful even if every sync fails until the user has fixed the destination. */
export function warnRefused(refusal: IncrepError | undefined, speaker: Speaker): void {
  if (!refusal) return;
  sayProblem(`warning: a sync would fail before its first table: ${refusal.message}`, refusal, speaker);
}

export function warnUnreachable(
  { isLocal, unreachable, sourceError, historyError, tables = [] }: Unread,
  { say, sayStyle }: Pick<Terminal, 'say' | 'sayStyle'>,
  redact: Redact,
): void {
  const line = (what: string, error: IncrepError) =>
    sayProblem(`${what}${error.message}`, error, { terminal: { say, sayStyle }, redact });
  if (isLocal) say('note: only the state directory was read (--local)\n');
  if (unreachable)
    line(
      `warning: ${cannotBeReached('destination', unreachable)}, so only the state directory was read. The reason: `,
      unreachable,
    );
  if (sourceError) line('note: schema changes were not checked. The reason: ', sourceError);
  if (historyError) line('warning: ', historyError);
  const incomplete = tables.flatMap(({ name, problem }) => (problem ? [{ name, problem }] : []));
  // Unreadable state files have the same fix, and each message has another path.
  for (const same of Map.groupBy(incomplete, ({ problem }) => `${problem.code} ${problem.next}`).values()) {
    const [first] = same;
    const names = listed(
      same.map(({ name }) => name),
      LISTED,
    );
    if (first) line(`warning: the status of ${names} is incomplete: `, first.problem);
  }
}
