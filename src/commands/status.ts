/** `increp status`: shows how fresh the destination tables are. */
import { formatStatus } from '../report/status.ts';
import type { IncrepError } from '../errors.ts';
import { redactedJson } from '../redact.ts';
import type { RunRecord } from '../schema/run-record.ts';
import { errorToJson, FORMAT_VERSION } from '../report/summary-json.ts';
import { writeFault } from '../state/state-files.ts';
import { lastFailureJson } from '../status/last-failures.ts';
import { reportFailures, type ReportFailure, type ReportFailures } from '../status/report-failures.ts';
import { isFine, tableStatuses, type Statuses, type TableStatus } from '../status/table-status.ts';
import { withContext } from './pipeline/context.ts';
import { eachDestination, ofDestination } from './pipeline/each-destination.ts';
import { expandTables } from '../pipeline/expand-tables.ts';
import type { GlobalOptions } from './terminal/options.ts';
import { requestedSteps } from '../pipeline/note-requested.ts';
import { sharedFailures } from '../pipeline/shared-failures.ts';
import { selectTables } from '../pipeline/select-tables.ts';
import {
  sayRemarks,
  unwritableWords,
  warnUnreachable,
  warnStandby,
  warnUnreported,
  warnUnwritable,
} from './pipeline/warn-unreachable.ts';

export interface StatusOptions extends GlobalOptions {
  readonly destination: readonly string[];
  readonly json: boolean;
  readonly verbose: boolean;
  readonly exitCode: boolean;
  readonly local: boolean;
  /** False: --no-source. */
  readonly source: boolean;
}

export async function statusCommand(tables: readonly string[], options: StatusOptions): Promise<number> {
  return withContext(options, async (configured) => {
    const { context, problem, remarks, noTables } = await expandTables(configured, {
      source: options.source ? 'soon' : 'not',
      isLocal: options.local,
    });
    if (noTables) throw noTables;
    const { settings, terminal, redact } = context;
    const chosen = selectTables(settings.tables, { names: tables, excluded: [] });
    const unwritable = await writeFault(settings.stateDirectory);
    const unreported = await reportFailures(settings);
    const warn = (statuses: Statuses, destination: string | undefined) => {
      // One warning about the directory is enough: the fix is the same.
      const { historyError } = unwritable ? { historyError: undefined } : statuses;
      const unread = {
        ...statuses,
        destination,
        historyError,
        unwritable,
        isLocal: options.local,
        hasFailures: !options.json,
      };
      warnUnreachable(unread, terminal, redact);
    };
    const request = { isLocal: options.local, asksSource: options.source, sourceError: problem };
    const failures = await sharedFailures(context);
    const steps = await requestedSteps(context, chosen);
    const result = await eachDestination(context, {
      isJson: options.json,
      run: async (pipeline) => {
        const statuses = await tableStatuses(pipeline.runContext, chosen, request);
        const printed = statuses.tables.map((table) => ({
          ...table,
          lastFailure: table.lastFailure && failures.withStep(pipeline, table.name, table.lastFailure),
          needsAttention: !isFine(table),
        }));
        const how = {
          ...{
            style: terminal.style,
            now: statuses.now,
            isVerbose: options.verbose,
            hasDeletes: options.verbose || tables.length > 0,
          },
          fault: unwritableWords(unwritable),
          isFromFiles: options.local || statuses.unreachable !== undefined,
          destination: pipeline.name,
          stepsOf: (names: readonly string[]) => steps(names, pipeline.name),
        };
        if (!options.json) terminal.out(redact(formatStatus(printed, how)));
        if (!options.json) warn(statuses, pipeline.name);
        const isAllFine = !statuses.unreachable && statuses.tables.every(isFine);
        return {
          result: { statuses, name: pipeline.name },
          exitCode: options.exitCode && (!isAllFine || unwritable) ? 2 : 0,
        };
      },
    });
    if (options.json) {
      terminal.out(
        redactedJson(toJson(settings.pipeline, result.results, { unwritable, unreported }), redact),
      );
      for (const { statuses, name } of result.results) warn(statuses, name);
    }
    sayRemarks(remarks, context);
    const isRead =
      options.source && !options.local && !result.results.some((one) => one.statuses.sourceError);
    if (isRead) await warnStandby(context);
    warnUnwritable(unwritable, context);
    warnUnreported(unreported, new Date(), context);
    return result.exitCode;
  });
}

