/** `increp help`: prints the help of one command, or of all. */
import type { Command } from 'commander';
import { IncrepError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import type { GlobalOptions } from './terminal/options.ts';

export interface HelpOptions extends GlobalOptions {
  readonly program: Command;
}

export function helpCommand([name]: readonly string[], { program }: HelpOptions): Promise<number> {
  const command = name === undefined ? program : program.commands.find((known) => known.name() === name);
  if (!command) throw unknownCommand(name ?? '', program);
  command.outputHelp();
  return Promise.resolve(0);
}

export function unknownCommand(name: string, program: Command): IncrepError {
  const near = nearest(
    name,
    program.commands.map((command) => command.name()),
  );
  return new IncrepError('USAGE', {
    what: `increp has no command "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
    next: 'See "increp --help" for all commands.',
  });
}
