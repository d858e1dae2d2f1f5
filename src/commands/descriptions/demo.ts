import { flag, type CommandDescription } from './description.ts';

export const demo = (): CommandDescription => ({
  name: 'demo',
  summary: 'run a demonstration on two real servers',
  description:
    'Starts two Postgres servers, fills one, syncs, changes rows, syncs again and compares both sides.',
  options: { Options: [flag('--keep', 'leave the servers running and print how to connect to them')] },
  examples: ['demo', 'demo --keep'],
});
