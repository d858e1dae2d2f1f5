/** The log: lines on stderr, JSON for machines, pretty for people, and never a secret in either. */
import type { Logger } from 'pino';
import type { LogSettings } from '../config/settings.ts';
import { inFields, mapStrings, type Redact } from '../redact.ts';
import { printable, wrapLines } from '../report/text.ts';

export type Level = LogSettings['level'];
export type Verbosity = 'quiet' | 'normal' | 'verbose';

/** From the most to the least talkative. */
const LEVELS: readonly Level[] = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

const quieter = (a: Level, b: Level) => (LEVELS.indexOf(a) > LEVELS.indexOf(b) ? a : b);

interface Talk {
  readonly level: Level;
  readonly verbosity: Verbosity;
  /** The progress line says what would be logged at `info`. */
  readonly hasProgress: boolean;
}

/** The flags win over LOG_LEVEL, but -v does not take away a `trace`, nor -q an `error`. */
export function effectiveLevel({ level, verbosity, hasProgress }: Talk): Level {
  if (verbosity === 'verbose') return level === 'trace' ? 'trace' : 'debug';
  if (verbosity === 'quiet' || hasProgress) return quieter(level, 'warn');
  return level;
}

export interface LoggerOptions {
  readonly log: LogSettings;
  readonly level: Level;
  readonly runId: string;
  readonly pipeline: string;
  readonly redact: Redact;
  /** Whether stderr is a terminal. */
  readonly isTerminal: boolean;
  readonly color: boolean;
  /** Cells of that terminal; a line is not broken when left out. */
  readonly width?: number;
  /** Called before each line, so that a progress line can make room. */
  readonly beforeLine?: () => void;
  /** Writes to stderr. */
  readonly say: (text: string) => void;
}

function changed(line: string, change: (text: string, key: string) => string): string {
  return `${JSON.stringify(mapStrings(JSON.parse(line), change))}\n`;
}

/** pino-pretty as a plain function: neither a worker nor a stream, so a line is out before the call returns. */
async function prettyPrinter(color: boolean): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty');
  return prettyFactory({
    colorize: color,
    singleLine: true,
    translateTime: false,
    // What the message says already, or what follows when all attempts have failed.
    ignore: 'run_id,pipeline,table,attempt,delay_s,code,sqlstate',
    messageFormat: ({ table, code, sqlstate, ...record }, messageKey) => {
      const message = String(record[messageKey]);
      const codes = [
        ...(typeof code === 'string' ? [code] : []),
        ...(typeof sqlstate === 'string' ? [`SQLSTATE ${sqlstate}`] : []),
      ];
      return `${typeof table === 'string' ? `${table}: ` : ''}${message}${codes.length > 0 ? ` (${codes.join(', ')})` : ''}`;
    },
  });
}

const hasPrettyLines = ({ log, isTerminal }: LoggerOptions) =>
  log.format === 'pretty' || (log.format === 'auto' && isTerminal);

export async function createLogger(options: LoggerOptions): Promise<Logger> {
  const { level, redact, beforeLine, say } = options;
  const { pino } = await import('pino');
  const isPretty = hasPrettyLines(options);
  const width = isPretty ? (options.width ?? Infinity) : Infinity;
  const print = isPretty ? await prettyPrinter(options.color) : (line: string) => line;
  const hide = inFields(redact);
  const change = isPretty ? (text: string, key: string) => printable(hide(text, key)) : hide;
  return pino(
    {
      level,
      base: { run_id: options.runId, pipeline: options.pipeline },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write(line: string) {
        const text = wrapLines(print(changed(line, change)), width);
        beforeLine?.();
        say(text);
      },
    },
  );
}
