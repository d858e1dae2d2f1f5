import { InvalidArgumentError, Option } from 'commander';
import { destination, duration, flag, json, type Description } from './description.ts';
import { local } from './status.ts';

export const history = (): Description => ({
  name: 'history',
  summary: 'say what the last runs did',
  description:
    'Lists the last runs, the newest at the bottom; of one table also a chart. Writes nothing anywhere.',
  tables: 'only these tables; one that is no longer configured too',
  options: {
    'Which runs': [
      new Option('--limit <n>', 'the newest so many').default(20, '20').argParser(countArgument),
      duration('--since <duration>', 'not older than that: 24h, 7d'),
      flag('--failed', 'only those in which something failed'),
    ],
    'Who is asked': [destination(), local()],
    Output: [json()],
  },
  examples: ['history', 'history orders', 'history --failed --since 7d', 'history orders --limit 100 --json'],
});

function countArgument(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1 on.');
  return Number(text);
}
