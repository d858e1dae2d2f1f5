/** Formats the failures of many tables: each failure once, at the end, which a terminal shows. */
import { formatCount, LISTED, listedNames } from '../format.ts';
import { tableCommand } from '../shell-word.ts';
import { codesText } from './error.ts';
import { otherRows, SAME_STEP, sameFailures, sharedHint, type NamedFailure } from './same-failure.ts';
import { printable, printableLine } from './text.ts';

/** A drift has neither a code nor an SQLSTATE. */
export type GroupedFailure = NamedFailure & { readonly sqlstate: string | null };

/** The steps of more groups fill a terminal. */
const FEW_GROUPS = 2;

/** `label` is the name in the output, if it is another one. */
type GroupedName = Pick<NamedFailure, 'name' | 'code'> & { readonly label?: string };

/** Whether the steps of the groups need a summary after them, which a terminal shows. */
export const needSummary = (groups: readonly (readonly GroupedName[])[]): boolean =>
  groups.length > FEW_GROUPS && groups.some(({ length }) => length > 1);

/** One line for each group, with the command that prints its step. */
export function summaryLines(groups: readonly (readonly GroupedName[])[]): string[] {
  const rest = groups.length - LISTED;
  return [
    ...groups.slice(0, LISTED).flatMap((group) => {
      const [first] = group;
      if (!first) return [];
      const names = group.length === 1 ? '' : `${formatCount(group.length)} tables, such as `;
      return `FAILED ${names}${first.label ?? printableLine(first.name)} (${first.code}): ${tableCommand('status', first.name)}`;
    }),
    ...(rest > 0 ? [`FAILED for ${formatCount(rest)} more reasons: increp status`] : []),
  ];
}

export function groupedLines(word: 'FAILED' | 'DRIFT', found: readonly GroupedFailure[]): string[] {
  return sameFailures(found).flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    const names = [...new Set(group.map(({ name }) => printableLine(name)))];
    const count = names.length === 1 ? '' : `${formatCount(names.length)} tables: `;
    const shared = sharedHint(group);
    const rows = otherRows(group);
    return [
      `${word} ${count}${listedNames(names, LISTED)}${first.code === '' ? '' : ` (${codesText(first.code, first.sqlstate)})`}`,
      `  ${word === 'FAILED' ? 'error: ' : ''}${printableLine(first.message)}`,
      ...(rows === undefined ? [] : [`  others: ${rows}`]),
      ...(first.hint === '' ? [] : [`  next: ${printable(shared ?? `${first.hint}\n${SAME_STEP}`)}`]),
    ];
  });
}
