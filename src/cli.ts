/** The program: registers commands and turns what they return or throw into the exit code. */
import { CommanderError } from 'commander';
import { programOf } from './commands/program.ts';
import { abortOnSignal } from './commands/signals.ts';
import { tellError } from './commands/tell-error.ts';
import { terminalOf, type Terminal } from './commands/terminal.ts';
import { usageErrorOf } from './commands/usage-error.ts';
import { processEnvironment } from './config/process-environment.ts';
import { asIncrepError, ERROR_CLASSES } from './errors.ts';

export async function main(args: readonly string[]): Promise<void> {
  const terminal = terminalOf({
    stdout: process.stdout,
    stderr: process.stderr,
    environment: processEnvironment(),
    isColorRefused: args.includes('--no-color'),
  });
  try {
    process.exitCode = await dispatch(args, terminal);
  } catch (error) {
    process.exitCode = report(error, terminal, args);
  }
}

async function dispatch(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode = 0;
  const root = programOf({
    terminal,
    columns: processEnvironment()['COLUMNS'],
    act: async ({ program, command, load }) => {
      const options = { ...command.optsWithGlobals(), terminal, signal: abortOnSignal(), program };
      exitCode = await (await load())(command.args, options);
    },
  });
  let asked = root;
  root.hook('preSubcommand', (_, command) => void (asked = command));
  try {
    await root.parseAsync(args, { from: 'user' });
  } catch (error) {
    throw error instanceof CommanderError && !isHelp(error) ? usageErrorOf(error, asked) : error;
  }
  return exitCode;
}

/** It has been printed, because it was asked for or because nothing was. */
const isHelp = ({ code, exitCode }: CommanderError): boolean => exitCode === 0 || code === 'commander.help';

/** Says what went wrong, and returns the exit code. */
function report(thrown: unknown, terminal: Terminal, args: readonly string[]): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : ERROR_CLASSES.USAGE.exitCode;
  const error = asIncrepError(thrown);
  tellError(error, terminal, {
    isJson: args.includes('--json'),
    isVerbose: args.some((arg) => /^(-v|--verbose)$/.test(arg)),
  });
  return error.exitCode;
}
