/** The listeners of a run that a command shows: the log and the live line, beside those of every run. */
import type { Listener, RunEvent } from '../../events.ts';
import { jsonListener } from '../../observe/json-lines.ts';
import { createLogger, effectiveLevel, type Verbosity } from '../../observe/log.ts';
import { logListener, retryListener } from '../../observe/log-listener.ts';
import { createProgress, type ProgressDisplay } from '../../observe/progress.ts';
import type { Redact } from '../../redact.ts';
import type { Style } from '../../report/style.ts';
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
  /** The warnings for the end of the run, because there is no log. */
  readonly warnings: readonly string[];
}

export async function watchRun(context: Context, options: WatchOptions): Promise<Watch> {
  const { terminal, redact, listen } = context;
  const { isJson, verbosity } = options;
  const progress = isJson || verbosity !== 'normal' ? undefined : progressOn(context);
  const warnings: string[] = [];
  const warn = await wireLog(context, options, { progress, warnings });
  if (progress) listen(progress.listener);
  if (isJson) listen(jsonListener(terminal.out, redact));
  const isAboveLine = progress !== undefined && terminal.screen?.isStdout === true;
  if (!isJson && verbosity !== 'quiet' && !isAboveLine) listen(tableLinesListener(context));
  const listening = listenToRun(context, { warn, isWhole: true });
  const stop = () => progress?.stop();
  return {
    stop,
    warn,
    warnings,
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

/** Resolves to a function that reports a warning: in the log, or beside a summary at its end. */
async function wireLog(
  { settings: { log, pipeline, warnings: configured }, terminal, redact, runId, listen }: Context,
  { isJson, verbosity }: WatchOptions,
  { progress, warnings }: LogParts,
): Promise<(message: string) => void> {
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
      ...(progress && { beforeLine: progress.clear }),
    });
  if (isBesideSummary) {
    if (verbosity !== 'quiet') listen(retryListener(openLog));
    return (message) => {
      if (!warnings.includes(message)) warnings.push(message);
    };
  }
  const logger = await openLog();
  const warn = (message: string) => logger.warn(message);
  configured.forEach(warn);
  listen(logListener(logger));
  return warn;
}

/**
 * Undefined if the line cannot be drawn. If results go to the same stream, finished tables are printed above the
 * line.
 */
function progressOn({ terminal: { screen }, redact, signal }: Context): ProgressDisplay | undefined {
  if (!screen) return undefined;
  const progress = createProgress(screen, {
    redact,
    ...(screen.isStdout && { above: redactedLines(() => screen.style, redact) }),
  });
  const stopping = 'stopping: unfinished work is rolled back; press Ctrl-C again to stop at once\n';
  signal.addEventListener('abort', () => progress.stop(stopping), { once: true });
  return progress;
}
