import { json, type CommandDescription } from './description.ts';

export const config = (): CommandDescription => ({
  name: 'config',
  summary: 'show the effective settings',
  description:
    'Shows the effective settings and where each one comes from. Secrets are masked. Connects to no server.',
  tables: 'show the options of these tables only',
  options: { Output: [json()] },
  examples: ['config', 'config orders', 'config --json'],
});
