import { flag, type CommandDescription } from './description.ts';

export const demo = (): CommandDescription => ({
  name: 'demo',
  summary: 'run a demonstration on two real servers',
  description:
    'Starts two Postgres servers, fills one, syncs, changes rows, syncs again and compares both sides. With --serve, it starts the service with two pipelines and a shop that changes, until Ctrl-C.',
  options: {
    Options: [
      flag('--keep', 'leave the servers running and print how to connect to them').conflicts('serve'),
      flag('--serve', 'start "increp serve" with a page to look at, and print its address and a token'),
    ],
  },
  examples: ['demo', 'demo --keep', 'demo --serve'],
});
