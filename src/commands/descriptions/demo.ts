import { flag, type Description } from './description.ts';

export const demo = (): Description => ({
  name: 'demo',
  summary: 'run a demonstration on two real servers',
  description:
    'Starts two Postgres servers, fills one, syncs, changes rows, syncs again and compares both sides.',
  options: { Options: [flag('--keep', 'leave the servers running and print how to connect to them')] },
  examples: ['demo', 'demo --keep'],
});
