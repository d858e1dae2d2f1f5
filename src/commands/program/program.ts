/** The commands for commander, and the layout of their help. */
import { Command, Help, type HelpConfiguration, type Option } from 'commander';
import { painter, type Style } from '../../report/style.ts';
import { version } from '../../version.ts';
import { commandOf, notesOf } from '../descriptions/description.ts';
import { globalOptions } from '../descriptions/global.ts';
import { COMMAND_GROUPS } from '../../command-groups.ts';
import { FIRST_STEPS, groupOf, MORE } from '../descriptions/groups.ts';
import { commands, type CommandFunction } from './registry.ts';
import { startOf } from '../terminal/typed-command.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { wrap } from '../../report/text.ts';

interface Surroundings {
  readonly terminal: Terminal;
  /** The value of COLUMNS, if it is exported. */
  readonly columns: string | undefined;
  /** Runs the requested command. */
  readonly act: (asked: ParsedCommand) => Promise<void>;
}

export interface ParsedCommand {
  readonly program: Command;
  readonly command: Command;
  readonly load: () => Promise<CommandFunction>;
}

export function programOf({ terminal, columns, act }: Surroundings): Command {
  const width = () => helpWidth(terminal.style.width, columns);
  const program = new Command('increp')
    .description(
      'Keeps a copy of your Postgres tables in another Postgres: incremental, exact, with only SELECT on the source.',
    )
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .showSuggestionAfterError(false)
    .configureHelp(helpOf(painter(terminal.style)))
    .configureOutput({
      writeOut: terminal.out,
      writeErr: terminal.say,
      outputError: () => undefined,
      getOutHelpWidth: width,
      getErrHelpWidth: width,
      getOutHasColors: () => terminal.style.color,
      getErrHasColors: () => false,
    })
    .exitOverride();
  for (const option of globalOptions()) program.addOption(option);
  for (const { description, load } of inOrderOfHelp()) {
    const command = commandOf(description).copyInheritedSettings(program);
    command.description(
      command.description().replaceAll('increp completion', `${startOf(terminal.style)} completion`),
    );
    command.addHelpText('after', () => startNote(terminal.style));
    command.helpGroup(`${groupOf(description.name) ?? 'Commands'}:`);
    program.addCommand(command);
    command.action(() => act({ program, command, load: async () => (await load()) as CommandFunction }));
  }
  return program.addHelpText(
    'after',
    () =>
      `\n${firstSteps(program)}\n\n${wrap(MORE, { width: width() }).join('\n')}${startNote(terminal.style)}`,
  );
}

const inOrderOfHelp = () => {
  const order = Object.values(COMMAND_GROUPS).flat();
  const rankOf = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  return commands().toSorted((one, other) => rankOf(one.description.name) - rankOf(other.description.name));
};

/** The texts above have the name of the program, because its path would fill them. */
function startNote({ typedCommand }: Style): string {
  const start = (typedCommand?.('help') ?? 'increp help').replace(/ help$/, '');
  return start === 'increp' ? '' : `\nIn place of "increp", type:\n  ${start}`;
}

const [NARROWEST, WIDEST] = [60, 80];

/** Lines of more than 80 cells are hard to read, however wide the terminal is. */
function helpWidth(terminalWidth: number, columns: string | undefined): number {
  const wanted = Number(columns) || terminalWidth || WIDEST;
  return Math.max(NARROWEST, Math.min(WIDEST, wanted));
}

function firstSteps({ commands: all }: Command): string {
  const steps = FIRST_STEPS.flatMap((name) => all.find((command) => command.name() === name) ?? []);
  return `First steps:\n${steps.map((step) => `  $ increp ${step.name().padEnd(9)} # ${step.summary()}`).join('\n')}`;
}

/** The options of all commands are in one group at the end. The version belongs to the program. */
const helpOf = (paint: ReturnType<typeof painter>): HelpConfiguration => ({
  showGlobalOptions: true,
  boxWrap: (text, width) => wrap(text, { width }).join('\n'),
  minWidthToWrap: 0,
  visibleOptions: (command) => (command.parent ? shownOptions(command) : new Help().visibleOptions(command)),
  visibleGlobalOptions: ({ parent }) =>
    parent ? new Help().visibleOptions(parent).filter(({ long }) => long !== '--version') : [],
  subcommandTerm: (command) => command.name(),
  optionDescription: (option) => `${option.description}${notesOf(option)}`,
  argumentDescription: (argument) => `${argument.description}${notesOf(argument)}`,
  styleTitle: (title) => paint('bold', title === 'Global Options:' ? 'With every command:' : title),
});

const shownOptions = ({ options }: Command): Option[] => options.filter(({ hidden }) => !hidden);
