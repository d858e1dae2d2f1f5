/** Formats the failures of many tables: each failure once, at the end, which a terminal shows. */
import { formatCount, LISTED, listedNames } from '../format.ts';
import { codesText } from './error.ts';
import { sameFailures, sharedHint, type NamedFailure } from './same-failure.ts';
import { printable, printableLine } from './text.ts';

/** A drift has neither a code nor an SQLSTATE. */
export type GroupedFailure = NamedFailure & { readonly sqlstate: string | null };

export function groupedLines(word: 'FAILED' | 'DRIFT', found: readonly GroupedFailure[]): string[] {
  return sameFailures(found).flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    const names = [...new Set(group.map(({ name }) => printableLine(name)))];
    const count = names.length === 1 ? '' : `${formatCount(names.length)} tables: `;
    const shared = sharedHint(group);
    return [
      `${word} ${count}${listedNames(names, LISTED)}${first.code === '' ? '' : ` (${codesText(first.code, first.sqlstate)})`}`,
      `  ${word === 'FAILED' ? 'error: ' : ''}${printableLine(first.message)}`,
      ...(first.hint === '' ? [] : [`  next: ${printable(shared ?? first.hint)}`]),
      ...(shared !== undefined ? [] : [`  The other tables need the same, with their own names.`]),
    ];
  });
}
