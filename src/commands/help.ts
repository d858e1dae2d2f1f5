/** `increp help`: prints the help of a command, or a page of the documentation. */
import type { Command } from 'commander';
import { IncrepError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { helpAbout, helpNames, topicNames } from './help-topics.ts';
import type { GlobalOptions } from './terminal/options.ts';
import { printInPager } from './terminal/pager.ts';

export interface HelpOptions extends GlobalOptions {
  readonly program: Command;
}

export async function helpCommand(words: readonly string[], options: HelpOptions): Promise<number> {
  const { program, terminal } = options;
  const name = words.length === 0 ? undefined : words.join(' ');
  const command = name === undefined ? program : program.commands.find((known) => known.name() === name);
  const text = command ? helpOf(command) : helpAbout(name ?? '', terminal.style);
  if (text === undefined) throw unknownTopic(name ?? '', program);
  await printInPager(text, options);
  return 0;
}

/** With the texts around it, which `helpInformation` leaves out. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => void (text += part) }).outputHelp();
  return text;
}

function unknownTopic(name: string, program: Command): IncrepError {
  const topics = topicNames();
  const near = nearest(name, [...program.commands.map((command) => command.name()), ...helpNames()]);
  return new IncrepError('USAGE', {
    what: `there is no help about "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
    next: `Name a command, a code, a setting, or one of these topics: ${topics.join(', ')}.`,
  });
}

export function unknownCommand(name: string, program: Command): IncrepError {
  const near = nearest(
    name,
    program.commands.map((command) => command.name()),
  );
  return new IncrepError('USAGE', {
    what: `increp has no command "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
    next: 'For all commands, see "increp help".',
  });
}
