/** `increp history`: shows what the last runs did. */
import type { Settings } from '../config/settings.ts';
import { asIncrepError } from '../errors.ts';
import { runsThatFit } from '../report/chart.ts';
import { formatRuns, formatTableRuns } from '../report/history.ts';
import type { Style } from '../report/style.ts';
import { redactedJson } from '../redact.ts';
import { isWarned } from '../format.ts';
import { rowsChanged, type RunRecord } from '../schema/run-record.ts';
import { FORMAT_VERSION } from '../report/summary-json.ts';
import { runHistory, type PastRun, type PastRuns } from '../status/run-history.ts';
import { withContext } from './pipeline/context.ts';
import type { Pipeline } from '../pipeline/context.ts';
import { recordNameIn, nameIn } from '../pipeline/record-names.ts';
import { eachDestination, ofDestination, type DestinationResults } from './pipeline/each-destination.ts';
import { expandTables } from '../pipeline/expand-tables.ts';
import type { GlobalOptions } from './terminal/options.ts';
import { matching, selectTables } from '../pipeline/select-tables.ts';
import { warnUnreachable } from './pipeline/warn-unreachable.ts';

export interface HistoryOptions extends GlobalOptions {
  readonly limit: number | undefined;
  /** Seconds. */
  readonly since: number | undefined;
  readonly failed: boolean;
  readonly local: boolean;
  readonly destination: readonly string[];
  readonly json: boolean;
}

export async function historyCommand(words: readonly string[], options: HistoryOptions): Promise<number> {
  return withContext(options, async (configured) => {
    const { context } = await expandTables(configured, { source: 'not', isLocal: options.local });
    const { settings, terminal, redact } = context;
    const names = words.flatMap((word) => namesMeant(settings, word));
    await ensureKnownSomewhere(context.pipelines, names, { ...options, style: terminal.style });
    const result = await eachDestination(context, {
      isJson: options.json,
      run: async (pipeline) => {
        const { shown, text } = await historyOf(pipeline, names, { ...options, style: terminal.style });
        if (!options.json) terminal.out(redact(text));
        warnUnreachable({ ...shown, isLocal: options.local, destination: pipeline.name }, terminal, redact);
        return { result: { shown, name: pipeline.name }, exitCode: 0 };
      },
    });
    if (options.json) terminal.out(redactedJson(toJson(settings, result), redact));
    return result.exitCode;
  });
}

/** One error for all destinations, before their headings. @throws IncrepError USAGE, if no destination knows a name */
async function ensureKnownSomewhere(
  pipelines: readonly Pipeline[],
  names: readonly string[],
  options: HistoryOptions & { readonly style: Style },
): Promise<void> {
  const isConfigured = (name: string) =>
    pipelines.some(({ settings }) => settings.tables.some((table) => table.name === name));
  if (pipelines.length < 2 || names.every(isConfigured)) return;
  const found = await Promise.allSettled(pipelines.map((pipeline) => historyOf(pipeline, names, options)));
  const errors = found.map((one) => (one.status === 'rejected' ? asIncrepError(one.reason) : undefined));
  const [first] = errors;
  if (first && errors.every((error) => error?.code === 'USAGE')) throw first;
}

/** A table that is no longer configured still has a history. */
function namesMeant({ tables }: Settings, word: string): string[] {
  const meant = matching(tables, word);
  return meant.length === 0 ? [word] : meant.map(({ name }) => name);
}

async function historyOf(
  { settings, runContext }: Pipeline,
  names: readonly string[],
  options: HistoryOptions & { readonly style: Style },
): Promise<{ readonly shown: PastRuns; readonly text: string }> {
  const { style } = options;
  const [only, ...others] = names;
  const { limit = DEFAULT_LIMIT } = options;
  // Without --limit, the chart has older runs than the list.
  const charted = Math.min(options.limit ?? Infinity, runsThatFit(style));
  const isCharted = only !== undefined && others.length === 0 && !options.json;
  const found = await runHistory(runContext, {
    tables: names.length === 0 ? undefined : names.map(recordNameIn(settings)),
    since: options.since === undefined ? undefined : new Date(Date.now() - options.since * 1000),
    isFailedOnly: options.failed,
    // One more tells whether there are older runs.
    limit: Math.max(limit + 1, isCharted ? charted : 0),
    isLocal: options.local,
  });
  ensureKnown(names, found.runs, settings);
  const runs = found.runs.slice(-limit);
  const format = () => {
    if (runs.length === 0 && isNarrowed(options)) return 'no matching runs are recorded\n';
    const list = { runs, isMore: found.runs.length > runs.length };
    return isCharted
      ? formatTableRuns(list, found.runs.slice(-charted), style, nameIn(settings))
      : formatRuns(list, style, nameIn(settings));
  };
  return { shown: { ...found, runs }, text: options.json ? '' : format() };
}

