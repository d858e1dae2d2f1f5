import { Option } from 'commander';
import { destination, flag, json, type CommandDescription } from './description.ts';

export const local = (): Option => flag('--local', 'read the state directory only; connect to no database');

export const status = (): CommandDescription => ({
  name: 'status',
  summary: 'show how fresh each table is',
  description: 'Shows how fresh each destination table is, the last error, and what to do. Writes nothing.',
  tables: 'only these tables; * stands for any characters',
  options: {
    Sources: [
      destination(),
      new Option('--no-source', 'do not connect to the source; schema changes are not reported'),
      local(),
    ],
    Output: [
      flag(
        '--exit-code',
        'exit 2 if a table is failing, stale, drifted, different, never synced or unknown, if a run is retrying a failed table, if the next sync would fail, or if the destination is away',
      ),
      flag('-v, --verbose', 'print cursors with fractions of a second'),
      json(),
    ],
  },
  examples: ['status', 'status --exit-code --no-source', 'status --local', 'status --json'],
});
