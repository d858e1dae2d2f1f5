import { claims, destination, exclude, flag, json, type CommandDescription } from './description.ts';

export const plan = (): CommandDescription => ({
  name: 'plan',
  summary: 'show what sync would do',
  description: 'Shows what sync would do to each table, and why. Writes nothing.',
  tables: 'only these tables; * stands for any characters',
  options: {
    Options: [
      exclude(),
      destination(),
      flag('--full-refresh', 'plan a sync with this flag'),
      flag('--deletes', 'plan a sync with this flag'),
      ...claims(),
    ],
    Output: [
      flag('--exit-code', 'exit 2 if a sync would change something'),
      flag('-v, --verbose', 'print cursors with fractions of a second'),
      json(),
    ],
  },
  examples: ['plan', 'plan orders --json', 'plan --exit-code'],
});
