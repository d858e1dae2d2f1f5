/** The listeners of a run that a command shows: the log and the live line, beside those of every run. */
import type { Listener, RunEvent, RunSummary } from '../../events.ts';
import { jsonListener } from '../../observe/json-lines.ts';
import { createLogger, effectiveLevel, type Verbosity } from '../../observe/log.ts';
import { logListener, retryListener } from '../../observe/log-listener.ts';
import { createProgress, type ProgressDisplay } from '../../observe/progress.ts';
import type { Redact } from '../../redact.ts';
import type { Style } from '../../report/style.ts';
import { hearsUnrequestedLoads, warningsIn } from '../../report/run-warnings.ts';
import { summaryByTable } from '../../report/summary.ts';
import { listenToRun } from '../../pipeline/run-listeners.ts';
import type { Context } from '../pipeline/context.ts';

interface WatchOptions {
  readonly isJson: boolean;
  readonly verbosity: Verbosity;
}

export interface Watch extends AsyncDisposable {
  readonly stop: () => void;
  /** Writes a warning to the log, or keeps it for the end of the run. */
  readonly warn: (message: string) => void;
  /** The warnings for the end of the run, because there is no log yet. */
  readonly warnings: readonly string[];
  /** Whether people get text on stdout. A log of JSON lines in the same file excludes it. */
  readonly hasText: boolean;
  /** Writes the warnings that a quiet run reports to its log, if it has one. */
  readonly logDue: (due: RunSummary) => void;
}

export async function watchRun(context: Context, options: WatchOptions): Promise<Watch> {
  const { terminal, redact, listen } = context;
  const { isJson, verbosity } = options;
  const progress = isJson || verbosity !== 'normal' ? undefined : progressOn(context);
  const warnings: string[] = [];
  const { warn, logDue } = await wireLog(context, options, { progress, warnings });
  const hasText = !isJson && !(context.settings.log.format === 'json' && terminal.isOneFile);
  if (progress) listen(progress.listener);
  if (isJson) listen(hearsUnrequestedLoads(jsonListener(terminal.out, redact)));
  const isAboveLine = progress !== undefined && terminal.screen?.isStdout === true;
  if (hasText && verbosity !== 'quiet' && !isAboveLine) listen(tableLinesListener(context));
  const listening = listenToRun(context, {
    ...{ warn, isWhole: true },
    onWait: (what) => progress?.waitFor(what),
  });
  const stop = () => progress?.stop();
  return {
    stop,
    warn,
    warnings,
    hasText,
    logDue,
    [Symbol.asyncDispose]: async () => {
      stop();
      await listening[Symbol.asyncDispose]();
    },
  };
}

/** Prints the lines of each table when it is finished. */
function tableLinesListener({ terminal, redact }: Context): Listener {
  const lines = redactedLines(() => terminal.style, redact);
  return (event) => {
    const text = lines(event);
    if (text !== undefined) terminal.out(text);
  };
}

function redactedLines(lookNow: () => Style, redact: Redact): (event: RunEvent) => string | undefined {
  const lines = summaryByTable(lookNow);
  return (event) => {
    const text = lines(event);
    return text === undefined ? undefined : redact(text);
  };
}

interface LogParts {
  readonly progress: ProgressDisplay | undefined;
  /** Receives warnings that are printed at the end of the run. */
  readonly warnings: string[];
}

/** A warning goes to the log, or to the end of the run: beside a summary, and if it is due only then. */
async function wireLog(
  { settings: { log, pipeline, warnings: configured }, terminal, redact, runId, listen }: Context,
  { isJson, verbosity }: WatchOptions,
  { progress, warnings }: LogParts,
): Promise<Pick<Watch, 'warn' | 'logDue'>> {
  const keep = (message: string) => {
    if (!warnings.includes(message)) warnings.push(message);
  };
  // A person reads one text: the log does not repeat the summary, unless it was asked for.
  const isLogWanted =
    isJson || verbosity === 'verbose' || log.format === 'json' || ['trace', 'debug'].includes(log.level);
  const isBesideSummary = !isLogWanted || (progress !== undefined && terminal.screen?.isStderr === true);
  const openLog = () =>
    createLogger({
      log: log.format === 'auto' && !isJson ? { ...log, format: 'pretty' } : log,
      level: effectiveLevel({ level: log.level, verbosity, hasProgress: isBesideSummary }),
      base: { run_id: runId, pipeline },
      redact,
      say: terminal.say,
      isTerminal: terminal.isStderrTerminal,
      color: terminal.sayStyle.color,
      width: terminal.sayStyle.width,
      typedCommand: terminal.sayStyle.typedCommand,
      ...(progress && { beforeLine: progress.clear }),
    });
  if (isBesideSummary) {
    if (verbosity !== 'quiet') listen(retryListener(openLog));
    return { warn: keep, logDue: () => undefined };
  }
  const logger = await openLog();
  if (verbosity === 'quiet') {
    listen(logListener(logger, { hasWarnings: false }));
    const logDue = (due: RunSummary) => {
      for (const { table, text } of warningsIn(due)) logger.warn(table === null ? {} : { table }, text);
    };
    return { warn: keep, logDue };
  }
  const warn = (message: string) => logger.warn(message);
  configured.forEach(warn);
  listen(logListener(logger));
  return { warn, logDue: () => undefined };
}

/**
 * Undefined if the line cannot be drawn. If results go to the same stream, finished tables are printed above the
 * line.
 */
function progressOn({ terminal: { screen }, redact, signal, listen }: Context): ProgressDisplay | undefined {
  if (!screen) return undefined;
  const progress = createProgress(screen, {
    redact,
    ...(screen.isStdout && { above: redactedLines(() => screen.style, redact) }),
  });
  let work = 'uncommitted work is rolled back';
  listen(({ type }) => {
    if (type === 'run-finished') work = 'all tables are finished, and only messages about the run are left';
  });
  const stop = () => progress.stop(`stopping: ${work}; press Ctrl-C again to stop at once\n`);
  signal.addEventListener('abort', stop, { once: true });
  return progress;
}
