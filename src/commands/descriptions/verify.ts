import { destination, flag, json, type CommandDescription } from './description.ts';

export const verify = (): CommandDescription => ({
  name: 'verify',
  summary: 'compare destination tables with the source',
  description: 'Compares every row of both sides up to the cursor. Exits 2 if rows differ.',
  tables: 'only these tables; * stands for any characters',
  options: {
    Options: [
      destination(),
      flag('--repair', 'fetch or remove the rows that differ, and compare again'),
      flag('--force', 'with --repair: remove rows without the limit of delete_limit'),
    ],
    Output: [json()],
  },
  examples: ['verify', 'verify orders --json', 'verify orders --repair'],
});
