import { json, type Description } from './description.ts';

export const config = (): Description => ({
  name: 'config',
  summary: 'say which settings are in force',
  description:
    'Says which settings are in force and where each comes from. Secrets are never shown. Asks no server.',
  tables: 'only the options of these tables',
  options: { Output: [json()] },
  examples: ['config', 'config orders', 'config --json'],
});
