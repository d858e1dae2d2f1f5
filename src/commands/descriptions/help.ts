import { Argument } from 'commander';
import type { CommandDescription } from './description.ts';

export const help = (): CommandDescription => ({
  name: 'help',
  summary: 'show the help of a command or a topic',
  description:
    'Shows the help of a command, a page of the documentation, or what a code or a setting means. For other words, it shows or lists the sections about them. Without an argument, it lists all commands. On a terminal, a text that is longer than the screen opens in $PAGER (default: less).',
  argument: new Argument(
    '[topic...]',
    'a command, a topic such as configuration, a code, a setting, or words',
  ),
  options: {},
  examples: [
    'help',
    'help sync',
    'help configuration',
    'help DELETE_LIMIT_EXCEEDED',
    'help lookback',
    'help null keys',
    'help upgrade',
  ],
});
