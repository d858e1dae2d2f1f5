/** `increp sync`: updates the destination tables and reports the result. */
import type { PasswordMemory } from '../config/environment/reading.ts';
import type { TableSettings } from '../config/settings.ts';
import { formatDuration } from '../duration.ts';
import type { RunSummary } from '../events.ts';
import { labelOf } from '../format.ts';
import type { Verbosity } from '../observe/log.ts';
import { withUnrequestedLoads, withWarnings } from '../report/run-warnings.ts';
import { formatEnding, formatProblems, hasProblems } from '../report/summary.ts';
import { tableStatuses } from '../status/table-status.ts';
import { exitCodeOf } from '../sync/run/run.ts';
import { shellWord, tablesCommand } from '../shell-word.ts';
import { TimeLimit } from '../sync/context/time-limit.ts';
import { withContext, type Context } from './pipeline/context.ts';
import type { Pipeline } from '../pipeline/context.ts';
import { reportNotStarted } from '../pipeline/report-not-started.ts';
import { dueWarnings } from '../pipeline/due-warnings.ts';
import { noteDifferences } from '../pipeline/note-differences.ts';
import { noteRequestedLoads } from '../pipeline/note-requested.ts';
import { expandTables, type Expanded } from '../pipeline/expand-tables.ts';
import { runPipeline, withRemarks } from '../pipeline/run-pipeline.ts';
import type { GlobalOptions } from './terminal/options.ts';
import { claimOf, ensureClaimNamed } from './adopt-replace.ts';
import { planCommand } from './plan.ts';
import type { Iteration } from './watch/iteration.ts';
import { selectTables } from '../pipeline/select-tables.ts';
import { watchRun, type Watch } from './watch/watch-run.ts';

export interface SyncOptions extends GlobalOptions {
  readonly exclude: readonly string[];
  readonly destination: readonly string[];
  readonly fullRefresh: boolean;
  readonly deletes: boolean;
  readonly adopt: boolean;
  readonly replace: boolean;
  readonly force: boolean;
  readonly verify: boolean;
  readonly failFast: boolean;
  /** Undefined means the number in tables-config.json. */
  readonly jobs: number | undefined;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Seconds. */
  readonly waitLock: number;
  readonly waitTransactions: number | undefined;
  readonly maxDuration: number | undefined;
  /** Seconds from the start of one run to the start of the next. */
  readonly watch: number | undefined;
}

export async function syncCommand(tables: readonly string[], options: SyncOptions): Promise<number> {
  await ensureClaimNamed(tables, options);
  if (options.watch !== undefined) {
    const { syncRepeatedly } = await import('./watch/sync-watch.ts');
    const printed: PasswordMemory['printed'] = new Map();
    return syncRepeatedly(options.watch, options, (iteration) =>
      syncOnce(tables, { ...options, ...iteration, printed }),
    );
  }
  if (options.dryRun) return planCommand(tables, { ...options, exitCode: false });
  return syncOnce(tables, options);
}

/** One sync: alone, or as one run of --watch. */
async function syncOnce(
  tables: readonly string[],
  options: SyncOptions & Partial<Iteration> & Partial<Pick<PasswordMemory, 'printed'>>,
): Promise<number> {
  const timeLimit = new TimeLimit(options.maxDuration);
  return withContext(
    {
      ...{ ...options, waitTransactionsSeconds: options.waitTransactions, timeLimit },
      onRefusedConfiguration: (configuration, error) => reportNotStarted(configuration, error, options),
    },
    async (configured) => {
      const expanded = await expandTables(configured, { source: 'may' });
      const context = withRemarks(expanded);
      const chosen = chosenTables(expanded, tables, options);
      const verbosity = verbosityOf(options);
      const { head = '', notice } = options;
      await using watch = await watchRun(context, { isJson: options.json, verbosity });
      if (verbosity !== 'quiet' && watch.hasText) context.terminal.out(head);
      if (notice !== undefined) watch.warn(notice);
      if (options.fullRefresh) await noteRequestedLoads(context, chosen);
      const summary = await runPipeline(context, {
        tables: chosen,
        noTables: expanded.noTables,
        isFullRefresh: options.fullRefresh,
        areDeletesForced: options.deletes,
        claim: claimOf(options),
        isForced: options.force,
        isVerified: options.verify,
        now: new Date(),
        isFailFast: options.failFast,
        jobs: options.jobs ?? context.settings.jobs,
        waitLockSeconds: options.waitLock,
        repeatCommand: repeatCommandOf(tables, options),
        repeatFor: (left) => repeatCommandOf(left, { ...options, exclude: [] }),
        beforeEnd: (found) => noteDifferences(context, found, options.verify),
      });
      watch.stop();
      await printResult(context, options, {
        summary: withMore(summary, watch.warnings),
        chosen,
        head,
        watch,
      });
      return exitCodeOf(summary);
    },
  );
}

