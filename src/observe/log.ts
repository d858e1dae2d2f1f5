/** The log: lines on stderr, as JSON for machines or as text for people, never with a secret. */
import type { Logger } from 'pino';
import type { LogSettings } from '../config/settings.ts';
import { inFields, mapStrings, type Redact } from '../redact.ts';
import type { Style } from '../report/style.ts';
import { printable, withTypedCommands, wrapLines } from '../report/text.ts';

export type LogLevel = LogSettings['level'];
export type Verbosity = 'quiet' | 'normal' | 'verbose';

/** From the most to the least verbose. */
const LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

const quieter = (a: LogLevel, b: LogLevel) => (LEVELS.indexOf(a) > LEVELS.indexOf(b) ? a : b);

interface Talk {
  readonly level: LogLevel;
  readonly verbosity: Verbosity;
  /** The progress line replaces the log lines of level `info`. */
  readonly hasProgress: boolean;
}

/**
 * The flags win over LOG_LEVEL. But -v does not raise `trace` to `debug`, and -q does not lower `error` to `warn`.
 */
export function effectiveLevel({ level, verbosity, hasProgress }: Talk): LogLevel {
  if (verbosity === 'verbose') return level === 'trace' ? 'trace' : 'debug';
  if (verbosity === 'quiet' || hasProgress) return quieter(level, 'warn');
  return level;
}

export interface LoggerOptions {
  readonly log: LogSettings;
  readonly level: LogLevel;
  /** In every line. */
  readonly base: Readonly<Record<string, string>>;
  readonly redact: Redact;
  /** Whether stderr is a terminal. */
  readonly isTerminal: boolean;
  readonly color: boolean;
  /** Width of that terminal in cells. Undefined means that no line is wrapped. */
  readonly width?: number;
  /** Undefined if the reader is in another place than the user who started this program. */
  readonly typedCommand?: Style['typedCommand'];
  /** Called before each line, so that a progress line can make room. */
  readonly beforeLine?: () => void;
  /** Writes to stderr. */
  readonly say: (text: string) => void;
}

function changed(line: string, change: (text: string, key: string) => string): string {
  return `${JSON.stringify(mapStrings(JSON.parse(line), change))}\n`;
}

/** pino-pretty as a plain function. Without a worker or a stream, each line is written before the call returns. */
async function prettyPrinter({ color, base }: LoggerOptions): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty');
  const print = prettyFactory({
    colorize: color,
    singleLine: true,
    translateTime: false,
    // A person reads sentences. The other fields are for JSON.
    hideObject: true,
    messageFormat: ({ pipeline, destination, table, code, sqlstate, reason, ...record }, messageKey) => {
      const isText = (value: unknown): value is string => typeof value === 'string';
      // The log of a service has lines of several pipelines, and that of a run has lines of one.
      const inLine = 'pipeline' in base ? undefined : pipeline;
      const place = [inLine, destination, table].filter(isText).map((name) => `${name}: `);
      const codes = [code, isText(sqlstate) ? `SQLSTATE ${sqlstate}` : undefined].filter(isText);
      const why = isText(reason) && !isText(code) ? `; ${reason}` : '';
      const end = codes.length > 0 ? ` (${codes.join(', ')})` : '';
      return `${place.join('')}${String(record[messageKey])}${why}${end}`;
    },
  });
  return (line) => `${print(line).trimEnd()}\n`;
}

const hasPrettyLines = ({ log, isTerminal }: LoggerOptions) =>
  log.format === 'pretty' || (log.format === 'auto' && isTerminal);

export async function createLogger(options: LoggerOptions): Promise<Logger> {
  const { level, redact, typedCommand, beforeLine, say } = options;
  const { pino } = await import('pino');
  const isPretty = hasPrettyLines(options);
  const width = isPretty ? (options.width ?? Infinity) : Infinity;
  const print = isPretty ? await prettyPrinter(options) : (line: string) => line;
  const hide = inFields((text) => redact(withTypedCommands(text, typedCommand)));
  const change = isPretty ? (text: string, key: string) => printable(hide(text, key)) : hide;
  return pino(
    {
      level,
      base: options.base,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write(line: string) {
        const text = wrapLines(print(changed(line, change)), { width });
        beforeLine?.();
        say(text);
      },
    },
  );
}
