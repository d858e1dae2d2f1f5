/** `increp help`: prints the help of a command, or a page of the documentation. */
import type { Command } from 'commander';
import { IncrepError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { helpAbout, helpNames, topicNames } from './help-topics.ts';
import type { GlobalOptions } from './terminal/options.ts';

export interface HelpOptions extends GlobalOptions {
  readonly program: Command;
}

export function helpCommand(words: readonly string[], { program, terminal }: HelpOptions): Promise<number> {
  const name = words.length === 0 ? undefined : words.join(' ');
  const command = name === undefined ? program : program.commands.find((known) => known.name() === name);
  const text = command ? undefined : helpAbout(name ?? '', terminal.style);
  if (text !== undefined) terminal.out(text);
  else if (command) command.outputHelp();
  else throw unknownTopic(name ?? '', program);
  return Promise.resolve(0);
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
    next: '"increp help" lists all commands.',
  });
}
