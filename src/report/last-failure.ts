/** The failure of the last sync of a table, below what another command says about the table. */
import { formatAge } from './age.ts';
import { codesText } from './error.ts';
import { sameFailure, type ToldFailures } from './same-failure.ts';
import type { Style } from './style.ts';
import { printable, printableLine, wrapped } from './text.ts';

export interface LastFailure {
  readonly ageSeconds: number;
  readonly code: string;
  readonly sqlstate: string | null;
  readonly message: string;
  readonly hint: string;
}

const INDENT = 8;

const NEXT = '      next: ';

/** The lines for one table. A failure that was printed for another table is not repeated. */
export function lastFailureLines(
  { name, label = printableLine(name) }: { readonly name: string; readonly label?: string },
  { ageSeconds, code, sqlstate, message, hint }: LastFailure,
  told: ToldFailures,
  style: Style,
): string[] {
  const same = sameFailure({ name, code, message, hint }, label, told);
  const text = same ?? `${printable(message)} (${codesText(code, sqlstate)})`;
  const head = `last sync: FAILED ${formatAge(ageSeconds)} ago`;
  return [
    ...wrapped(`    ${head}: `, text, INDENT, style),
    ...(same === undefined && hint !== '' ? wrapped(NEXT, printable(hint), NEXT.length, style) : []),
  ];
}
