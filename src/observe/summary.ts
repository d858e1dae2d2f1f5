/** What a person reads at the end of a run. */
import type { Failure, RunSummary, TableOutcome } from '../events.ts';
import { formatBytes, formatCount, formatSeconds, formatTableCounts } from '../format.ts';
import { runSeconds } from '../summary-json.ts';
import { glyphsOf, painter, type Look, type Paint } from './look.ts';
import { displayWidth, padEnd, padStart, printable, printableLine, truncate } from './text.ts';

type Tint = 'green' | 'red' | 'yellow' | 'dim';

const TINTS = { ok: 'green', failed: 'red', skipped: 'dim' } as const satisfies Record<
  TableOutcome['status'],
  Tint
>;

/** Symbol and word, so that nothing is said by colour alone. */
function labelOf(status: TableOutcome['status'], look: Look): string {
  const { ok, failed } = glyphsOf(look);
  return { ok: `${ok}ok`, failed: `${failed}FAILED`, skipped: '- skipped' }[status];
}

const GAP = '  ';
const INDENT = '    ';
const NARROWEST_NAME = 12;

function rowsText(outcome: TableOutcome): string {
  if (outcome.status === 'skipped') return '';
  const counts: readonly (readonly [number, string])[] = [
    [outcome.rowsRead, 'read'],
    [outcome.rowsInserted, 'inserted'],
    [outcome.rowsUpdated, 'updated'],
    [outcome.rowsUnchanged, 'unchanged'],
    [outcome.rowsDeleted, 'deleted'],
  ];
  const said = counts.filter(([count]) => count > 0).map(([count, word]) => `${formatCount(count)} ${word}`);
  if (said.length > 0) return said.join(', ');
  return outcome.status === 'ok' ? 'no new rows' : '';
}

interface Row {
  readonly outcome: TableOutcome;
  readonly name: string;
  /** Action, rows, bytes and seconds. */
  readonly cells: readonly [string, string, string, string];
}

function rowOf(outcome: TableOutcome): Row {
  const action = outcome.action === 'skipped' ? '' : outcome.action;
  const bytes = outcome.bytes > 0 ? formatBytes(outcome.bytes) : '';
  const seconds = outcome.status === 'skipped' ? '' : formatSeconds(outcome.durationSeconds);
  return { outcome, name: printableLine(outcome.name), cells: [action, rowsText(outcome), bytes, seconds] };
}

const widest = (texts: readonly string[]) => Math.max(0, ...texts.map(displayWidth));

interface Widths {
  readonly status: number;
  readonly name: number;
  readonly cells: readonly [number, number, number, number];
}

/** Names give way first where the terminal is too narrow. */
function widthsOf(rows: readonly Row[], look: Look): Widths {
  const status = widest(rows.map(({ outcome }) => labelOf(outcome.status, look)));
  const cell = (index: 0 | 1 | 2 | 3) => widest(rows.map(({ cells }) => cells[index]));
  const cells = [cell(0), cell(1), cell(2), cell(3)] as const;
  const others = [status, ...cells].reduce((sum, each) => sum + (each > 0 ? each + GAP.length : 0), 0);
  const name = Math.min(widest(rows.map((row) => row.name)), Math.max(NARROWEST_NAME, look.width - others));
  return { status, name, cells };
}

function tableLine({ outcome, name, cells }: Row, widths: Widths, look: Look): string {
  const label = labelOf(outcome.status, look);
  // The name of a failed table is what will be typed next, so it is always whole.
  const shownName = outcome.status === 'failed' ? name : truncate(name, widths.name, glyphsOf(look).ellipsis);
  const aligned = cells.map((text, index) => (index < 2 ? padEnd : padStart)(text, widths.cells[index] ?? 0));
  const columns = [padEnd(shownName, widths.name), ...aligned.filter((text) => text !== '')];
  return `${painter(look)(TINTS[outcome.status], padEnd(label, widths.status))}${GAP}${columns.join(GAP).trimEnd()}`;
}

interface Detail {
  readonly label: string;
  readonly tint?: Tint;
  readonly text: string;
  /** Set after the last line of the text. */
  readonly suffix?: string;
}

/** A label and its text; further lines of the text stand under the first. */
function detailLine({ label, tint, text, suffix = '' }: Detail, indent: string, paint: Paint): string {
  const hanging = `\n${indent}${' '.repeat(displayWidth(label) + 1)}`;
  const shownLabel = tint ? paint(tint, label) : label;
  return `${indent}${shownLabel} ${printable(text).trim().replaceAll('\n', hanging)}${suffix}`;
}

function failureDetails({ message, hint, code, sqlstate }: Failure, paint: Paint): Detail[] {
  const codes = printableLine(sqlstate ? `${code}, SQLSTATE ${sqlstate}` : code);
  return [
    { label: 'error:', tint: 'red', text: message, suffix: ` ${paint('dim', `(${codes})`)}` },
    ...(hint.trim() === '' ? [] : [{ label: 'next: ', text: hint }]),
  ];
}

const warningDetail = (text: string): Detail => ({ label: 'warning:', tint: 'yellow', text });

/** Why, where it is not plain from the action: a table loaded as a whole, or left out. */
function hasReason({ action, status, reason, error }: TableOutcome): boolean {
  return (
    reason !== '' &&
    reason !== error?.message &&
    (status === 'skipped' || !['incremental', 'append'].includes(action))
  );
}

/** What is true of several tables is said once, at the end. */
function sharedWarnings({ tables }: RunSummary): Map<string, readonly string[]> {
  const namesOf = new Map<string, string[]>();
  for (const { name, warnings } of tables) {
    for (const warning of new Set(warnings)) namesOf.set(warning, [...(namesOf.get(warning) ?? []), name]);
  }
  return new Map([...namesOf].filter(([, names]) => names.length > 1));
}

const sharedDetail = ([text, names]: [string, readonly string[]]): Detail =>
  warningDetail(`${text} (${names.length} tables: ${names.join(', ')})`);

function tableDetails(outcome: TableOutcome, shared: ReadonlySet<string>, paint: Paint): Detail[] {
  return [
    ...(hasReason(outcome) ? [{ label: 'because', text: outcome.reason }] : []),
    ...(outcome.error ? failureDetails(outcome.error, paint) : []),
    ...outcome.warnings.filter((text) => !shared.has(text)).map(warningDetail),
  ];
}

function tableLines(row: Row, shared: ReadonlySet<string>, widths: Widths, look: Look): string[] {
  const paint = painter(look);
  const details = tableDetails(row.outcome, shared, paint);
  return [tableLine(row, widths, look), ...details.map((detail) => detailLine(detail, INDENT, paint))];
}

function closingLine(summary: RunSummary): string {
  const seconds = formatSeconds(runSeconds(summary));
  if (summary.tables.length === 0 && summary.error) return `failed in ${seconds}, before any table`;
  return `${formatTableCounts(summary.tables)} in ${seconds}`;
}

/** Several lines, each ended by a newline. */
export function formatSummary(summary: RunSummary, look: Look): string {
  const paint = painter(look);
  const rows = summary.tables.map(rowOf);
  const widths = widthsOf(rows, look);
  const shared = sharedWarnings(summary);
  const runDetails = [
    ...(summary.error ? failureDetails(summary.error, paint) : []),
    ...[...shared].map(sharedDetail),
    ...summary.warnings.map(warningDetail),
  ];
  const lines = [
    ...rows.flatMap((row) => tableLines(row, new Set(shared.keys()), widths, look)),
    ...runDetails.map((detail) => detailLine(detail, '', paint)),
    closingLine(summary),
  ];
  return `${lines.join('\n')}\n`;
}
