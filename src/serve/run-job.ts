/** The work of a job: a look at a pipeline, or the sync of one table. It runs where the worker runs, without a terminal. */
import type { Logger } from 'pino';
import type { TableSettings } from '../config/settings.ts';
import type { ScheduledEntry } from '../config/service/schedules.ts';
import type { IncrepError } from '../errors.ts';
import type { Listener, RunSummary, WaitingRows } from '../events.ts';
import { withPipeline, type PipelineContext } from '../pipeline/context.ts';
import { expandTables, type Expanded } from '../pipeline/expand-tables.ts';
import { listenToRun } from '../pipeline/run-listeners.ts';
import { runPipeline, withRemarks } from '../pipeline/run-pipeline.ts';
import { serverNames } from '../config/connection/servers.ts';
import { logListener } from '../observe/log-listener.ts';
import { mapStrings, inFields, type Redact } from '../redact.ts';
import { errorToJson, type ErrorJson } from '../report/summary-json.ts';
import type { RunRequest } from '../sync/run/run-request.ts';
import { waitsForOthers } from '../sync/run/foreign-keys.ts';
import type { Timing } from '../timing.ts';
import { TimeLimit } from '../sync/context/time-limit.ts';
import type { ClaimedJob, RunScope } from './claim.ts';
import type { OwnPipeline } from './own-pipelines.ts';
import { sidesOf } from './records.ts';
import type { PausedTable } from './paused-tables.ts';
import { chooseTables, goneTable } from './run-scope.ts';
import type { LookResult } from './settle.ts';

export interface JobPlace {
  readonly pipeline: OwnPipeline;
  readonly timing: Timing;
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
  /** Hears the events of the run. */
  readonly listener: Listener;
  readonly openLogger: (redact: Redact) => Promise<Logger>;
}

type TableClaim = Extract<ClaimedJob, { kind: 'table' }>;

interface LookWork {
  readonly runs: readonly RunScope[];
  /** Tables that no worker may sync now. */
  readonly paused: readonly PausedTable[];
  readonly schedules: readonly ScheduledEntry[];
}

/** Finds the tables with work, without a sync of any. */
export function lookAt(place: JobPlace, { runs, paused, schedules }: LookWork): Promise<LookResult> {
  return withTables(place, async (context, { noTables, problem }) => {
    const pauseOf = ({ name }: TableSettings) => paused.find(({ table }) => table === name);
    // A look does not touch a table at which workers crash.
    const seen = context.settings.tables.filter((table) => table.isEnabled && !pauseOf(table)?.hasCrashed);
    const { settings } = context;
    const scopeOf = { pipeline: place.pipeline.name, settings, schedules, paused, problem };
    const scopes = runs.map((run) => ({ run, ...chooseTables(run, scopeOf) }));
    const tables = seen.filter((table) => scopes.some(({ chosen }) => chosen.has(table)));
    const onlyCounted = tables.filter(pauseOf).map(({ name }) => name);
    const summary = await runPipeline(context, { ...plainRequest(tables), noTables, look: { onlyCounted } });
    const quiet = quietIn(context, summary);
    const found = scopes.map(({ run, chosen, refusal }) => {
      const own = tables.filter((table) => chosen.has(table) && !pauseOf(table));
      return {
        run,
        withWork: own.filter(({ name }) => run.isForced || !quiet.has(name)).map(({ name }) => name),
        quiet: own.filter(({ name }) => !run.isForced && quiet.has(name)).length,
        ...(refusal && { refusal: errorInWords(refusal, context) }),
      };
    });
    const destinations = sidesOf(settings);
    const listing = { tables: settings.tables, schedules, destinations, isWhole: !problem };
    // After an error, the last count stays.
    const waiting = summary.error
      ? []
      : waitingIn(summary, [...found.flatMap(({ withWork }) => withWork), ...onlyCounted]);
    return { source: await sourceOf(context), summary: hidden(summary, context), found, waiting, listing };
  });
}

interface SyncResult {
  readonly summary: RunSummary;
  /** The configuration no longer has the table, or has disabled it. */
  readonly isGone: boolean;
}

