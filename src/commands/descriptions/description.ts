/** The texts of the help of a command. Help and completion read them without loading the command itself. */
import { Argument, Command, Option } from 'commander';
import { collect, durationArgument, durationFrom } from '../terminal/options.ts';
import { ENVIRONMENT_OF } from './global.ts';

/** Headings in the help of a command, in this order. */
export interface OptionGroups {
  readonly [heading: string]: readonly Option[];
}

export interface CommandDescription {
  readonly name: string;
  /** Its line in the list of commands. */
  readonly summary: string;
  readonly description: string;
  /** Undefined for a command that takes no tables. */
  readonly tables?: string;
  /** For a command that takes one word and no tables. */
  readonly argument?: Argument;
  readonly options: OptionGroups;
  /** Without the name of the program. */
  readonly examples: readonly string[];
}

export const flag = (flags: string, description: string): Option =>
  new Option(flags, description).default(false);

export const duration = (flags: string, description: string): Option =>
  new Option(flags, description).argParser(durationArgument);

/** Requires at least that many seconds, and never zero. */
export const span = (flags: string, description: string, least = 0): Option =>
  new Option(flags, description).argParser(durationFrom(least));

export const exclude = (): Option =>
  new Option('--exclude <tables>', 'skip these tables (repeatable)')
    .default([] as readonly string[], 'none')
    .argParser(collect);

export const destination = (): Option =>
  new Option('--destination <name>', 'use only this destination (repeatable)')
    .default([] as readonly string[], 'all')
    .argParser(collect);

/** Only the user can decide what happens to a table that increp did not fill. */
export const claims = (): Option[] => [
  flag(
    '--adopt',
    'keep a destination table that increp did not fill: compare, repair and manage it',
  ).conflicts(['replace', 'fullRefresh', 'watch']),
  flag('--replace', 'load a destination table again even if increp did not fill it').conflicts('watch'),
];

export const json = (): Option => flag('--json', 'print one JSON document');

/** Without a table name, a command works on all tables, unless it has a flag for that. */
const takesAllTables = ({ options }: CommandDescription): boolean =>
  !Object.values(options)
    .flat()
    .some(({ long }) => long === '--all');

export const argumentOf = (description: CommandDescription): Argument | undefined => {
  if (description.tables === undefined) return description.argument;
  const tables = new Argument('[tables...]', description.tables);
  return takesAllTables(description) ? tables.default([], 'all of tables-config.json') : tables;
};

/** Appended to each description in the same form: `[default: 5s] [env: INCREP_DIR]`. */
export function notesOf(item: Option | Argument): string {
  const words = item.defaultValueDescription;
  const environment = item instanceof Option ? ENVIRONMENT_OF[item.long ?? ''] : undefined;
  const notes = [
    item.argChoices && `choices: ${item.argChoices.join(', ')}`,
    words !== undefined && `default: ${words}`,
    environment !== undefined && `env: ${environment}`,
  ];
  return notes
    .filter(Boolean)
    .map((note) => ` [${note}]`)
    .join('');
}

export function commandOf(described: CommandDescription): Command {
  const { name, summary, description, options, examples } = described;
  const command = new Command(name).summary(summary).description(description);
  const argument = argumentOf(described);
  if (argument) command.addArgument(argument);
  for (const [heading, grouped] of Object.entries(options))
    for (const option of grouped) command.addOption(option.helpGroup(`${heading}:`));
  return command.addHelpText(
    'after',
    `\nExamples:\n${examples.map((line) => `  $ increp ${line}`).join('\n')}`,
  );
}
