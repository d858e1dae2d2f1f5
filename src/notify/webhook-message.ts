/** Builds the messages of a webhook: pure conversions from events to sentences and payloads. */
import type { WebhookEventType, WebhookSettings } from '../config/settings.ts';
import { sameFailures } from '../report/same-failure.ts';
import { isAmong, warningsIn } from '../report/run-warnings.ts';
import type { CurrentWarning } from '../schema/standing-warnings.ts';
import type { Failure, RunEvent, RunSummary, TableOutcome } from '../events.ts';
import { addConflicts, totalConflicts } from '../conflicts.ts';
import {
  firstLine,
  formatConflicts,
  formatCount,
  formatCountsByDestination,
  formatDeferred,
  formatSeconds,
  formatTableCounts,
  formatWarned,
  labelOf,
  listedTables,
  formatCounted,
} from '../format.ts';
import { inFields, mapStrings, type Redact } from '../redact.ts';
import { runSeconds, summaryToJson, tableToJson } from '../report/summary-json.ts';

/** The number of deferred tables that a message names. */
const NAMES_SPELT_OUT = 10;
/** The number of failures that a message describes, and the length of each. Chat programs cut long texts. */
const FAILURES_SPELT_OUT = 5;
const FAILURE_LENGTH = 300;
/** The number of warnings that a message has. */
const WARNINGS_SPELT_OUT = 3;
/** The length of each. Its end is what to do. */
const WARNING_LENGTH = 400;
/** The number of tables that one failure or warning names. */
const NAMES_OF_ONE_TEXT = 3;

export interface WebhookMessage {
  readonly type: WebhookEventType | 'test.ping';
  readonly message: string;
  /** When the event happened, not when the message is sent. */
  readonly timestamp: Date;
  readonly data: unknown;
}

export interface RunName {
  readonly runId: string;
  readonly pipeline: string;
}

const RUN_TYPES = { ok: 'run.succeeded', partial: 'run.partial', failed: 'run.failed' } as const;
const RUN_WORDS = { ok: 'succeeded', partial: 'partly failed', failed: 'failed' } as const;

const cut = (text: string, length: number) =>
  text.length <= length ? text : `${text.slice(0, length - 1).toWellFormed()}…`;

/** The problems of a configuration are the lines below the first. Excerpts of its files are not. */
function headOf(message: string): string {
  const [first = '', ...others] = message.trim().split('\n');
  if (!first.endsWith(':')) return firstLine(message);
  const problems = others.map((line) => line.trim()).filter((line) => !/^(?:\d+ \||\^)/.test(line));
  return firstLine([first, ...problems].join(' '));
}

function sentence(text: string, length = FAILURE_LENGTH): string {
  const shown = cut(text, length);
  return `${shown}${/[.?!…]$/.test(shown) ? '' : '.'}`;
}

function failureSentence({ message, hint }: Failure): string {
  const next = firstLine(hint);
  return `${sentence(headOf(message))}${next === '' ? '' : ` Next: ${sentence(next)}`}`;
}

const rowCounts = (
  rows: Pick<TableOutcome, 'rowsInserted' | 'rowsUpdated' | 'rowsDeleted' | 'rowsNewer' | 'conflicts'>,
) =>
  `${formatCounted(rows.rowsInserted, 'row')} inserted, ${formatCount(rows.rowsUpdated)} updated, ` +
  `${formatCount(rows.rowsDeleted)} deleted${rows.rowsNewer > 0 ? `, ${formatCount(rows.rowsNewer)} kept because they are newer at the destination` : ''}${
    rows.conflicts && totalConflicts(rows.conflicts) > 0 ? `, ${formatConflicts(rows.conflicts)}` : ''
  }`;

function totalRows(tables: readonly TableOutcome[]) {
  const sum = (pick: (table: TableOutcome) => number) =>
    tables.reduce((total, table) => total + pick(table), 0);
  return {
    rowsInserted: sum((table) => table.rowsInserted),
    rowsUpdated: sum((table) => table.rowsUpdated),
    rowsDeleted: sum((table) => table.rowsDeleted),
    rowsNewer: sum((table) => table.rowsNewer),
    conflicts: tables
      .map(({ conflicts }) => conflicts)
      .reduce((total, conflicts) => addConflicts(total, conflicts), undefined),
  };
}

function failureSentences(summary: RunSummary): string[] {
  const failures = summary.tables.flatMap((table) =>
    table.error ? [{ ...table, ...table.error, error: table.error }] : [],
  );
  const groups = sameFailures(failures);
  const more = groups.slice(FAILURES_SPELT_OUT).flat().length;
  return [
    ...(summary.error ? [failureSentence(summary.error)] : []),
    ...groups
      .slice(0, FAILURES_SPELT_OUT)
      .flatMap(([first, ...others]) =>
        first ? [`${placesOf([first, ...others])}: ${failureSentence(first.error)}`] : [],
      ),
    ...(more > 0 ? [`And ${formatCounted(more, 'more failed table')}.`] : []),
  ];
}

