import { flag, type Description } from './description.ts';

export const demo = (): Description => ({
  name: 'demo',
  summary: 'watch it work on two real servers',
  description: 'Starts two Postgres servers, fills one, syncs, changes things, syncs again and compares.',
  options: { 'What is done': [flag('--keep', 'leave the servers running and say how to look at them')] },
  examples: ['demo', 'demo --keep'],
});
