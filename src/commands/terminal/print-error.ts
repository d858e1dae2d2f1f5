/** Prints an error: on stderr as text or as a line of the log, and with --json as JSON on stdout. */
import type { IncrepError } from '../../errors.ts';
import { failureFields, formatError } from '../../report/error.ts';
import type { Style } from '../../report/style.ts';
import { errorToJson, FORMAT_VERSION } from '../../report/summary-json.ts';
import { withTypedCommands } from '../../report/text.ts';
import { inSourceLines } from './source-lines.ts';
import type { Terminal } from './terminal.ts';

interface ErrorOutput {
  readonly isJson: boolean;
  readonly isVerbose: boolean;
}

export function printError(error: IncrepError, terminal: Terminal, { isJson, isVerbose }: ErrorOutput): void {
  terminal.say(
    terminal.hasJsonMessages()
      ? logLine(error, terminal.sayStyle, new Date())
      : formatError(error, terminal.sayStyle),
  );
  if (error.code === 'INTERNAL' && isVerbose) terminal.say(`${inSourceLines(stackOf(error))}\n`);
  if (isJson) terminal.out(errorLine(error));
}

export const errorLine = (error: IncrepError): string =>
  `${JSON.stringify({ type: 'error', format_version: FORMAT_VERSION, error: errorToJson(error) })}\n`;

/** As pino writes it (observe/log.ts). There is no logger before the settings are read. */
function logLine(
  { code, sqlstate, next, message }: IncrepError,
  { typedCommand }: Style,
  time: Date,
): string {
  const fields = failureFields({ code, sqlstate, hint: withTypedCommands(next, typedCommand) });
  const msg = withTypedCommands(message, typedCommand);
  return `${JSON.stringify({ level: 'error', time: time.toISOString(), ...fields, msg })}\n`;
}

const stackOf = ({ cause, stack }: IncrepError): string =>
  (cause instanceof Error ? cause.stack : stack) ?? '';
