/** Builds the messages of a webhook: pure conversions from events to sentences and payloads. */
import type { WebhookEventType, WebhookSettings } from '../config/settings.ts';
import type { Failure, RunEvent, RunSummary, TableOutcome } from '../events.ts';
import { addConflicts, totalConflicts } from '../conflicts.ts';
import {
  firstLine,
  formatConflicts,
  formatCount,
  formatDeferred,
  formatSeconds,
  formatTableCounts,
  formatCounted,
} from '../format.ts';
import { isWarned } from '../schema/run-record.ts';
import { inFields, mapStrings, type Redact } from '../redact.ts';
import { runSeconds, summaryToJson, tableToJson } from '../report/summary-json.ts';

/** The number of deferred tables that a message names. */
const NAMES_SPELT_OUT = 10;
/** The number of failures that a message describes, and the length of each. Chat programs cut long texts. */
const FAILURES_SPELT_OUT = 5;
const FAILURE_LENGTH = 300;
/** The number of warnings of the run that a message has. */
const WARNINGS_SPELT_OUT = 3;

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

const cut = (text: string) =>
  text.length <= FAILURE_LENGTH ? text : `${text.slice(0, FAILURE_LENGTH - 1).toWellFormed()}…`;

function failureSentence({ message, hint }: Failure): string {
  const next = firstLine(hint);
  return `${cut(firstLine(message))}.${next === '' ? '' : ` Next: ${cut(next)}.`}`;
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
  const failures = summary.tables.flatMap(({ name, destination, error }) =>
    error ? [`${name}${atDestination(destination)}: ${failureSentence(error)}`] : [],
  );
  const more = failures.length - FAILURES_SPELT_OUT;
  return [
    ...(summary.error ? [failureSentence(summary.error)] : []),
    ...failures.slice(0, FAILURES_SPELT_OUT),
    ...(more > 0 ? [`And ${formatCount(more)} more.`] : []),
  ];
}

function warningSentences({ warnings }: RunSummary): string[] {
  const more = warnings.length - WARNINGS_SPELT_OUT;
  return [
    ...warnings
      .slice(0, WARNINGS_SPELT_OUT)
      .map((text) => `Warning: ${cut(firstLine(text)).replace(/\.$/, '')}.`),
    ...(more > 0 ? [`And ${formatCounted(more, 'more warning')}.`] : []),
  ];
}

export function runMessage(summary: RunSummary): string {
  const { pipeline, status, tables } = summary;
  const warned = tables.filter(isWarned).length;
  const about = warned > 0 ? ` (${formatCount(warned)} with warnings)` : '';
  const counts = `${formatTableCounts(tables, about)}, ${rowCounts(totalRows(tables))}`;
  const left = formatDeferred(summary, NAMES_SPELT_OUT);
  return [
    `Pipeline ${pipeline} ${RUN_WORDS[status]}.`,
    `Summary: ${counts} in ${formatSeconds(runSeconds(summary))}.`,
    ...(left === undefined ? [] : [`${left}.`]),
    ...failureSentences(summary),
    ...warningSentences(summary),
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

function tableWebhookMessage(outcome: TableOutcome, run: RunName): WebhookMessage | undefined {
  if (outcome.status === 'skipped') return undefined;
  return {
    type: outcome.status === 'ok' ? 'table.synced' : 'table.failed',
    message: tableMessage(outcome, run.pipeline),
    timestamp: new Date(outcome.startedAt.getTime() + outcome.durationSeconds * 1000),
    data: { run_id: run.runId, pipeline: run.pipeline, ...tableToJson(outcome) },
  };
}

/** Most events have no message. */
export function webhookMessageOf(event: RunEvent, run: RunName): WebhookMessage | undefined {
  if (event.type === 'table-finished') return tableWebhookMessage(event.outcome, run);
  if (event.type !== 'run-finished') return undefined;
  const { summary } = event;
  return {
    type: RUN_TYPES[summary.status],
    message: runMessage(summary),
    timestamp: summary.finishedAt,
    data: summaryToJson(summary),
  };
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
