import { destination, flag, type Description } from './description.ts';

export const reset = (): Description => ({
  name: 'reset',
  summary: 'load tables again at the next sync',
  description:
    'Forgets how far tables are, so that the next sync loads them again. The copies stay until then.',
  tables: 'these tables; * stands for any characters',
  options: { 'What is done': [destination(), flag('--all', 'every table of tables-config.json')] },
  examples: ['reset orders', 'reset --all'],
});