interface DestinationStatuses {
  readonly statuses: Statuses;
  /** The name of the destination, if there are several. */
  readonly name: string | undefined;
}

interface OfPipeline {
  readonly unwritable: IncrepError | undefined;
  readonly unreported: ReportFailures;
}

const unreportedJson = (failure: ReportFailure | undefined) =>
  failure
    ? {
        message: failure.message,
        failed_at: failure.failedAt.toISOString(),
        last_accepted_at: failure.acceptedAt?.toISOString() ?? null,
      }
    : null;

function toJson(
  pipeline: string,
  results: readonly DestinationStatuses[],
  { unwritable, unreported }: OfPipeline,
): object {
  const head = {
    ...{ type: 'status', format_version: FORMAT_VERSION, pipeline },
    state_directory_error: unwritable ? errorToJson(unwritable) : null,
    webhook_error: unreportedJson(unreported.webhook),
    healthcheck_error: unreportedJson(unreported.healthcheck),
  };
  const [only] = results;
  if (only && only.name === undefined) return { ...head, ...statusesJson(only) };
  // With several destinations, each has its own error.
  const each = results.map((one) => ({ name: one.name, ...statusesJson(one) }));
  const firstError = (key: 'destination_error' | 'source_error') =>
    each.map((one) => one[key]).find((error) => error !== null) ?? null;
  return {
    ...head,
    destination_error: firstError('destination_error'),
    source_error: firstError('source_error'),
    destinations: each.map(({ name, destination_error, source_error }) => ({
      ...{ name, destination_error, source_error },
    })),
    tables: each.flatMap(({ tables }) => tables),
  };
}

const statusesJson = ({ statuses: { tables, unreachable, sourceError }, name }: DestinationStatuses) => ({
  destination_error: unreachable ? errorToJson(unreachable) : null,
  source_error: sourceError ? errorToJson(sourceError) : null,
  tables: tables.map((table) => ({ name: table.name, ...ofDestination({ name }), ...tableJson(table) })),
});

function tableJson(table: TableStatus) {
  const {
    lagSeconds,
    lastRun,
    activeRun = null,
    lastFailure,
    drift,
    difference,
    refusal,
    requestedLoad,
    pendingLoad,
  } = table;
  return {
    state: table.condition,
    failures_since_success: table.failures,
    cursor: table.cursor,
    complete_up_to: table.completeUpTo,
    open_since: table.openSince?.toISOString() ?? null,
    open_after: table.openAfter?.toISOString() ?? null,
    last_success_at: table.lastSuccessAt?.toISOString() ?? null,
    lag_seconds: lagSeconds ?? null,
    rows_last_day: table.rowsLastDay,
    conflicts_last_day: table.conflictsLastDay ?? null,
    last_error: lastFailure ? lastFailureJson(lastFailure) : null,
    drift: drift ? { message: drift.what, hint: drift.next } : null,
    requested_load: requestedLoad ? { since: requestedLoad.since } : null,
    difference: difference ? { message: difference.message, since: difference.since } : null,
    next_sync_error: refusal ? errorToJson(refusal) : null,
    unknown: table.problem ? errorToJson(table.problem) : null,
    pending_load: pendingLoad ? { chunks_done: pendingLoad.done, chunks: pendingLoad.of } : null,
    last_run: lastRun ? runJson(lastRun) : null,
    active_run: activeRun,
  };
}

const runJson = (run: RunRecord) => ({
  run_id: run.run_id,
  started_at: new Date(run.started_at).toISOString(),
  action: run.action,
  reason: run.reason,
  status: run.status,
  duration_s: run.duration_s,
  rows_read: run.rows_read,
  rows_inserted: run.rows_inserted,
  rows_updated: run.rows_updated,
  rows_deleted: run.rows_deleted,
  rows_newer: run.rows_newer,
  conflicts: run.conflicts,
  warnings: run.warnings,
  error_code: run.error_code,
  error_message: run.error_message,
  error_hint: run.error_hint,
  sqlstate: run.sqlstate,
});
