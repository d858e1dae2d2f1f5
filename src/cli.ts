/** The program: registers commands and turns what they return or throw into the exit code. */
import { Command, CommanderError, Option } from 'commander';
import { collect, durationArgument } from './commands/options.ts';
import { abortOnSignal } from './commands/signals.ts';
import { terminalOf, type Terminal } from './commands/terminal.ts';
import { processEnvironment } from './config/process-environment.ts';
import { asIncrepError, IncrepError } from './errors.ts';
import { version } from './version.ts';

/** A command's module is loaded when it is called, and nothing before. */
type Action = (tables: readonly string[], options: Record<string, unknown>) => Promise<number>;

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
  const call =
    (load: () => Promise<Action>) =>
    async (...parameters: unknown[]) => {
      const command = parameters.at(-1) as Command;
      const tables = (parameters.length > 2 ? parameters[0] : []) as string[];
      const options = { ...command.optsWithGlobals(), terminal, signal: abortOnSignal() };
      exitCode = await (await load())(tables, options);
    };
  await program(call, terminal).parseAsync(args, { from: 'user' });
  return exitCode;
}

type Call = (load: () => Promise<Action>) => (...parameters: unknown[]) => Promise<void>;

function program(call: Call, terminal: Terminal): Command {
  const root = new Command('increp')
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
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.say, outputError: () => undefined })
    .exitOverride();
  const lazily = (load: () => Promise<unknown>) => call(load as () => Promise<Action>);
  for (const register of COMMANDS) register(root, lazily);
  return root;
}

type Register = (
  root: Command,
  lazily: (load: () => Promise<unknown>) => (...parameters: unknown[]) => Promise<void>,
) => void;

const EXCLUDE = () =>
  new Option('--exclude <tables>', 'all but these (may be repeated)')
    .default([] as readonly string[], 'none')
    .argParser(collect);
const JSON_OUTPUT = '--json';

