import { destination, flag, type CommandDescription } from './description.ts';

export const reset = (): CommandDescription => ({
  name: 'reset',
  summary: 'load tables again at the next sync',
  description:
    'Deletes the cursors of tables, so that the next sync loads the tables again. The destination tables stay readable until then.',
  tables: 'these tables; * stands for any characters',
  options: {
    Options: [
      destination(),
      flag('--all', 'reset every table of tables-config.json'),
      flag('--force', 'also discard the state of another pipeline'),
    ],
  },
  examples: ['reset orders', 'reset --all'],
});
