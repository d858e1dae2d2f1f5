import { InvalidArgumentError, Option } from 'commander';
import { destination, duration, flag, json, type CommandDescription } from './description.ts';
import { local } from './status.ts';

export const history = (): CommandDescription => ({
  name: 'history',
  summary: 'show what the last runs did',
  description: 'Lists the last runs, the newest one last. For one table it draws a chart. Writes nothing.',
  tables: 'only these tables, also tables that are no longer configured',
  options: {
    Filters: [
      new Option('--limit <n>', 'show at most this many runs instead of 20').argParser(countArgument),
      duration('--since <duration>', 'show runs since then: 24h, 7d'),
      flag('--failed', 'show only runs in which a table failed'),
    ],
    Sources: [destination(), local()],
    Output: [json()],
  },
  examples: ['history', 'history orders', 'history --failed --since 7d', 'history orders --limit 100 --json'],
});

function countArgument(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('not a whole number from 1 to 999999');
  return Number(text);
}