const COMMANDS: readonly Register[] = [
  (root, lazily) =>
    root
      .command('sync')
      .summary('bring the copies up to date')
      .description(
        'Brings the copies up to date, table by table: loads what is missing, else copies what changed.',
      )
      .argument('[tables...]', 'only these tables (default: all of tables-config.json)')
      .addOption(EXCLUDE())
      .option('--full-refresh', 'load the tables again from the start', false)
      .option('--deletes', 'look for deleted rows now, in tables whose "deletes" is set', false)
      .option('--force', 'remove deleted rows whatever their share of a table is', false)
      .option('--verify', 'compare what was copied before it is committed', false)
      .option('--fail-fast', 'stop at the first table that fails', false)
      .option('-n, --dry-run', 'only say what would be done (the same as "increp plan")', false)
      .option(
        '--wait-lock <duration>',
        'wait that long for another run of the same table',
        durationArgument,
        0,
      )
      .option(
        '--settle <duration>',
        'wait at most that long for open transactions (default: 5s)',
        durationArgument,
      )
      .option(JSON_OUTPUT, 'one JSON object a line on stdout, the summary last', false)
      .option('-q, --quiet', 'print only what went wrong', false)
      .option('-v, --verbose', 'log every step', false)
      .addHelpText(
        'after',
        examples(
          'increp sync',
          'increp sync orders customers',
          'increp sync --exclude events --json',
          'increp sync orders --full-refresh',
        ),
      )
      .action(lazily(async () => (await import('./commands/sync.ts')).syncCommand)),
  (root, lazily) =>
    root
      .command('plan')
      .summary('say what sync would do')
      .description('Says what sync would do to each table, and why. Writes nothing anywhere.')
      .argument('[tables...]', 'only these tables')
      .addOption(EXCLUDE())
      .option('--full-refresh', 'as if sync were called with it', false)
      .option('--deletes', 'as if sync were called with it', false)
      .option('--exit-code', 'exit 2 where there is something to do', false)
      .option(JSON_OUTPUT, 'one JSON document on stdout', false)
      .addHelpText('after', examples('increp plan', 'increp plan orders --json', 'increp plan --exit-code'))
      .action(lazily(async () => (await import('./commands/plan.ts')).planCommand)),
  (root, lazily) =>
    root
      .command('check')
      .summary('look for trouble before it happens')
      .description('Checks connections, privileges, tables and settings, and says how to mend what it finds.')
      .argument('[tables...]', 'only these tables')
      .option(JSON_OUTPUT, 'one JSON document on stdout', false)
      .addHelpText('after', examples('increp check', 'increp check orders', 'increp check --json'))
      .action(lazily(async () => (await import('./commands/check.ts')).checkCommand)),
  (root, lazily) =>
    root
      .command('status')
      .summary('say how fresh the copies are')
      .description(
        'Says of each table how fresh its copy is and what went wrong last. Writes nothing anywhere.',
      )
      .argument('[tables...]', 'only these tables')
      .option('--exit-code', 'exit 2 unless every table is ok', false)
      .option(JSON_OUTPUT, 'one JSON document on stdout', false)
      .addHelpText('after', examples('increp status', 'increp status --exit-code'))
      .action(lazily(async () => (await import('./commands/status.ts')).statusCommand)),
  (root, lazily) =>
    root
      .command('verify')
      .summary('compare the copies with the source')
      .description('Compares every row of both sides up to the cursor. Exits 2 on any difference that stays.')
      .argument('[tables...]', 'only these tables')
      .option('--repair', 'fetch or remove exactly the rows that differ, and compare again', false)
      .option(JSON_OUTPUT, 'one JSON document on stdout', false)
      .addHelpText(
        'after',
        examples('increp verify', 'increp verify orders --json', 'increp verify orders --repair'),
      )
      .action(lazily(async () => (await import('./commands/verify.ts')).verifyCommand)),
  (root, lazily) =>
    root
      .command('reset')
      .summary('load tables again at the next sync')
      .description(
        'Forgets how far tables are, so that the next sync loads them again. The copies stay until then.',
      )
      .argument('[tables...]', 'these tables')
      .option('--all', 'every table of tables-config.json', false)
      .addHelpText('after', examples('increp reset orders', 'increp reset --all'))
      .action(lazily(async () => (await import('./commands/reset.ts')).resetCommand)),
  (root, lazily) =>
    root
      .command('demo')
      .summary('watch it work on two real servers')
      .description('Starts two Postgres servers, fills one, syncs, changes things, syncs again and compares.')
      .option('--keep', 'leave the servers running and say how to look at them', false)
      .addHelpText('after', examples('increp demo', 'increp demo --keep'))
      .action(lazily(async () => (await import('./commands/demo.ts')).demoCommand)),
];

const examples = (...lines: string[]): string =>
  `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`;

/** Says what went wrong, and returns the exit code. */
function report(thrown: unknown, terminal: Terminal, args: readonly string[]): number {
  if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
  if (thrown instanceof CommanderError && thrown.code === 'commander.help') return EXIT_USAGE;
  const error = thrown instanceof CommanderError ? usageError(thrown) : asIncrepError(thrown);
  terminal.say(`error: ${error.message}\n  next: ${error.next}\n`);
  if (error.code === 'INTERNAL' && args.some((arg) => /^(-v|--verbose)$/.test(arg)))
    terminal.say(`${stackOf(error)}\n`);
  if (args.includes(JSON_OUTPUT)) {
    const { code, message, next: hint, sqlstate = null } = error;
    terminal.out(
      `${JSON.stringify({ type: 'error', format_version: 1, error: { code, message, hint, sqlstate } })}\n`,
    );
  }
  return error.exitCode;
}

const EXIT_USAGE = 64;

const usageError = ({ message }: CommanderError): IncrepError =>
  new IncrepError('USAGE', {
    what: message.replace(/^error: /, ''),
    next: 'See "increp --help", or "increp COMMAND --help".',
  });

const stackOf = ({ cause, stack }: IncrepError): string =>
  (cause instanceof Error ? cause.stack : stack) ?? '';
