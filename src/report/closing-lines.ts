/** The last lines of a run: its own errors and warnings, and the number of tables. */
import type { Failure, RunSummary, TableOutcome } from '../events.ts';
import {
  formatCount,
  formatCounted,
  formatCountsByDestination,
  formatDeferred,
  formatSeconds,
  formatTableCounts,
  formatWarned,
  labelInList,
  LISTED,
  listed,
  listedTables,
  MANY_TABLES,
  outcomeWord,
} from '../format.ts';
import { failureKey, withoutAges } from './same-failure.ts';
import { painter, type Style } from './style.ts';
import { runSeconds } from './summary-json.ts';
import { detailLines, failureDetails, INDENT, warningDetail, type Detail } from './table-lines.ts';
import { printableLine, wrap } from './text.ts';

const isSame = (one: Failure, other: Failure): boolean =>
  failureKey({ ...one, name: '' }) === failureKey({ ...other, name: '' });

/** A table that a signal interrupted has its own message. */
const isToldByTable = (error: Failure, { tables }: RunSummary): boolean =>
  tables.some(
    (table) =>
      table.error !== undefined &&
      (isSame(table.error, error) || (error.code === 'INTERRUPTED' && table.error.code === 'INTERRUPTED')),
  );

export function closingLines(
  summary: RunSummary,
  chosen: number,
  shared: readonly Detail[],
  style: Style,
): string[] {
  const { error } = summary;
  const details = [
    ...(error && !isToldByTable(error, summary) ? failureDetails(error, painter(style)) : []),
    ...shared,
    ...summary.warnings.map(warningDetail),
  ];
  const left = formatDeferred(summary);
  return [
    ...details.flatMap((detail) => detailLines(detail, '', style)),
    closingLine(summary, chosen),
    ...(left === undefined ? [] : wrap(printableLine(left), style, INDENT)),
    ...nextForRest(summary, chosen).flatMap((line) => wrap(line, style, INDENT)),
  ];
}

/** For tables that a run did not start because another one failed. After a signal, the error has the command. */
const nextForRest = ({ repeatCommand, tables, error }: RunSummary, chosen: number): string[] =>
  repeatCommand === undefined || tables.length === 0 || tables.length >= chosen || error
    ? []
    : [`next: For the tables that were not started, run "${printableLine(repeatCommand)}"`];

/** The warnings that several tables have, as the first of them has it, with the tables. */
export function sharedWarnings({ tables }: RunSummary): Map<string, readonly TableOutcome[]> {
  const found = tables.flatMap((table) => table.warnings.map((text) => ({ text, table })));
  const alike = [...Map.groupBy(found, ({ text }) => withoutAges(text)).values()];
  return new Map(
    alike
      .map((group) => [group[0]?.text ?? '', [...new Set(group.map(({ table }) => table))]] as const)
      .filter(([, { length }]) => length > 1),
  );
}

export const sharedDetail = ([text, tables]: [string, readonly TableOutcome[]]): Detail =>
  warningDetail(`${listedTables(tables, LISTED)}: ${text}`);

/** For warnings that were printed below the first table. */
export function repeatedDetails(summary: RunSummary): Detail[] {
  return [...sharedWarnings(summary)].map(([text, [, ...others]]) =>
    warningDetail(`${beginningOf(text)} (also ${listed(others.map(labelInList), LISTED)})`),
  );
}

/** Enough to recognize a warning that was printed before. */
const BEGINNING = 60;

function beginningOf(text: string): string {
  if (text.length <= BEGINNING) return text;
  const end = text.lastIndexOf(' ', BEGINNING);
  const cut = text.slice(0, end === -1 ? BEGINNING : end);
  const bracket = cut.lastIndexOf(' (');
  // An open bracket would enclose what follows.
  return `${bracket > cut.lastIndexOf(')') ? cut.slice(0, bracket) : cut} ...`;
}

/** Seconds. A webhook that answers takes less. */
const NOTICEABLE = 2;

function closingLine(summary: RunSummary, chosen: number): string {
  const { reportSeconds = 0 } = summary;
  const reporting =
    reportSeconds < NOTICEABLE ? '' : `, and ${formatSeconds(reportSeconds)} more to report the run`;
  const seconds = `${formatSeconds(runSeconds(summary))}${reporting}`;
  if (summary.tables.length === 0 && summary.error)
    return `Run failed after ${seconds}. No table was synced.`;
  const missing = chosen - summary.tables.length;
  const notStarted = missing > 0 ? `, ${formatCount(missing)} not started` : '';
  const places = (summary.destinations ?? []).map(({ name }) => name);
  const results = places.length > LISTED ? undefined : formatCountsByDestination(summary.tables, places);
  const where =
    results !== undefined
      ? ` (${printableLine(results)})`
      : places.length === 0
        ? ''
        : ` at ${formatCounted(places.length, 'destination')}`;
  const unlisted = summary.tables.length > MANY_TABLES ? unchangedText(summary.tables) : '';
  const warned = formatWarned(summary.tables);
  const isKnown = summary.tables.some((table) => table.hasKnownWarnings);
  const warnings = warned === undefined ? '' : `, ${warned}${isKnown ? ', some reported before' : ''}`;
  return `${formatTableCounts(summary.tables, unlisted)}${warnings}${notStarted}${where} in ${seconds}`;
}

/** The rows of some tables are read to find out that nothing has changed. These tables have lines of their own. */
function unchangedText(tables: readonly TableOutcome[]): string {
  const unchanged = tables.filter(isUnchanged);
  if (unchanged.length === 0) return '';
  const read = unchanged.filter(({ rowsRead }) => rowsRead > 0).length;
  return ` (${formatCount(unchanged.length)} without changes${read > 0 ? `, of which ${formatCount(read)} ${read === 1 ? 'was' : 'were'} read again` : ''})`;
}

const isUnchanged = (table: TableOutcome): boolean =>
  outcomeWord(table) === 'ok' &&
  table.rowsInserted + table.rowsUpdated + table.rowsDeleted === 0 &&
  table.action !== 'initial' &&
  table.action !== 'reset' &&
  table.reasons.every(({ code }) => code !== 'drift');