/** Syncs one table over all destinations. */
export function syncTable(
  place: JobPlace,
  { table: name, lostPrograms, choices }: Pick<TableClaim, 'table' | 'lostPrograms' | 'choices'>,
): Promise<SyncResult> {
  const { maxSeconds, ...asked } = choices;
  return withTables({ ...place, maxSeconds }, async (context, { noTables, problem }) => {
    const tables = context.settings.tables.filter((table) => table.name === name && table.isEnabled);
    const isMissing = tables.length === 0;
    const isGone = isMissing && !problem;
    const missing = isMissing ? (problem ?? goneTable(place.pipeline.name, name)) : undefined;
    const request = { ...plainRequest(tables), ...asked, noTables: noTables ?? missing, lostPrograms };
    const summary = await runPipeline(context, request);
    if (!summary.tables.some(waitsForOthers)) return { summary: hidden(summary, context), isGone };
    // A foreign key of the destination needs newer rows of other tables, so they are synced as "increp sync" does.
    const whole = await runPipeline(context, { ...request, tables: context.settings.tables });
    return { summary: hidden(whole, context), isGone };
  });
}

function withTables<T>(
  {
    pipeline,
    timing,
    signal,
    warn,
    listener,
    openLogger,
    maxSeconds,
  }: JobPlace & { readonly maxSeconds?: number | undefined },
  work: (context: PipelineContext, expanded: Pick<Expanded, 'noTables' | 'problem'>) => Promise<T>,
): Promise<T> {
  const { directory, environment, given } = pipeline;
  return withPipeline(
    {
      ...{ directory, environment, given, workingDirectory: directory, timing, signal, byService: true },
      ...(maxSeconds !== undefined && { timeLimit: new TimeLimit(maxSeconds) }),
    },
    async (configured) => {
      const expanded = await expandTables(configured, { source: 'may' });
      const context = withRemarks(expanded);
      context.listen(listener);
      context.listen(logListener(await openLogger(context.redact)));
      await using _ = listenToRun(context, { warn, isWhole: false });
      // Without "await", the listeners would end before the work.
      return await work(context, expanded);
    },
  );
}

const plainRequest = (tables: readonly TableSettings[]): RunRequest => ({
  tables,
  isFullRefresh: false,
  areDeletesForced: false,
  isForced: false,
  isVerified: false,
  now: new Date(),
  isFailFast: false,
  jobs: 1,
  waitLockSeconds: 0,
});

/** A table is quiet if it is quiet for every destination. */
function quietIn({ pipelines }: PipelineContext, { tables }: RunSummary): ReadonlySet<string> {
  const counts = new Map<string, number>();
  for (const { name, isQuiet } of tables) if (isQuiet) counts.set(name, (counts.get(name) ?? 0) + 1);
  return new Set([...counts].filter(([, count]) => count === pipelines.length).map(([name]) => name));
}

/** A table waits as long as one destination does. Without any count, the number is not known. */
function waitingIn({ waiting = [] }: RunSummary, tables: readonly string[]): readonly WaitingRows[] {
  const counts = Map.groupBy(waiting, ({ table }) => table);
  return [...new Set(tables)].map((table) => {
    const own = counts.get(table) ?? [];
    const known = own.flatMap(({ rows }) => (rows === null ? [] : [rows]));
    const isKnown = own.length > 0 && known.length === own.length;
    return {
      table,
      rows: isKnown ? Math.max(...known) : null,
      isMore: isKnown && own.some(({ isMore }) => isMore),
    };
  });
}

/** Two pipelines of one server share its limit. */
async function sourceOf({ runContext: { source } }: PipelineContext): Promise<string> {
  const identity = await source.identity().catch(() => undefined);
  return identity?.systemIdentifier ?? serverNames(source.settings);
}

/** What leaves this process holds no secret. */
const hidden = (summary: RunSummary, { redact }: PipelineContext): RunSummary => ({
  ...summary,
  tables: summary.tables.map((table) => ({
    ...table,
    warnings: table.warnings.map(redact),
    error: table.error && (mapStrings(table.error, inFields(redact)) as typeof table.error),
  })),
  error: summary.error && (mapStrings(summary.error, inFields(redact)) as typeof summary.error),
});

const errorInWords = (error: IncrepError, { redact }: PipelineContext) =>
  mapStrings(errorToJson(error), inFields(redact)) as ErrorJson;
