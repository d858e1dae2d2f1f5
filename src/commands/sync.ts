import { historyListener } from '../postgres/run-history.ts';
import { Database } from '../postgres/database.ts';
import { jsonListener } from '../observe/json-lines.ts';
import { createLogger, effectiveLevel, type Verbosity } from '../observe/log.ts';
import { logListener, retryListener } from '../observe/log-listener.ts';
import { createProgress, hasProgress } from '../observe/progress.ts';
import { formatSummary } from '../observe/summary.ts';
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
    const watch = await wireListeners(context, options, history);
    try {
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
      const isWanted = !options.json && (!options.quiet || summary.status !== 'ok');
      if (isWanted) context.terminal.out(context.redact(formatSummary(summary, context.terminal.look)));
      return exitCodeOf(summary);
    } finally {
      watch.stop();
    }
  });
}

/** Everything that watches a run. Adding one touches this function and its own file. */
async function wireListeners(
  context: Context,
  options: SyncOptions,
  history: Database,
): Promise<{ stop: () => void }> {
  const { settings, terminal, redact, runId, signal, listen } = context;
  const verbosity: Verbosity = options.verbose ? 'verbose' : options.quiet ? 'quiet' : 'normal';
  const isTerminal = terminal.isStderrTerminal;
  const shows = hasProgress({
    isTerminal,
    allowsMovement: terminal.allowsMovement,
    isJson: options.json,
    verbosity,
  });
  const progress = shows ? createProgress(process.stderr) : undefined;
  const logger = await createLogger({
    log: settings.log,
    level: effectiveLevel({ level: settings.log.level, verbosity, hasProgress: shows }),
    runId,
    pipeline: settings.pipeline,
    redact,
    isTerminal,
    color: terminal.look.color,
    ...(progress && { beforeLine: progress.clear }),
  });
  const warn = (message: string) => logger.warn(message);
  for (const message of settings.warnings) warn(message);
  listen(progress ? retryListener(logger) : logListener(logger));
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
  return { stop: () => progress?.stop() };
}
