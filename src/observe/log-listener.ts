/** Writes the events of a run to the log, each at its level. */
import type { Logger } from 'pino';
import type { Listener, Phase, RunEvent, RunSummary, TableOutcome } from '../events.ts';
import { formatDeferred, formatSeconds, formatTableCounts } from '../format.ts';
import { failureFields } from '../report/error.ts';
import { reasonText } from '../report/reasons.ts';
import { runSeconds, tableToJson } from '../report/summary-json.ts';

function logTable(logger: Logger, outcome: TableOutcome): void {
  // The warnings of the table are already in the log.
  const { name: table, status, warnings: _, error: __, loader, ...counts } = tableToJson(outcome);
  const fields = { table, status, ...(loader ? { loader } : {}), ...counts };
  const { error } = outcome;
  if (error) logger.error({ ...fields, ...failureFields(error) }, `failed: ${error.message}`);
  else if (outcome.status === 'ok') logger.info(fields, 'done');
  else
    logger.info(
      fields,
      `${outcome.isDeferred ? 'deferred to the next run' : 'skipped'}: ${reasonText(outcome.reasons)}`,
    );
}

function logRunEnd(logger: Logger, summary: RunSummary): void {
  const duration = runSeconds(summary);
  const left = formatDeferred(summary);
  const text = `${formatTableCounts(summary.tables)} in ${formatSeconds(duration)}${left === undefined ? '' : `; ${left}`}`;
  const fields = { status: summary.status, duration_s: duration };
  const { error } = summary;
  if (error) logger.error({ ...fields, ...failureFields(error) }, `run failed: ${error.message}; ${text}`);
  else if (summary.status === 'ok') logger.info(fields, `run finished: ${text}`);
  else logger.error(fields, `run finished: ${text}`);
}

function logRetry(logger: Logger, event: Extract<RunEvent, { type: 'retrying' }>): void {
  const { table, attempt, delaySeconds, error } = event;
  const fields = { ...(table === undefined ? {} : { table }), attempt, delay_s: delaySeconds };
  const wait = formatSeconds(delaySeconds);
  const { hint: _, ...codes } = failureFields(error);
  logger.warn({ ...fields, ...codes }, `${error.message}; trying again in ${wait}`);
}

function logEvent(logger: Logger, event: RunEvent): void {
  switch (event.type) {
    case 'run-started':
      return logger.info(
        { tables: event.tables.length, ...(event.destinations && { destinations: event.destinations }) },
        'run started',
      );
    case 'table-planned': {
      const { table, action, reasons, estimatedRows } = event;
      const estimate = estimatedRows === undefined ? {} : { estimated_rows: estimatedRows };
      return logger.info({ table, action, reason: reasonText(reasons), ...estimate }, `planned: ${action}`);
    }
    case 'phase-started': {
      const { table, phase, detail, waitsFor } = event;
      const what = waitsFor === undefined ? detail : `waiting for ${waitsFor}`;
      return logger.debug({ table }, what ? `${phase}: ${what}` : phase);
    }
    case 'rows-copied':
      return logger.trace({ table: event.table, bytes: event.bytes }, 'copied');
    case 'warning':
      return logger.warn(event.table === undefined ? {} : { table: event.table }, event.message);
    case 'retrying':
      return logRetry(logger, event);
    case 'table-held':
      return undefined;
    case 'table-finished':
      return logTable(logger, event.outcome);
    case 'run-finished':
      return logRunEnd(logger, event.summary);
  }
}

/**
 * Every log line about a table names the phase in which it was written. For a failure, this is where it happened. A quiet
 * run logs no warnings here, because it knows at its end which of them are due.
 */
export function logListener(logger: Logger, { hasWarnings = true } = {}): Listener {
  /** By destination, and by table if several tables are synced at the same time. */
  const phases = new Map<string, Phase | 'plan'>();
  let hasJobs = false;
  return (event) => {
    if (event.type === 'run-started') hasJobs = event.jobs !== undefined;
    const destination = 'destination' in event ? event.destination : undefined;
    const [table, place] =
      event.type === 'table-finished'
        ? [event.outcome.name, event.outcome.destination]
        : ['table' in event ? event.table : undefined, destination];
    const of = JSON.stringify([place, hasJobs && table]);
    if (event.type === 'phase-started') phases.set(of, event.phase);
    else if (event.type === 'table-planned') phases.set(of, 'plan');
    else if (!('table' in event || event.type === 'table-finished')) phases.delete(of);
    const phase = phases.get(of);
    // The line about a finished table has a field for the phase.
    const bindings = { ...(destination !== undefined && { destination }), ...(phase && { phase }) };
    if (hasWarnings || event.type !== 'warning')
      logEvent(Object.keys(bindings).length === 0 ? logger : logger.child(bindings), event);
    if (hasJobs && event.type === 'table-finished') phases.delete(of);
  };
}

/**
 * Beside a progress line, the log contains only retries. The summary has the rest. The library that prints them takes longer to
 * load than a run without changes, so it is loaded for the first retry.
 */
export function retryListener(openLog: () => Promise<Logger>): Listener {
  let opening: Promise<Logger> | undefined;
  return async (event) => {
    if (event.type !== 'retrying') return;
    const logger = await (opening ??= openLog());
    const { destination } = event;
    logRetry(destination === undefined ? logger : logger.child({ destination }), event);
  };
}
