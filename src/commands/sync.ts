import { historyListener } from '../postgres/run-history.ts';
import type { RunEvent, RunSummary } from '../events.ts';
import { Database } from '../postgres/database.ts';
import { jsonListener } from '../observe/json-lines.ts';
import { createLogger, effectiveLevel, type Verbosity } from '../observe/log.ts';
import { logListener, retryListener } from '../observe/log-listener.ts';
import { createProgress, type Progress } from '../observe/progress.ts';
import {
  formatEnding,
  formatSummary,
  formatTrouble,
  hasTrouble,
  summaryByTable,
} from '../observe/summary.ts';
import { healthcheckListener } from '../notify/healthcheck.ts';
import { webhookListener } from '../notify/webhook.ts';
import { localHistoryListener } from '../state/local-history.ts';
import { exitCodeOf, run } from '../sync/run.ts';
import { withContext, type Context } from './context.ts';
import type { GlobalOptions } from './options.ts';
import { planCommand } from './plan.ts';
import { runMetrics } from './run-metrics.ts';
import { selectTables } from './select-tables.ts';

export interface SyncOptions extends GlobalOptions {
  readonly exclude: readonly string[];
  readonly fullRefresh: boolean;
  readonly deletes: boolean;
  readonly force: boolean;
  readonly verify: boolean;
  readonly failFast: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Seconds. */
  readonly waitLock: number;
  readonly settle: number | undefined;
}

export async function syncCommand(tables: readonly string[], options: SyncOptions): Promise<number> {
  if (options.dryRun) return planCommand(tables, { ...options, exitCode: false });
  return withContext({ ...options, settleSeconds: options.settle }, async (context) => {
    const chosen = selectTables(context.settings.tables, { names: tables, excluded: options.exclude });
    await using history = new Database(context.settings.destination, context.settings);
    await using watch = await watchRun(context, options, history);
    const summary = await run(context.work, {
      tables: chosen,
      isFullRefresh: options.fullRefresh,
      areDeletesForced: options.deletes,
      isForced: options.force,
      isVerified: options.verify,
      now: new Date(),
      isFailFast: options.failFast,
      waitLockSeconds: options.waitLock,
    });
    watch.stop();
    await tell(context, options, watch, summary);
    return exitCodeOf(summary);
  });
}

const verbosityOf = ({ verbose, quiet }: SyncOptions): Verbosity =>
  verbose ? 'verbose' : quiet ? 'quiet' : 'normal';

/** What stands on stdout at the end; with --json it stands there already. */
async function tell(
  { terminal, redact, work }: Context,
  options: SyncOptions,
  { hasToldTables }: Watch,
  summary: RunSummary,
): Promise<void> {
  if (options.json) return;
  const print = (text: string) => terminal.out(redact(text));
  if (hasToldTables) return print(formatEnding(summary, terminal.look));
  if (verbosityOf(options) !== 'quiet') return print(formatSummary(summary, terminal.look));
  if (hasTrouble(summary)) print(formatTrouble(summary, await lastSuccesses(work, summary), terminal.look));
}

/** From the state files: at the destination nobody may be at home. */
async function lastSuccesses(
  { stateFiles, settings }: Context['work'],
  { tables }: RunSummary,
): Promise<ReadonlyMap<string, Date>> {
  const wanted = settings.tables.filter(
    ({ name, isEnabled }) =>
      isEnabled && (tables.length === 0 || tables.some((table) => table.name === name)),
  );
  const found = new Map<string, Date>();
  for (const { name, destinationName } of wanted) {
    const file = await stateFiles.read(destinationName).catch(() => undefined);
    if (file?.kind === 'record') found.set(name, new Date(file.record.syncedAt));
  }
  return found;
}

interface Watch extends AsyncDisposable {
  /** Each table's lines are on stdout already. */
  readonly hasToldTables: boolean;
  readonly stop: () => void;
}

/** Everything that watches a run. Adding one touches this function and its own file. */
async function watchRun(context: Context, options: SyncOptions, history: Database): Promise<Watch> {
  const { settings, terminal, redact, runId, signal, listen } = context;
  const verbosity = verbosityOf(options);
  const progress = options.json || verbosity !== 'normal' ? undefined : progressOn(context);
  // What the summary will say need not stand beside it in the same place.
  const isBesideSummary =
    (progress !== undefined && terminal.screen?.isStderr === true) ||
    (verbosity === 'quiet' && !options.json && settings.log.format === 'auto');
  const logger = await createLogger({
    log:
      isBesideSummary && settings.log.format === 'auto'
        ? { ...settings.log, format: 'pretty' }
        : settings.log,
    level: effectiveLevel({ level: settings.log.level, verbosity, hasProgress: isBesideSummary }),
    runId,
    pipeline: settings.pipeline,
    redact,
    isTerminal: terminal.isStderrTerminal,
    color: terminal.sayLook.color,
    width: terminal.sayLook.width,
    ...(progress && { beforeLine: progress.clear }),
  });
  const warn = (message: string) => logger.warn(message);
  if (!isBesideSummary) for (const message of settings.warnings) warn(message);
  if (!isBesideSummary) listen(logListener(logger));
  else if (verbosity !== 'quiet') listen(retryListener(logger));
  if (progress) listen(progress.listener);
  if (options.json) listen(jsonListener(terminal.out, redact));
  // Before those that wait for a server: after a signal there is little time.
  if (settings.metricsTextfile) listen(runMetrics(context, settings.metricsTextfile, warn));
  const destinationNameOf = (name: string) =>
    settings.tables.find((table) => table.name === name)?.destinationName ?? name;
  const directory = settings.stateDirectory;
  listen(localHistoryListener({ directory, destinationNameOf, redact, onFailure: warn }));
  listen(historyListener({ database: history, destinationNameOf, redact, onFailure: warn }));
  if (settings.webhook)
    listen(webhookListener({ webhook: settings.webhook, redact, onFailure: warn, signal }));
  // Behind the webhook, whose time runs from the signal on: that of the healthcheck begins with its turn.
  if (settings.healthcheckUrl) {
    const { healthcheckUrl: url } = settings;
    listen(healthcheckListener({ url, redact, exitCodeOf, onFailure: warn, signal }));
  }
  const stop = () => progress?.stop();
  return {
    hasToldTables: progress !== undefined && terminal.screen?.isStdout === true,
    stop,
    [Symbol.asyncDispose]: async () => stop(),
  };
}

/** Undefined where nothing can be drawn. Tables that are done are told above the line where their place is. */
function progressOn({ terminal: { screen }, redact, signal }: Context): Progress | undefined {
  if (!screen) return undefined;
  const lines = summaryByTable(() => screen.look);
  const progress = createProgress(screen, {
    redact,
    ...(screen.isStdout && {
      above: (event: RunEvent) => {
        const text = lines(event);
        return text === undefined ? undefined : redact(text);
      },
    }),
  });
  const stopping = 'stopping: what is unfinished is rolled back; once more (Ctrl-C) stops at once\n';
  signal.addEventListener('abort', () => progress.stop(stopping), { once: true });
  return progress;
}
