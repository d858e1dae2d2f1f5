/** The failed tables of a run once more, at its end. */
import type { RunSummary, TableOutcome } from '../events.ts';
import { formatCount, labelInList, LISTED, listed, MANY_TABLES, outcomeWord } from '../format.ts';
import { tablesCommand } from '../shell-word.ts';
import { needSummary, summaryLines } from './failure-groups.ts';
import { otherRows, SAME_STEP, sameFailures, sharedHint, type NamedFailure } from './same-failure.ts';
import type { Style } from './style.ts';
import { INDENT } from './table-lines.ts';
import { printable, printableLine, wrap, wrapInline } from './text.ts';

/** The errors of more tables fill a terminal. */
const FEW_FAILURES = 3;

interface FailedAgain {
  /** Repeats what may stand many lines above: the messages and the steps. A mail has them once. */
  readonly withCause: boolean;
}

/** The failed tables again, after the closing lines. If their steps fill a terminal, the closing lines come after them. */
export function endingLines(
  { tables }: RunSummary,
  closing: readonly string[],
  style: Style,
  how: FailedAgain,
): readonly string[] {
  const failed = failuresOf(tables);
  if (tables.length <= MANY_TABLES && failed.length <= FEW_FAILURES) return closing;
  const groups = sameFailures(failed);
  const linesOf = (some: typeof groups) => some.flatMap((group) => failedLines(group, style, how));
  if (!how.withCause)
    return [...closing, ...linesOf(groups.filter((group) => hasNews(group, failed.length > MANY_TABLES)))];
  if (!needSummary(groups)) return [...closing, ...linesOf(groups)];
  return [
    ...linesOf(groups.filter((group, place) => group.length > 1 || place >= LISTED)),
    ...closing,
    ...inOneLine(groups, style),
  ];
}

/** Whether a mail lacks a name or a step of the group above. */
const hasNews = (group: readonly LabeledFailure[], isCut: boolean): boolean =>
  group.length > 1 && (isCut || !isStepTold(group));

/** Whether the first table has the step for all tables, or that of the others with its own name. */
function isStepTold(group: readonly LabeledFailure[]): boolean {
  const steps = withSteps(group);
  const shared = sharedHint(steps);
  return shared === undefined ? sameFailures(steps).length === 1 : shared === group[0]?.next;
}

const inOneLine = (groups: readonly (readonly LabeledFailure[])[], style: Style): string[] =>
  summaryLines(groups).flatMap((line) => wrapInline(`${INDENT}${line}`, style, `${INDENT}    `));

interface LabeledFailure extends NamedFailure {
  readonly label: string;
  readonly next: string;
  readonly outcome: TableOutcome;
}

export const failuresOf = (tables: readonly TableOutcome[]): LabeledFailure[] =>
  tables
    .filter((table) => outcomeWord(table) === 'failed')
    .flatMap((outcome) => {
      const { error, name } = outcome;
      // Each table has its own next step above.
      return error
        ? [
            {
              ...error,
              hint: '',
              next: error.hint,
              name,
              label: printableLine(labelInList(outcome)),
              outcome,
            },
          ]
        : [];
    });

/** `check` prints the statement for each table of a group, unless one statement is for all. */
function failedLines(group: readonly LabeledFailure[], style: Style, { withCause }: FailedAgain): string[] {
  const [first] = group;
  if (!first) return [];
  const { code, message } = first;
  const labels = group.map((table) => table.label);
  const rows = otherRows(group);
  // One line for each table, also for its command, because there may be hundreds.
  if (group.length === 1) return inOneLine([group], style);
  return [
    `FAILED ${formatCount(group.length)} tables (${code}): ${listed(labels, LISTED)}`,
    ...(withCause ? [`  ${printableLine(message)}`] : []),
    ...(rows === undefined ? [] : [`  others: ${rows}`]),
    ...(withCause || !isStepTold(group) ? [`  next: ${printable(stepFor(group))}`] : []),
  ].flatMap((line) =>
    wrap(`${INDENT}${line}`, style, `${INDENT}${' '.repeat(line.startsWith('  next') ? 8 : 4)}`),
  );
}

const withSteps = (group: readonly LabeledFailure[]): NamedFailure[] =>
  group.map(({ next, ...failure }) => ({ ...failure, hint: next }));

/** One step for all tables, the step of the first table if the others differ in their names alone, or the way to all steps. */
function stepFor(group: readonly LabeledFailure[]): string {
  const steps = withSteps(group);
  const shared = sharedHint(steps);
  if (shared !== undefined) return shared;
  if (sameFailures(steps).length === 1) return `${steps[0]?.hint}\n${SAME_STEP}`;
  const all = [...new Set(group.map(({ name }) => name))];
  const names = all.length > LISTED ? [] : all;
  return `The tables need different steps. To see them, run "${tablesCommand('check', names, names.length === 0 ? ['-v'] : [])}"`;
}
