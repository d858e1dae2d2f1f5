import { Option } from 'commander';
import { MAX_JOBS } from '../../config/jobs.ts';
import { jobsArgument } from '../terminal/options.ts';
import {
  claims,
  destination,
  duration,
  exclude,
  flag,
  span,
  type CommandDescription,
} from './description.ts';
import { DEFAULT_TIMING } from '../../timing.ts';

export const sync = (): CommandDescription => ({
  name: 'sync',
  summary: 'copy changes to the destination',
  description:
    'Syncs the tables one by one, or several at the same time with --jobs. Loads a table if it is missing or its shape changed, and copies changes otherwise.',
  tables: 'only these tables; * stands for any characters',
  options: {
    Options: [
      exclude(),
      destination(),
      flag('--full-refresh', 'load the tables again'),
      flag('--deletes', 'find deleted rows now, in tables with "deletes": "hard" or "soft"'),
      ...claims(),
      flag(
        '--force',
        'remove rows even above delete_limit, and write even if source and destination are probably swapped',
      ),
      flag('--verify', 'compare the copied rows before the commit'),
      flag('-n, --dry-run', 'show what would be done (same as "increp plan")'),
    ],
    'Waits and limits': [
      new Option('-j, --jobs <number>', `sync this many tables at the same time, at most ${MAX_JOBS}`)
        .default(undefined, '"jobs" of tables-config.json, or 1')
        .argParser(jobsArgument),
      flag(
        '--fail-fast',
        'start no other table after one fails. With --jobs, tables that are being synced finish',
      ),
      duration(
        '--wait-lock <duration>',
        `how long to wait for another run of the same table. A shorter time counts as ${DEFAULT_TIMING.tableLockGrace}s`,
      ).default(0, `${DEFAULT_TIMING.tableLockGrace}s`),
      duration('--wait-transactions <duration>', 'how long to wait for open transactions').default(
        undefined,
        `${DEFAULT_TIMING.transactionWait}s`,
      ),
      span(
        '--max-duration <duration>',
        'start no table after this time. A load in chunks stops after its current chunk, and other tables finish. The next run continues',
      ),
    ],
    Scheduling: [
      span(
        '--watch <interval>',
        'run at every interval in one process, until SIGTERM or Ctrl-C. Runs never overlap: a run that would start while another is active is skipped. Each run reads the configuration again. A failed run does not end the loop',
        1,
      ),
    ],
    Output: [
      flag('--json', 'print one JSON object per line, the summary last'),
      flag('-q, --quiet', 'print only problems').conflicts('verbose'),
      flag('-v, --verbose', 'log every step'),
    ],
  },
  examples: ['sync', 'sync orders customers', 'sync --exclude events --json', 'sync orders --full-refresh'],
});