const warningSentence = (text: string): string => sentence(firstLine(text), WARNING_LENGTH);

function warningSentences({ tables, warnings }: RunSummary, due: readonly CurrentWarning[]): string[] {
  const isDue = isAmong(due);
  const ofTables = tables.flatMap((table) =>
    [...new Set(table.warnings)]
      .filter((text) => isDue(labelOf(table), text))
      .map((message) => ({ ...table, code: '', message, hint: '' })),
  );
  const texts = [
    ...warnings.filter((text) => isDue(null, text)).map(warningSentence),
    ...sameFailures(ofTables).map(
      (group) => `${placesOf(group)}: ${warningSentence(group[0]?.message ?? '')}`,
    ),
  ];
  const more = texts.length - WARNINGS_SPELT_OUT;
  return [
    ...texts.slice(0, WARNINGS_SPELT_OUT).map((text) => `Warning: ${text}`),
    ...(more > 0 ? [`And ${formatCounted(more, 'more warning')}.`] : []),
  ];
}

const placesOf = (tables: readonly Pick<TableOutcome, 'name' | 'destination'>[]) =>
  listedTables(tables, NAMES_OF_ONE_TEXT);

/** `due` are the warnings that the text has. All of them are counted. */
export function runMessage(
  summary: RunSummary,
  due: readonly CurrentWarning[] = warningsIn(summary),
): string {
  const { pipeline, status, tables, destinations = [] } = summary;
  const warned = formatWarned(tables);
  const places = formatCountsByDestination(
    tables,
    destinations.map(({ name }) => name),
  );
  const counts =
    places === undefined
      ? formatTableCounts(tables, warned === undefined ? '' : ` (${warned})`)
      : `${[formatTableCounts(tables), warned ?? []].flat().join(', ')} (${places})`;
  const left = formatDeferred(summary, NAMES_SPELT_OUT);
  return [
    `Pipeline ${pipeline} ${RUN_WORDS[status]}.`,
    `Summary: ${counts}, ${rowCounts(totalRows(tables))} in ${formatSeconds(runSeconds(summary))}.`,
    ...(left === undefined ? [] : [`${left}.`]),
    ...failureSentences(summary),
    ...warningSentences(summary, due),
  ].join(' ');
}

const atDestination = (destination: string | undefined): string =>
  destination === undefined ? '' : ` at ${destination}`;

function tableMessage(outcome: TableOutcome, pipeline: string): string {
  const table = `Table ${outcome.name}${atDestination(outcome.destination)} of pipeline ${pipeline}`;
  const seconds = formatSeconds(outcome.durationSeconds);
  if (outcome.error) return `${table} failed after ${seconds}. ${failureSentence(outcome.error)}`;
  return `${table} synced (${outcome.action}): ${rowCounts(outcome)} in ${seconds}.`;
}

const aboutTable = (outcome: TableOutcome, run: RunName): Omit<WebhookMessage, 'type'> => ({
  message: tableMessage(outcome, run.pipeline),
  timestamp: new Date(outcome.startedAt.getTime() + outcome.durationSeconds * 1000),
  data: { run_id: run.runId, pipeline: run.pipeline, ...tableToJson(outcome) },
});

const aboutRun = (
  summary: RunSummary,
  due: readonly CurrentWarning[] | undefined,
): Omit<WebhookMessage, 'type'> => ({
  message: runMessage(summary, due),
  timestamp: summary.finishedAt,
  data: summaryToJson(summary),
});

/** Undefined for most events, which have no message. */
export function messageTypeOf(event: RunEvent): WebhookEventType | undefined {
  if (event.type === 'run-finished') return RUN_TYPES[event.summary.status];
  if (event.type !== 'table-finished' || event.outcome.status === 'skipped') return undefined;
  return event.outcome.status === 'ok' ? 'table.synced' : 'table.failed';
}

/** @param due are the warnings that the text of the run has */
export function webhookMessageOf(
  event: RunEvent,
  run: RunName,
  due?: readonly CurrentWarning[],
): WebhookMessage | undefined {
  const type = messageTypeOf(event);
  if (type === undefined) return undefined;
  if (event.type === 'table-finished') return { type, ...aboutTable(event.outcome, run) };
  return event.type === 'run-finished' ? { type, ...aboutRun(event.summary, due) } : undefined;
}

/** Slack reads these three characters as markup. A table called `<!channel>` must not notify everyone. */
const escapeForSlack = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/**
 * The body that is signed and sent. Each string is redacted separately, because a secret can look different inside
 * JSON.
 */
export function bodyOf(built: WebhookMessage, format: WebhookSettings['format'], redact: Redact): string {
  const message = redact(built.message);
  if (format === 'slack') return JSON.stringify({ text: escapeForSlack(message) });
  return JSON.stringify({
    message,
    text: message,
    type: built.type,
    timestamp: built.timestamp.toISOString(),
    data: mapStrings(built.data, inFields(redact)),
  });
}