/** Runs of the list without --limit. */
const DEFAULT_LIMIT = 20;

const isNarrowed = ({ since, failed }: HistoryOptions): boolean => since !== undefined || failed;

/** @throws IncrepError USAGE */
function ensureKnown(names: readonly string[], runs: readonly PastRun[], settings: Settings): void {
  const recordNameOf = recordNameIn(settings);
  const isInHistory = (name: string) =>
    runs.some(({ tables, failure }) =>
      [...tables, ...(failure ? [failure] : [])].some(
        ({ table_name, tables: others }) =>
          table_name === recordNameOf(name) || others.includes(recordNameOf(name)),
      ),
    );
  const unknown = names.filter((name) => !isInHistory(name));
  if (unknown.length === 0) return;
  selectTables(settings.tables, {
    names: unknown,
    excluded: [],
    place: 'tables-config.json or in these runs',
  });
}

interface DestinationRuns {
  readonly shown: PastRuns;
  /** The name of the destination, if there are several. */
  readonly name: string | undefined;
}

function toJson(settings: Settings, { results, json }: DestinationResults<DestinationRuns>): object {
  const errorOf = ({ shown: { unreachable } }: DestinationRuns) =>
    unreachable ? { code: unreachable.code, message: unreachable.message, hint: unreachable.next } : null;
  const isSeveral = json.destinations !== undefined;
  return {
    type: 'history',
    format_version: FORMAT_VERSION,
    pipeline: settings.pipeline,
    destination_error: results.map(errorOf).find((error) => error !== null) ?? null,
    ...(isSeveral && {
      destinations: results.map((result) => ({ name: result.name, destination_error: errorOf(result) })),
    }),
    runs: results.flatMap(({ shown, name }) =>
      shown.runs.map((run) => ({ ...ofDestination({ name }), ...runJson(run, nameIn(settings)) })),
    ),
  };
}

function runJson(run: PastRun, nameOf: (table: string) => string): object {
  const sum = (number: (record: RunRecord) => number) =>
    run.tables.reduce((total, record) => total + number(record), 0);
  const failed = run.tables.filter(({ status }) => status === 'failed').length;
  return {
    run_id: run.id,
    status: run.status,
    is_running: run.isRunning ?? false,
    started_at: run.startedAt.toISOString(),
    duration_s: run.durationSeconds,
    tables_ok: run.tables.length - failed,
    tables_failed: failed,
    tables_with_warnings: run.tables.filter(isWarned).length,
    tables_not_started: run.notStarted.length,
    rows_changed: sum(rowsChanged),
    bytes: sum(({ bytes }) => bytes),
    error: run.failure ? errorJson(run.failure, nameOf) : null,
    tables: run.tables.map((record) => tableJson(record, nameOf)),
  };
}

function tableJson(record: RunRecord, nameOf: (table: string) => string): object {
  return {
    name: nameOf(record.table_name ?? ''),
    status: record.status,
    action: record.action,
    reason: record.reason,
    started_at: new Date(record.started_at).toISOString(),
    duration_s: record.duration_s,
    rows_read: record.rows_read,
    rows_inserted: record.rows_inserted,
    rows_updated: record.rows_updated,
    rows_unchanged: record.rows_unchanged,
    rows_deleted: record.rows_deleted,
    rows_newer: record.rows_newer,
    conflicts: record.conflicts,
    bytes: record.bytes,
    cursor_before: record.cursor_before,
    cursor: record.cursor_after,
    warnings: record.warnings,
    error: record.status === 'failed' ? errorJson(record, nameOf) : null,
  };
}

const errorJson = (record: RunRecord, nameOf: (table: string) => string) => ({
  /** Null for a failure of the run as a whole. */
  table: record.table_name === null ? null : nameOf(record.table_name),
  code: record.error_code,
  message: record.error_message,
  hint: record.error_hint,
  sqlstate: record.sqlstate,
});
