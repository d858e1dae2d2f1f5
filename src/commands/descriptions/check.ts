import { destination, flag, json, type CommandDescription } from './description.ts';

export const check = (): CommandDescription => ({
  name: 'check',
  summary: 'find problems before a sync does',
  description: 'Checks connections, privileges, tables and settings, and prints how to fix each problem.',
  tables: 'only these tables; * stands for any characters',
  options: {
    Options: [destination(), flag('--webhook', 'send a test message to WEBHOOK_URL and print the response')],
    Output: [
      flag(
        '-v, --verbose',
        'print a problem of many tables or destinations for each one, with its statement',
      ),
      json(),
    ],
  },
  examples: ['check', 'check orders', 'check --webhook', 'check --json'],
});
