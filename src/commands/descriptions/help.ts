import { Argument } from 'commander';
import type { CommandDescription } from './description.ts';

export const help = (): CommandDescription => ({
  name: 'help',
  summary: 'show the help of a command',
  description: 'Shows the help of a command, or the list of all commands.',
  argument: new Argument('[command]', 'name of a command'),
  options: {},
  examples: ['help', 'help sync'],
});
