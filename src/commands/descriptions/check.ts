import { destination, flag, json, type Description } from './description.ts';

export const check = (): Description => ({
  name: 'check',
  summary: 'look for trouble before it happens',
  description: 'Checks connections, privileges, tables and settings, and says how to mend what it finds.',
  tables: 'only these tables; * stands for any characters',
  options: {
    'What is checked': [
      destination(),
      flag('--webhook', 'send a test message to WEBHOOK_URL, and say what it answers'),
    ],
    Output: [json()],
  },
  examples: ['check', 'check orders', 'check --webhook', 'check --json'],
});
