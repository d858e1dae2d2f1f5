/** Formats a run: as a whole at its end, or table by table while it runs. */
import type { Action, Failure, RunEvent, RunSummary, TableOutcome } from '../events.ts';
import { formatCounted, formatSeconds, labelOf, MANY_TABLES, outcomeWord } from '../format.ts';
import { closingLines, repeatedDetails, sharedDetail, sharedWarnings } from './closing-lines.ts';
import { endingLines, failuresOf } from './failed-again.ts';
import { localTime } from './local-time.ts';
import { sameFailures, wasPrinted, withoutAges, type ToldFailures } from './same-failure.ts';
import type { Style } from './style.ts';
import {
  columnsFor,
  columnsOf,
  detailLines,
  INDENT,
  tableLines,
  type Columns,
  type Detail,
} from './table-lines.ts';
import { printableLine } from './text.ts';

const asText = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

const VERDICTS = { ok: 'done, with warnings', partial: 'partly failed', failed: 'FAILED' } as const;

/** If another run held the tables, or a signal ended the run, nothing has failed. */
function verdictOf({ status, tables, error }: RunSummary): string {
  const words = new Set([
    ...tables.map(outcomeWord),
    ...(error ? [outcomeWord({ status: 'failed', error })] : []),
  ]);
  if (words.has('failed')) return VERDICTS[status];
  if (words.has('interrupted')) return 'interrupted';
  return words.has('busy') ? (status === 'failed' ? 'busy' : 'partly busy') : VERDICTS[status];
}

/** For --quiet: only the failures, the pipeline, and the age of the destination tables that stay in use. */
export function formatProblems(
  summary: RunSummary,
  chosen: number,
  lastSuccesses: ReadonlyMap<string, Date>,
  style: Style,
): string {
  const shared = {
    warnings: new Set([...sharedWarnings(summary).keys()].map(withoutAges)),
    failures: new Map(),
  };
  const folded = withDestinationsDown(summary);
  const printed = [...folded.keys()].filter(
    ({ status, warnings }) =>
      status === 'failed' || warnings.some((text) => !shared.warnings.has(withoutAges(text))),
  );
  const failures = failuresOf(printed);
  const firsts = new Set(sameFailures(failures).map(([first]) => first?.outcome));
  // The end names all tables of each failure.
  const isTold = (table: TableOutcome) =>
    failures.length <= MANY_TABLES || outcomeWord(table) !== 'failed' || firsts.has(table);
  const columns = columnsOf(printed.filter(isTold), style);
  const linesOf = (outcome: TableOutcome) => [
    ...tableLines(outcome, shared, columns, style),
    ...(outcome.status === 'failed'
      ? lastDetails(latest(folded.get(outcome)?.map(labelOf), lastSuccesses), summary.finishedAt).flatMap(
          (detail) => detailLines(detail, INDENT, style),
        )
      : []),
  ];
  const last = latest([...lastSuccesses.keys()], lastSuccesses);
  const isBeforeTables = summary.error !== undefined && summary.tables.length === 0;
  return asText([
    `pipeline ${printableLine(summary.pipeline)}: ${verdictOf(summary)}`,
    ...printed.filter(isTold).flatMap(linesOf),
    ...(isBeforeTables
      ? lastDetails(last, summary.finishedAt).flatMap((detail) => detailLines(detail, '', style))
      : []),
    ...endingLines(
      { ...summary, tables: [...folded.keys()] },
      closingLines(summary, chosen, [...sharedWarnings(summary)].map(sharedDetail), style),
      style,
      { withCause: false },
    ),
  ]);
}

/** The printed tables, each with the tables that it represents: one stands for a destination that could not be synced. */
function withDestinationsDown({
  tables,
  destinations = [],
}: RunSummary): ReadonlyMap<TableOutcome, readonly TableOutcome[]> {
  const placeOf = ({ destination, error }: TableOutcome) =>
    destinations.find(({ name, error: ofAll }) => name === destination && isAlike(ofAll, error))?.name;
  const groups = Map.groupBy(tables, (table) => placeOf(table) ?? table);
  return new Map(
    [...groups.values()].flatMap(([first, ...others]) =>
      !first
        ? []
        : [
            others.length > 0
              ? [{ ...first, name: formatCounted(others.length + 1, 'table') }, [first, ...others]]
              : [first, [first]],
          ],
    ),
  );
}

const isAlike = (one: Failure | undefined, other: Failure | undefined): boolean =>
  one !== undefined && one.code === other?.code && one.message === other.message;

const latest = (labels: readonly string[] = [], times: ReadonlyMap<string, Date>): Date | undefined =>
  labels.flatMap((label) => times.get(label) ?? []).toSorted((a, b) => b.getTime() - a.getTime())[0];

/** Without a line if it is not known, for example because the table was reset. */
const lastDetails = (last: Date | undefined, now: Date): Detail[] =>
  last
    ? [
        {
          label: 'last success:',
          text: `${localTime(last)}, ${formatSeconds((now.getTime() - last.getTime()) / 1000)} before`,
        },
      ]
    : [];

export const hasProblems = ({ status, warnings, tables }: RunSummary): boolean =>
  status !== 'ok' || warnings.length > 0 || tables.some((table) => table.warnings.length > 0);

/**
 * The same lines while the run continues. Of many tables, the tables without changes, and those that failed like one before,
 * are only counted, at the end. A warning of several tables is printed below the first table. The end names the other tables.
 */
export function summaryByTable(lookNow: () => Style): (event: RunEvent) => string | undefined {
  const said = { warnings: new Set<string>(), failures: new Map() };
  let names: readonly string[] = [];
  let longestAction: Action = 'incremental';
  const linesOf = (outcome: TableOutcome): string => {
    const style = lookNow();
    const hasNews = outcome.warnings.some((warning) => !said.warnings.has(withoutAges(warning)));
    if (names.length > MANY_TABLES && !hasNews && (outcome.isQuiet || failsLike(said.failures, outcome)))
      return '';
    const columns: Columns = columnsFor(names, longestAction, style);
    const lines = tableLines(outcome, said, columns, style);
    for (const warning of outcome.warnings) said.warnings.add(withoutAges(warning));
    return asText(lines);
  };
  return (event) => {
    if (event.type === 'run-started') {
      names = labelsOf(event);
      longestAction = event.hasFullRefresh === true ? 'full-refresh' : 'incremental';
    }
    return event.type === 'table-finished' ? linesOf(event.outcome) : undefined;
  };
}

const failsLike = (told: ToldFailures, { status, error, name }: TableOutcome): boolean =>
  error !== undefined && outcomeWord({ status, error }) === 'failed' && wasPrinted({ ...error, name }, told);

const labelsOf = ({ tables, destinations }: Extract<RunEvent, { type: 'run-started' }>): readonly string[] =>
  destinations?.flatMap((destination) => tables.map((name) => labelOf({ name, destination }))) ?? tables;

/**
 * The lines that `summaryByTable` has not printed. After many tables, the failed ones are named again. `chosen` is the
 * number of tables that the run would have synced, at all destinations.
 */
export const formatEnding = (summary: RunSummary, chosen: number, style: Style): string =>
  asText(
    endingLines(summary, closingLines(summary, chosen, repeatedDetails(summary), style), style, {
      withCause: true,
    }),
  );
