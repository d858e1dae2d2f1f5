/** The entry of the program: it registers the commands and turns their results and errors into the exit code. */
import { CommanderError } from 'commander';
import { interrupted } from './commands/program/interruption.ts';
import { programOf } from './commands/program/program.ts';
import { wantsJsonMessages } from './commands/terminal/json-messages.ts';
import { printError } from './commands/terminal/print-error.ts';
import { typedCommand } from './commands/terminal/typed-command.ts';
import { terminalOf, type Terminal } from './commands/terminal/terminal.ts';
import { usageErrorOf, withDashes } from './commands/program/usage-error.ts';
import { asIncrepError, ERROR_CLASSES } from './errors.ts';
import type { Invocation } from './invocation.ts';

/** Resolves to the exit code; never rejects. */
export async function main(args: readonly string[], invocation: Invocation): Promise<number> {
  let directory: string | undefined;
  const terminal = terminalOf(invocation, {
    isColorRefused: args.includes('--no-color'),
    wantsJsonMessages: () => wantsJsonMessages({ ...invocation, directory }),
    typedCommand: (verb, isTerminal) => typedCommand({ ...invocation, directory }, verb, isTerminal),
  });
  const exitCode = await ended(args, invocation, {
    terminal,
    onDirectory: (named) => void (directory = named),
  });
  return (await terminal.isOutputLost()) && exitCode === 0 ? OUTPUT_LOST : exitCode;
}

/** EX_IOERR of sysexits.h. A command that failed keeps its own exit code. */
const OUTPUT_LOST = 74;

async function ended(args: readonly string[], invocation: Invocation, output: Output): Promise<number> {
  try {
    return await dispatch(args, invocation, output);
  } catch (error) {
    return report(error, output.terminal, args);
  }
}

interface Output {
  readonly terminal: Terminal;
  /** Receives the value of -C once it is known. */
  readonly onDirectory: (directory: string | undefined) => void;
}

async function dispatch(
  args: readonly string[],
  invocation: Invocation,
  { terminal, onDirectory }: Output,
): Promise<number> {
  const { environment, workingDirectory, signal, timing } = invocation;
  let exitCode = 0;
  const root = programOf({
    terminal,
    columns: environment['COLUMNS'],
    act: async ({ program, command, load }) => {
      const given = { terminal, environment, workingDirectory, signal, timing, program };
      const options: { directory?: string } = command.optsWithGlobals();
      onDirectory(options.directory);
      try {
        exitCode = await (await load())(command.args, { ...options, ...given });
      } catch (error) {
        throw interrupted(error, command.name(), options);
      }
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

/** The help was printed, because the user asked for it or named no command. */
const isHelp = ({ code, exitCode }: CommanderError): boolean => exitCode === 0 || code === 'commander.help';

/** Prints the error and returns its exit code. */
function report(thrown: unknown, terminal: Terminal, args: readonly string[]): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : ERROR_CLASSES.USAGE.exitCode;
  const error = withDashes(asIncrepError(thrown), args);
  printError(error, terminal, {
    isJson: args.includes('--json'),
    isVerbose: args.some((arg) => /^(-v|--verbose)$/.test(arg)),
  });
  return error.exitCode;
}
