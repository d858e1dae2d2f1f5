import { claims, destination, exclude, flag, json, type Description } from './description.ts';

export const plan = (): Description => ({
  name: 'plan',
  summary: 'say what sync would do',
  description: 'Says what sync would do to each table, and why. Writes nothing anywhere.',
  tables: 'only these tables; * stands for any characters',
  options: {
    'What is planned': [
      exclude(),
      destination(),
      flag('--full-refresh', 'as if sync were called with it'),
      flag('--deletes', 'as if sync were called with it'),
      ...claims(),
    ],
    Output: [flag('--exit-code', 'exit 2 where there is something to do'), json()],
  },
  examples: ['plan', 'plan orders --json', 'plan --exit-code'],
});
