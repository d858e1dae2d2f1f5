/** Formats what `increp sequences` did. */
import { formatCount, formatCounted, LISTED, listed, MANY_TABLES } from '../format.ts';
import type { Attempted } from '../errors.ts';
import { formatColumns } from './columns.ts';
import { codesText, type PrintedError } from './error.ts';
import { groupedLines, type GroupedFailure } from './failure-groups.ts';
import type { Style } from './style.ts';
import { sameFailure, type ToldFailures } from './same-failure.ts';
import { ident, qualified } from '../sql/identifiers.ts';
import { printableLine, wrap } from './text.ts';

interface SequenceName {
  readonly schema: string;
  readonly table: string;
}

interface PrintedSequence {
  readonly table: string;
  /** Null if the sequences of the table could not be read. */
  readonly column: string | null;
  readonly sequence: SequenceName | null;
  readonly isCreated: boolean;
  readonly kind: 'set' | 'unchanged' | 'missing' | 'failed';
  readonly from: string | null;
  readonly to: string | null;
  /** The sequence of the source, if the role of increp may not read it. */
  readonly unread: { readonly name: SequenceName; readonly role: string } | undefined;
  /** Create a missing sequence at the destination. */
  readonly statements: readonly string[];
  readonly error: PrintedError | undefined;
}

const INDENT = '    ';
/** The statements that the output prints. */
const MOST_STATEMENTS = 30;

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
    ...remarksOn(results).flatMap((remark) =>
      wrap(remark, style, /^ *next/.test(remark) ? `${INDENT}  ` : ''),
    ),
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
  each.to === null ? (each.from ?? '-') : `${each.from ?? 'none'} -> ${each.to}`,
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
  ...unreadRemark(results),
  ...missingRemark(results.flatMap(({ kind, statements }) => (kind === 'missing' ? statements : []))),
];

function unreadRemark(results: readonly PrintedSequence[]): string[] {
  const unread = results.flatMap((each) => each.unread ?? []);
  const [first] = unread;
  if (!first) return [];
  const isAnySet = results.some((each) => each.unread && each.kind !== 'missing' && each.kind !== 'failed');
  const values = isAnySet
    ? ', so the values are those of the rows. Numbers of rows that were deleted may be given out again'
    : '';
  return [
    `Role "${first.role}" may not read ${unread.length === 1 ? 'a sequence' : 'the sequences'} of the source${values}.`,
    `${INDENT}next: At the source, run: ${grantsText(first.role, unread)}`,
  ];
}

function grantsText(role: string, unread: readonly { readonly name: SequenceName }[]): string {
  const names = [...new Set(unread.map(({ name }) => qualified(name)))];
  const schemas = [...new Set(unread.map(({ name }) => ident(name.schema)))];
  return names.length > MANY_TABLES
    ? `GRANT SELECT ON ALL SEQUENCES IN SCHEMA ${schemas.join(', ')} TO ${ident(role)}`
    : `GRANT SELECT ON SEQUENCE ${names.join(', ')} TO ${ident(role)}`;
}

/** Columns may share a sequence, which is created once. */
function missingRemark(statements: readonly string[]): string[] {
  if (statements.length === 0) return [];
  const unique = [...new Set(statements)];
  return [
    'The destination has no sequence for the missing columns, so it gives out no numbers there.',
    `${INDENT}next: Run these statements at the destination as the owner of the tables, or set "constraints": "copy" for these tables. Then run "increp sequences".`,
    `${INDENT}The statements:`,
    ...unique.slice(0, MOST_STATEMENTS).map((statement) => `${INDENT}  ${statement};`),
    ...(unique.length > MOST_STATEMENTS
      ? [`${INDENT}To print all ${formatCount(unique.length)} statements, run "increp sequences --json".`]
      : []),
  ];
}

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

interface PrintedFreeSequence {
  readonly name: SequenceName;
  readonly last: string | null;
}

/** Sequences that no copied column uses. Empty if there are none. */
export function freeSequencesNote(found: Attempted<readonly PrintedFreeSequence[]>, style: Style): string {
  if (found.kind === 'failed')
    return `${wrap(`note: sequences that no copied column uses were not checked: ${found.error.message}`, style, INDENT).join('\n')}\n`;
  const free = found.value;
  if (free.length === 0) return '';
  const object = free.length === 1 ? 'it' : 'them';
  const names = free.map(({ name: { schema, table }, last }) =>
    printableLine(`${schema}.${table}${last === null ? '' : ` (${last})`}`),
  );
  const text = `note: no copied column uses ${formatCounted(free.length, 'sequence')} of the source, so increp does not create or set ${object}: ${listed(names, LISTED)}`;
  const next = `${INDENT}next: If applications use ${object}, create ${object} at the destination. Then set the last value (in parentheses) with setval().`;
  return `${[...wrap(text, style, INDENT), ...wrap(next, style, `${INDENT}      `)].join('\n')}\n`;
}
