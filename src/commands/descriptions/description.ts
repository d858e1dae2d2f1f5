/** What a command's help says, apart from what it does: help and completion read this without loading any work. */
import { Command, Option } from 'commander';
import { collect, durationArgument } from '../options.ts';

/** Headings of a command's help, in this order. */
export interface OptionGroups {
  readonly [heading: string]: readonly Option[];
}

export interface Description {
  readonly name: string;
  /** A line in the list of commands. */
  readonly summary: string;
  readonly description: string;
  /** Undefined for a command that takes no tables. */
  readonly tables?: string;
  readonly options: OptionGroups;
  /** Without the name of the program. */
  readonly examples: readonly string[];
}

export const flag = (flags: string, description: string): Option =>
  new Option(flags, description).default(false);

export const duration = (flags: string, description: string): Option =>
  new Option(flags, description).argParser(durationArgument);

export const exclude = (): Option =>
  new Option('--exclude <tables>', 'all but these (may be repeated)')
    .default([] as readonly string[], 'none')
    .argParser(collect);

export const json = (): Option => flag('--json', 'one JSON document on stdout');

export function commandOf({ name, summary, description, tables, options, examples }: Description): Command {
  const command = new Command(name).summary(summary).description(description);
  if (tables !== undefined) command.argument('[tables...]', tables);
  for (const [heading, grouped] of Object.entries(options))
    for (const option of grouped) command.addOption(option.helpGroup(`${heading}:`));
  return command.addHelpText(
    'after',
    `\nExamples:\n${examples.map((line) => `  $ increp ${line}`).join('\n')}`,
  );
}
