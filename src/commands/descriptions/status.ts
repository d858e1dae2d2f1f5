import { Option } from 'commander';
import { destination, flag, json, type Description } from './description.ts';

export const local = (): Option =>
  flag('--local', 'from the state directory alone, without asking a database');

export const status = (): Description => ({
  name: 'status',
  summary: 'say how fresh the copies are',
  description:
    'Says of each table how fresh its copy is, what went wrong last, and what to do. Writes nothing anywhere.',
  tables: 'only these tables; * stands for any characters',
  options: {
    'Who is asked': [
      destination(),
      new Option('--no-source', 'leave the source out: do not look for drift'),
      local(),
    ],
    Output: [flag('--exit-code', 'exit 2 unless every table is ok, or running'), json()],
  },
  examples: ['status', 'status --exit-code --no-source', 'status --local', 'status --json'],
});