/** The command of a run whose flags a later sync would lack. In a loop, each run has the flags. */
function repeatCommandOf(tables: readonly string[], options: SyncOptions): string | undefined {
  const { fullRefresh, deletes, adopt, replace, verify, force, exclude, destination, watch, maxDuration } =
    options;
  const given = (flags: Readonly<Record<string, boolean>>) =>
    Object.keys(flags).filter((flag) => flags[flag]);
  const flags = given({
    ...{ '--full-refresh': fullRefresh, '--deletes': deletes, '--adopt': adopt },
    ...{ '--replace': replace, '--verify': verify },
  });
  if (flags.length === 0 || watch !== undefined) return undefined;
  const others = [
    ...(maxDuration === undefined ? [] : [`--max-duration ${formatDuration(maxDuration)}`]),
    ...exclude.map((name) => `--exclude ${shellWord(name)}`),
    ...destination.map((name) => `--destination ${shellWord(name)}`),
  ];
  return tablesCommand('sync', tables, [...flags, ...given({ '--force': force }), ...others]);
}

/** An unknown name may be a table that only the source knows. */
function chosenTables(
  { context: { settings }, problem, noTables }: Expanded,
  names: readonly string[],
  { exclude }: SyncOptions,
): TableSettings[] {
  if (noTables) return [];
  try {
    return selectTables(settings.tables, { names, excluded: exclude });
  } catch (error) {
    throw problem ?? error;
  }
}

const verbosityOf = ({ verbose, quiet }: SyncOptions): Verbosity =>
  verbose ? 'verbose' : quiet ? 'quiet' : 'normal';

/** The warnings of listeners come after the summary was made. */
const withMore = (summary: RunSummary, warnings: readonly string[]): RunSummary => ({
  ...summary,
  warnings: [...summary.warnings, ...warnings],
  reportSeconds: (Date.now() - summary.finishedAt.getTime()) / 1000,
});

interface PrintedRun {
  readonly summary: RunSummary;
  readonly chosen: readonly TableSettings[];
  /** Printed first. */
  readonly head: string;
  readonly watch: Watch;
}

/** Prints the result on stdout, if people get text there. */
async function printResult(
  { settings, terminal, redact, pipelines }: Context,
  options: SyncOptions,
  { summary, chosen, head, watch: { hasText, logDue } }: PrintedRun,
): Promise<void> {
  const isChosen = new Set(chosen.map(({ name }) => name));
  const tablesOf = ({ runContext }: Pipeline) =>
    runContext.settings.tables.filter(({ name }) => isChosen.has(name));
  const count = pipelines.flatMap(tablesOf).length;
  const print = (text: string) => terminal.out(redact(text));
  if (verbosityOf(options) !== 'quiet') {
    if (hasText) print(formatEnding(summary, count, terminal.style));
    return;
  }
  const due = await withDueWarnings(summary, settings.stateDirectory);
  logDue(due);
  if (!hasText || !hasProblems(due)) return;
  const unsaid = summary.tables.length - due.tables.length;
  print(
    `${head}${formatProblems(due, count - unsaid, await lastSuccesses(pipelines, summary), terminal.style)}`,
  );
}

async function withDueWarnings(found: RunSummary, directory: string): Promise<RunSummary> {
  const summary = withUnrequestedLoads(found);
  const { due, remember } = await dueWarnings(summary, directory, 'warnings');
  await remember();
  return withWarnings(summary, due);
}

/**
 * The last successes as "status --local" shows them, because the destination may be unreachable. A run that found no changes counts too. By the
 * label of the table.
 */
async function lastSuccesses(
  pipelines: Context['pipelines'],
  { tables }: RunSummary,
): Promise<ReadonlyMap<string, Date>> {
  const found = new Map<string, Date>();
  for (const { name: destination, runContext } of pipelines) {
    const wanted = runContext.settings.tables.filter(
      ({ name, isEnabled }) =>
        isEnabled && (tables.length === 0 || tables.some((table) => table.name === name)),
    );
    const statuses = await tableStatuses(runContext, wanted, { isLocal: true, asksSource: false });
    for (const { name, lastSuccessAt } of statuses.tables)
      if (lastSuccessAt)
        found.set(labelOf({ name, ...(destination !== undefined && { destination }) }), lastSuccessAt);
  }
  return found;
}
