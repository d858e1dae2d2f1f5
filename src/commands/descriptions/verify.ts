import { destination, flag, json, type Description } from './description.ts';

export const verify = (): Description => ({
  name: 'verify',
  summary: 'compare the copies with the source',
  description: 'Compares every row of both sides up to the cursor. Exits 2 on any difference that stays.',
  tables: 'only these tables; * stands for any characters',
  options: {
    'What is done': [
      destination(),
      flag('--repair', 'fetch or remove exactly the rows that differ, and compare again'),
    ],
    Output: [json()],
  },
  examples: ['verify', 'verify orders --json', 'verify orders --repair'],
});
