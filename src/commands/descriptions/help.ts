import { Argument } from 'commander';
import type { Description } from './description.ts';

export const help = (): Description => ({
  name: 'help',
  summary: 'print what a command takes and does',
  description: 'Prints the help of a command; without one, the list of all commands.',
  argument: new Argument('[command]', 'a command of increp'),
  options: {},
  examples: ['help', 'help sync'],
});
