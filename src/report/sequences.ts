/** Formats what `increp sequences` did. */
import { formatCount, formatCounted, MANY_TABLES } from '../format.ts';
import { formatColumns } from './columns.ts';
import { codesText, type PrintedError } from './error.ts';
import { groupedLines, type GroupedFailure } from './failure-groups.ts';
import type { Style } from './style.ts';
import { sameFailure, type ToldFailures } from './same-failure.ts';
import { printableLine, wrap } from './text.ts';

interface PrintedSequence {
  readonly table: string;
  /** Null if the sequences of the table could not be read. */
  readonly column: string | null;
  readonly sequence: { readonly schema: string; readonly table: string } | null;
  readonly isCreated: boolean;
  readonly kind: 'set' | 'unchanged' | 'missing' | 'failed';
  readonly from: string | null;
  readonly to: string | null;
  readonly isSourceRead: boolean;
  readonly error: PrintedError | undefined;
}

const INDENT = '    ';

/** The failures of many tables are grouped at the end, because a terminal shows the end. */
export function formatSequences(
  results: readonly PrintedSequence[],
  style: Style,
  isDryRun: boolean,
): string {
  if (results.length === 0) return 'No column of these tables draws from a sequence.\n';
  const [header = '', ...lines] = formatColumns(
    [{ title: 'STATE' }, { title: 'COLUMN' }, { title: 'SEQUENCE' }, { title: 'LAST VALUE' }],
    results.map((each) => cellsOf(each, isDryRun)),
    style,
    (cell) => cell,
  );
  const failures = results.flatMap((each) => (each.error ? [failureOf(each, each.error)] : []));
  const isMany = failures.length > MANY_TABLES;
  const told: ToldFailures = new Map();
  const details = (each: PrintedSequence | undefined): string[] => {
    if (each?.error) return isMany ? [] : failureDetails(failureOf(each, each.error), told);
    return each?.isCreated === true ? [isDryRun ? 'would be created' : 'created'] : [];
  };
  const inWidth = (text: string) => wrap(`${INDENT}${text}`, style, `${INDENT}  `);
  return `${[
    header,
    ...lines.flatMap((line, place) => [line, ...details(results[place]).flatMap(inWidth)]),
    ...remarksOn(results).flatMap((remark) => wrap(remark, style, '')),
    ...(isMany ? groupedLines('FAILED', failures) : []).flatMap(inWidth),
    totalLine(results, isDryRun),
  ].join('\n')}\n`;
}

const stateOf = ({ kind }: PrintedSequence, isDryRun: boolean): string =>
  isDryRun && kind === 'set' ? 'would set' : kind;

const cellsOf = (each: PrintedSequence, isDryRun: boolean): string[] => [
  each.kind === 'failed' ? 'FAILED' : stateOf(each, isDryRun),
  printableLine(each.column === null ? each.table : `${each.table}.${each.column}`),
  each.sequence === null ? '-' : printableLine(`${each.sequence.schema}.${each.sequence.table}`),
  each.to === null ? (each.from ?? '-') : `${each.from ?? '-'} -> ${each.to}`,
];

/** An error is no plain object, so it cannot be spread. */
const failureOf = (
  { table, sequence }: PrintedSequence,
  { code, message, next, sqlstate }: PrintedError,
): GroupedFailure => ({
  ...{ name: table, code, message, hint: next, sqlstate: sqlstate ?? null },
  ...(sequence && { otherName: sequence.table }),
});

function failureDetails(failure: GroupedFailure, told: ToldFailures): string[] {
  const same = sameFailure(failure, printableLine(failure.name), told);
  const { message, code, sqlstate, hint } = failure;
  return same === undefined ? [`${message} (${codesText(code, sqlstate)})`, `next: ${hint}`] : [same];
}

const remarksOn = (results: readonly PrintedSequence[]): string[] => [
  ...(results.every(({ isSourceRead }) => isSourceRead)
    ? []
    : [
        'The role of increp may not read the sequences of the source (GRANT SELECT ON SEQUENCE), so the values are those of the rows. Numbers of rows that were deleted may be given out again.',
      ]),
  ...(results.some(({ kind }) => kind === 'missing')
    ? ['Missing sequences are created for tables with "constraints": "copy".']
    : []),
];

/** `61 columns: 59 set, 2 failed; 1 table not read` */
function totalLine(results: readonly PrintedSequence[], isDryRun: boolean): string {
  const columns = results.filter(({ column }) => column !== null);
  const unread = results.length - columns.length;
  const counts = [...Map.groupBy(columns, (each) => stateOf(each, isDryRun))].map(
    ([state, { length }]) => `${formatCount(length)} ${state}`,
  );
  return [
    ...(columns.length === 0 ? [] : [`${formatCounted(columns.length, 'column')}: ${counts.join(', ')}`]),
    ...(unread === 0 ? [] : [`${formatCounted(unread, 'table')} not read`]),
  ].join('; ');
}
