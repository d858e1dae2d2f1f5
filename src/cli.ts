/** The program: registers commands and turns what they return or throw into the exit code. */
import { Command, CommanderError, Help } from 'commander';
import { commandOf } from './commands/descriptions/description.ts';
import { commands, type CommandFunction } from './commands/registry.ts';
import { abortOnSignal } from './commands/signals.ts';
import { terminalOf, type Terminal } from './commands/terminal.ts';
import { processEnvironment } from './config/process-environment.ts';
import { asIncrepError, IncrepError } from './errors.ts';
import { formatError } from './observe/error.ts';
import { FORMAT_VERSION } from './summary-json.ts';
import { version } from './version.ts';

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
  const root = program(terminal);
  for (const { description, load } of commands()) {
    const command = commandOf(description).copyInheritedSettings(root);
    root.addCommand(command);
    command.action(async () => {
      const options = { ...command.optsWithGlobals(), terminal, signal: abortOnSignal() };
      exitCode = await ((await load()) as CommandFunction)(command.args, options);
    });
  }
  await root.parseAsync(args, { from: 'user' });
  return exitCode;
}

function program(terminal: Terminal): Command {
  return new Command('increp')
    .description(
      'Keeps a copy of your Postgres tables in another Postgres: incremental, exact, with SELECT only.',
    )
    .version(version(), '-V, --version', 'print the version')
    .option(
      '-C, --directory <dir>',
      'the pipeline: .env, tables-config.json, sync-state (default: here; env: INCREP_DIR)',
    )
    .option('--no-color', 'no colours (env: NO_COLOR)')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .configureHelp({
      optionDescription: (option) => new Help().optionDescription(option).replace(' (default: false)', ''),
    })
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.say, outputError: () => undefined })
    .exitOverride();
}

/** Says what went wrong, and returns the exit code. */
function report(thrown: unknown, terminal: Terminal, args: readonly string[]): number {
  if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
  const error = thrown instanceof CommanderError ? usageError(thrown) : asIncrepError(thrown);
  // Without any argument the help has just been printed: that says it all.
  if (!(thrown instanceof CommanderError && thrown.code === 'commander.help')) {
    terminal.say(formatError(error));
  }
  if (error.code === 'INTERNAL' && args.some((arg) => /^(-v|--verbose)$/.test(arg)))
    terminal.say(`${stackOf(error)}\n`);
  if (args.includes('--json')) terminal.out(`${JSON.stringify(errorJson(error))}\n`);
  return error.exitCode;
}

const errorJson = ({ code, message, next: hint, sqlstate }: IncrepError) => ({
  type: 'error',
  format_version: FORMAT_VERSION,
  error: { code, message, hint, sqlstate: sqlstate ?? null },
});

const usageError = ({ message }: CommanderError): IncrepError =>
  new IncrepError('USAGE', {
    what: message.replace(/^error: /, ''),
    next: 'See "increp --help", or "increp COMMAND --help".',
  });

const stackOf = ({ cause, stack }: IncrepError): string =>
  (cause instanceof Error ? cause.stack : stack) ?? '';
