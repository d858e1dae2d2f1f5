import { claims, destination, duration, exclude, flag, span, type Description } from './description.ts';
import { DEFAULT_TIMING } from '../../timing.ts';

export const sync = (): Description => ({
  name: 'sync',
  summary: 'bring the copies up to date',
  description:
    'Brings the copies up to date, table by table: loads what is missing, else copies what changed.',
  tables: 'only these tables; * stands for any characters',
  options: {
    'What is done': [
      exclude(),
      destination(),
      flag('--full-refresh', 'load the tables again from the start'),
      flag('--deletes', 'look for deleted rows now, in tables whose "deletes" is set'),
      ...claims(),
      flag('--force', 'remove deleted rows whatever their share of a table is'),
      flag('--verify', 'compare what was copied before it is committed'),
      flag('-n, --dry-run', 'only say what would be done (the same as "increp plan")'),
    ],
    'Waiting and stopping': [
      flag('--fail-fast', 'stop at the first table that fails'),
      duration('--wait-lock <duration>', 'wait that long for another run of the same table').default(0, '0s'),
      duration('--wait-transactions <duration>', 'wait at most that long for open transactions').default(
        undefined,
        `${DEFAULT_TIMING.transactionWait}s`,
      ),
      span(
        '--max-duration <duration>',
        'begin no new table past it, and stop a load in chunks after the chunk at work; the next run goes on. A table at work in one go is finished',
      ),
    ],
    Scheduling: [
      span(
        '--watch <interval>',
        'run, and again at every interval, in one process, until SIGTERM or Ctrl-C. One run at a time: turns that come while one is at work are passed over. Each reads the configuration anew; one that fails does not end it',
        1,
      ),
    ],
    Output: [
      flag('--json', 'one JSON object a line on stdout, the summary last'),
      flag('-q, --quiet', 'print only what went wrong').conflicts('verbose'),
      flag('-v, --verbose', 'log every step'),
    ],
  },
  examples: ['sync', 'sync orders customers', 'sync --exclude events --json', 'sync orders --full-refresh'],
});
